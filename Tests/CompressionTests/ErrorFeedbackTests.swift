import Compression
import Kernels
import Testing

@Suite struct ErrorFeedbackTests {
    /// Lemma 3.4.1 for one worker: x less gamma times the residual takes the steps of SGD without compression.
    @Test(
        arguments: [
            "quantize:bits=8,bucket=64", "bf16", "mantissa-truncation:k=20", "quantize:bits=4,rounding=nearest",
        ],
        [{ @Sendable _ in 0.125 }, { @Sendable t in 0.5 / Double(t + 1).squareRoot() }])
    func `what the messages lack is caught up with, whatever the step sizes`(
        name: String, stepSize: @Sendable (Int) -> Double
    ) throws {
        let count = 150
        let feedback = try ErrorFeedback(CodecConfiguration(parsing: name).makeCodec(count: count))
        let decoder = try CodecConfiguration(parsing: name).makeCodec(count: count)
        var x = [Double](repeating: 0, count: count)
        var exact = x
        for t in 0..<40 {
            let gradient = (0..<count).map { CodecSamples.heavyTailed($0 + count * t) }
            let message = try feedback.encoded(gradient, stepSize: stepSize(t), step: UInt64(t))
            let decoded = try decoder.decoded(message)
            for i in 0..<count {
                x[i] -= stepSize(t) * Double(decoded[i])
                exact[i] -= stepSize(t) * Double(gradient[i])
            }
            let residual = feedback.withResidual { residual in residual.indices.map { residual[$0] } }
            for i in 0..<count {
                #expect(abs(x[i] - stepSize(t) * Double(residual[i]) - exact[i]) < 3e-5, "\(name), iteration \(t)")
            }
        }
        #expect(zip(x, exact).contains { abs($0 - $1) > 3e-5 })
    }

    @Test(arguments: [
        "quantize:bits=8", "quantize:bits=2,bucket=whole", "quantize:bits=1,bucket=100", "quantize:bits=5",
        "qsgd:levels=7",
        "qsgd:levels=3,layout=elias", "ternary", "sign", "sign:bucket=whole,norm=l2", "top-k:fraction=0.1",
    ])
    func `in one pass and in three the bits are the same`(name: String) throws {
        let count = 1_100
        let codec = { try CodecConfiguration(parsing: name).makeCodec(count: count) }
        let feedbacks = [try ErrorFeedback(codec(), isFused: true), try ErrorFeedback(codec(), isFused: false)]
        #expect(try codec() is any FusedFeedbackCodec)
        for t in 0..<6 {
            let gradient = (0..<count).map { CodecSamples.heavyTailed($0 + count * t) }
            // The step size changes, and does not.
            let stepSize = 1 / Double(t / 2 + 1)
            let messages = try feedbacks.map { try $0.encoded(gradient, stepSize: stepSize, step: UInt64(t)) }
            #expect(messages[0] == messages[1])
            // To look at a residual is not to change it.
            guard t > 2 else { continue }
            let residuals = feedbacks.map { $0.withResidual { r in r.indices.map { r[$0].bitPattern } } }
            #expect(residuals[0] == residuals[1])
        }
    }

    @Test func `a sum that vanishes below zero is a zero, in one pass and in three`() throws {
        let tiny = Float.leastNonzeroMagnitude
        let feedbacks = try [true, false].map { try ErrorFeedback(SignCodec(count: 100, bucket: 64), isFused: $0) }
        // Residuals of -tiny, a quarter of which added to -0.0 is -0.0.
        let iterations: [(gradient: Float, stepSize: Double)] = [(tiny, 1), (-0.0, 4), (0, 4), (-tiny, 16), (-0.0, 64)]
        for (gradient, stepSize) in iterations {
            let gradient = (0..<100).map { $0 % 3 == 0 ? 3 * gradient : gradient }
            let messages = try feedbacks.map { try $0.encoded(gradient, stepSize: stepSize, step: 0) }
            #expect(messages[0] == messages[1])
        }
        let residuals = feedbacks.map { $0.withResidual { r in r.indices.map { r[$0] } } }
        #expect(residuals[0] == residuals[1])
    }

    @Test(arguments: [
        "quantize:bits=1,bucket=33", "quantize:bits=4,bucket=whole,rounding=nearest", "qsgd:levels=3,bucket=33",
        "ternary:bucket=33", "sign:bucket=64", "sign:bucket=whole,norm=l2", "top-k:k=1", "top-k:k=40", "top-k:k=99",
    ])
    func `zeros, ties, extremes and what is not finite give in one pass what they give in three`(name: String) throws {
        let (tiny, huge) = (Float.leastNonzeroMagnitude, Float(3e38))
        let palettes = [[0, -0.0, tiny, -tiny], [1, -1, 0, -0.0], [huge, -huge, 1e38, 0], [tiny, -tiny, 5, 1e-30]]
        var stream = RandomStream(seed: 77)
        func any<Element>(_ elements: [Element]) -> Element { elements[Int(stream.next() % UInt64(elements.count))] }
        for sequence in 0..<12 {
            let feedbacks = try [true, false].map {
                try ErrorFeedback(CodecConfiguration(parsing: name).makeCodec(count: 99), isFused: $0)
            }
            for t in 0..<6 {
                let palette = any(palettes)
                var gradient = (0..<99).map { _ in any(palette) }
                if t > 1 && any([true, false, false]) { gradient[any([7, 40, 98])] = any([.nan, .infinity]) }
                let stepSize = any([1, 1, 4, 16, 1e30])
                let messages = feedbacks.map { feedback in
                    Result { try feedback.encoded(gradient, stepSize: stepSize, step: UInt64(t)) }
                        .mapError { WrittenError(description: "\($0)") }
                }
                #expect(messages[0] == messages[1], "\(sequence), iteration \(t)")
                guard sequence % 2 == 0 else { continue }
                let residuals = feedbacks.map { $0.withResidual { r in r.indices.map { r[$0] } } }
                #expect(residuals[0] == residuals[1], "\(sequence), iteration \(t)")
            }
        }
    }

    /// NaNs equal themselves in words.
    private struct WrittenError: Error, Equatable { var description: String }

    @Test func `a bucket whose smallest floats are zeros of both signs has the same bytes in one pass and in three`()
        throws
    {
        let tiny = Float.leastNonzeroMagnitude
        let feedbacks = try [true, false].map {
            try ErrorFeedback(QuantizeCodec(count: 33, bits: 1, rounding: .nearest), isFused: $0)
        }
        // Of -tiny, what 2 * tiny lacks, a quarter added to -0.0 is -0.0; of the others nothing, and the sum 0.0.
        var first = [Float](repeating: 0, count: 33)
        (first[0], first[31]) = (3 * tiny, 2 * tiny)
        var second = [Float](repeating: -0.0, count: 33)
        second[0] = 1
        for (gradient, stepSize) in [(first, 1.0), (second, 4)] {
            let messages = try feedbacks.map { try $0.encoded(gradient, stepSize: stepSize, step: 0) }
            #expect(messages[0] == messages[1])
        }
    }

    @Test(arguments: [true, false])
    func `a NaN is named though what was sent before it leaves an infinite residual`(isFused: Bool) throws {
        let feedback = try ErrorFeedback(QuantizeCodec(count: 60, bits: 1), isFused: isFused)
        var gradient = [Float](repeating: 1e38, count: 60)
        (gradient[0], gradient[1], gradient[59]) = (-3e38, 3e38, .nan)
        let error = #expect(throws: CodecError.self) { try feedback.encoded(gradient, stepSize: 1, step: 0) }
        guard case .notFinite(index: 59, let value) = error, value.isNaN else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: [true, false])
    func `a gradient that is not finite is refused with its index and clears the residual`(isFused: Bool) throws {
        let feedback = try ErrorFeedback(QuantizeCodec(count: 20, bits: 2), isFused: isFused)
        var gradient = (0..<20).map { CodecSamples.heavyTailed($0) }
        let first = try feedback.encoded(gradient, stepSize: 1, step: 0)
        gradient[13] = .nan
        let error = #expect(throws: CodecError.self) { try feedback.encoded(gradient, stepSize: 1, step: 1) }
        guard case .notFinite(index: 13, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(feedback.withResidual { residual in residual.indices.allSatisfy { residual[$0] == 0 } })
        gradient[13] = CodecSamples.heavyTailed(13)
        #expect(try feedback.encoded(gradient, stepSize: 7, step: 0) == first)
    }
}

extension ErrorFeedback {
    func encoded(_ gradient: [Float], stepSize: Double, step: UInt64) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: codec.maximumEncodedBytes)
        var elements = bytes.mutableSpan
        var space = elements.mutableBytes
        let length = try encode(gradient.span, stepSize: stepSize, draw: CodecDraw(seed: 3, step: step), into: &space)
        return Array(bytes[..<length])
    }
}
