import Compression
import Kernels
import Testing

/// What the protocol promises, over configurations of all codecs.
@Suite struct CodecPropertyTests {
    @Test func `every codec is among the samples`() {
        let kinds = Set(CodecSamples.names.map { $0.contains("+") ? "composition" : $0.prefix { $0 != ":" } })
        for facts in CodecKind.builtIn.map(\.facts) { #expect(kinds.contains(facts.name[...]), "\(facts.name)") }
    }

    @Test(arguments: CodecSamples.names)
    func `every length encodes to the size stated, inside its buffer, and decodes to as many finite numbers`(
        name: String
    ) throws {
        for count in CodecSamples.tails {
            let codec = try CodecSamples.codec(name, count: count)
            for input in CodecSamples.inputs(count: count) + CodecSamples.awkward(count: count) {
                let vector = GuardedBytes(input)
                let message = GuardedBytes(byteCount: codec.maximumEncodedBytes, shift: count % 4)
                let length = try codec.encode(vector, draw: CodecDraw(seed: 5), into: message)
                #expect(codec.hasFixedSize ? length == message.byteCount : length <= message.byteCount)
                #expect(message.isUnharmed && vector.floats == input, "\(count)")

                let target = GuardedBytes(byteCount: 4 * count, fill: 0xFF)
                try codec.decode(message, length, into: target)
                #expect(target.isUnharmed && target.floats.allSatisfy(\.isFinite), "\(count) \(input.prefix(9))")
                if input.allSatisfy({ $0 == 0 }) { #expect(target.floats == input) }
                #expect(try codec.decoded(Array(message.bytes[..<length])) == target.floats)
            }
        }
    }

    @Test(arguments: CodecSamples.names)
    func `floats of any exponent stay inside the buffer and finite, or are refused as too large`(name: String) throws {
        for count in [1, 2, 9, 33, 520] {
            let codec = try CodecSamples.codec(name, count: count)
            for (which, input) in CodecSamples.extreme(count: count).enumerated() {
                let message = GuardedBytes(byteCount: codec.maximumEncodedBytes)
                do {
                    let length = try codec.encode(GuardedBytes(input), draw: CodecDraw(seed: 8), into: message)
                    let decoded = try codec.decoded(Array(message.bytes[..<length]))
                    #expect(!decoded.contains { !$0.isFinite }, "\(count) \(which)")
                } catch CodecError.tooLarge {
                    #expect(which < 3)
                } catch CodecError.notFinite {
                    // Only what is drawn is multiplied, by 1/p.
                    #expect(which < 3 && !codec.checksEveryElement)
                }
                #expect(message.isUnharmed, "\(count) \(which)")
            }
        }
    }

    /// Bytes after the header for d floats, by arithmetic of its own.
    private static let sizes: [(name: String, bytes: @Sendable (Int) -> Int)] = [
        ("identity", { 4 * $0 }), ("fp16", { 2 + 2 * $0 }), ("bf16:rounding=stochastic", { 2 * $0 }),
        ("mantissa-truncation:k=19", { ceil(13 * $0, 8) }), ("natural", { 4 + $0 + ceil($0, 8) }),
        ("quantize:bits=5", { 4 + buckets($0, 512) { 8 + ceil(5 * $0, 8) } }),
        ("quantize:bits=16,bucket=64", { 4 + buckets($0, 64) { 8 + 2 * $0 } }),
        ("quantize:bits=1,bucket=whole", { 4 + buckets($0, max(1, $0)) { 8 + ceil($0, 8) } }),
        ("qsgd:levels=127", { 4 + buckets($0, 512) { 4 + $0 } }),
        ("qsgd:levels=3,bucket=100", { 4 + buckets($0, 100) { 4 + ceil(3 * $0, 8) } }),
        ("ternary:bucket=64", { 4 + buckets($0, 64) { 4 + ceil($0, 4) } }),
        ("sign", { buckets($0, 512) { 4 + ceil($0, 8) } }),
        ("sign:bucket=whole,norm=l2", { buckets($0, max(1, $0)) { 4 + ceil($0, 8) } }),
        ("random-k:fraction=0.1", { 20 + 4 * ceil($0, 10) }), ("random-k:k=7", { 20 + 4 * min(7, $0) }),
        ("top-k:fraction=0.1", { 4 * ceil($0, 65_536) + 6 * ceil($0, 10) }),
        ("top-k:k=9", { 4 * ceil($0, 65_536) + 6 * min(9, $0) }),
        (
            "low-rank:rank=2,rows=8",
            { d in
                let columns = ceil(d, max(1, min(8, d)))
                let rows = columns == 0 ? 0 : ceil(d, columns)
                return 4 * min(2, rows, columns) * (rows + columns)
            }
        ),
        ("count-sketch:rows=3,width=11", { _ in 16 + 4 * 3 * 11 }),
    ]

    @Test(arguments: CodecSamples.tails + [70_000])
    func `sizes are those that are stated, to the byte`(count: Int) throws {
        for (name, bytes) in Self.sizes {
            let codec = try CodecSamples.codec(name, count: count)
            #expect(codec.hasFixedSize && codec.maximumEncodedBytes == 8 + bytes(count), "\(name), \(count)")
        }
    }

    @Test(arguments: CodecSamples.names)
    func `the name says all settings, and means the same codec`(name: String) throws {
        let codec = try CodecSamples.codec(name, count: 100)
        let other = try CodecSamples.codec(codec.name, count: 100)
        #expect(other.name == codec.name)
        let input = CodecSamples.inputs(count: 100)[1]
        #expect(try other.encoded(input) == codec.encoded(input))
    }

    @Test(arguments: CodecSamples.names)
    func `what is not finite is refused with the index of the first`(name: String) throws {
        for count in [1, 8, 77, 513, 1_030] {
            let codec = try CodecSamples.codec(name, count: count)
            guard codec.checksEveryElement else { return }
            for (index, value) in [(0, Float.nan), (count / 2, .infinity), (count - 1, -.infinity), (count - 1, .nan)] {
                var input = CodecSamples.inputs(count: count)[1]
                input[index] = value
                if index < count - 1 { input[count - 1] = .nan }
                let error = #expect(throws: CodecError.self) { try codec.encoded(input) }
                guard case .notFinite(index, let found) = error else {
                    Issue.record("\(count), \(index), \(value): \(String(describing: error))")
                    continue
                }
                #expect(found.isNaN == value.isNaN && (value.isNaN || found == value))
            }
        }
    }

    @Test(arguments: CodecSamples.names)
    func `vectors and buffers of another size are refused, and left alone`(name: String) throws {
        let codec = try CodecSamples.codec(name, count: 20)
        let (input, draw) = (CodecSamples.inputs(count: 21)[0], CodecDraw(seed: 1))
        let message = GuardedBytes(byteCount: codec.maximumEncodedBytes)
        for count in [0, 19, 21] {
            #expect(throws: CodecError.wrongCount(found: count, expected: 20)) {
                try codec.encode(GuardedBytes(Array(input[..<count])), draw: draw, into: message)
            }
        }
        let vector = GuardedBytes(Array(input[..<20]))
        for bytes in [0, 7, codec.maximumEncodedBytes - 1] {
            let small = GuardedBytes(byteCount: bytes)
            #expect(throws: CodecError.bufferTooSmall(found: bytes, expected: codec.maximumEncodedBytes)) {
                try codec.encode(vector, draw: draw, into: small)
            }
            #expect(small.isUnharmed)
        }
        let length = try codec.encode(vector, draw: draw, into: message)
        for count in [0, 19, 21] {
            let target = GuardedBytes(byteCount: 4 * count)
            #expect(throws: CodecError.wrongCount(found: count, expected: 20)) {
                try codec.decode(message, length, into: target)
            }
            #expect(throws: CodecError.wrongCount(found: count, expected: 20)) {
                try codec.decode(message, length, adding: 1, to: target)
            }
            #expect(target.isUnharmed && target.bytes.allSatisfy { $0 == 0 })
        }
    }

    @Test(arguments: CodecSamples.names)
    func `the same draw gives the same bytes, in this instance and in another`(name: String) throws {
        let input = CodecSamples.inputs(count: 600)[0]
        let draw = CodecDraw(seed: 3, rank: 2, step: 9)
        let codec = try CodecSamples.codec(name, count: 600)
        let bytes = try codec.encoded(input, draw: draw)
        _ = try codec.encoded(CodecSamples.inputs(count: 600)[1], draw: CodecDraw(seed: 4))
        #expect(codec.hasMemory == name.hasSuffix("start=warm"))
        if !codec.hasMemory { #expect(try codec.encoded(input, draw: draw) == bytes) }
        #expect(try CodecSamples.codec(name, count: 600).encoded(input, draw: draw) == bytes)
    }

    @Test(arguments: CodecSamples.names)
    func `decoding and adding is adding what decoding gives, to rounding`(name: String) throws {
        for count in [0, 1, 9, 515] {
            let codec = try CodecSamples.codec(name, count: count)
            let (input, base) = (CodecSamples.inputs(count: count)[1], CodecSamples.inputs(count: count)[0])
            let bytes = try codec.encoded(input)
            let decoded = try codec.decoded(bytes)
            for scale: Float in [1, -0.3] {
                let vector = GuardedBytes(base)
                try codec.decode(GuardedBytes(bytes: bytes), bytes.count, adding: scale, to: vector)
                #expect(vector.isUnharmed)
                for ((found, start), value) in zip(zip(vector.floats, base), decoded) {
                    let product = scale * value
                    #expect(abs(found - (start + product)) <= (abs(product) + abs(start + product)) * .ulpOfOne)
                }
            }
        }
    }

    /// Means and squared errors over many draws.
    private struct Draws {
        var means: [Double]
        var standardErrors: [Double]
        /// Of |Q(y) - y|^2.
        var squaredError = 0.0
        var squaredErrorStandardError = 0.0

        init(_ codec: any Codec, _ input: [Float], count draws: Int) throws {
            var sums = [Double](repeating: 0, count: input.count)
            var squares = sums
            var errors: [Double] = []
            var largest = 0.0
            for step in 0..<draws {
                let bytes = try codec.encoded(input, draw: CodecDraw(seed: 12, rank: 1, step: UInt64(step)))
                let values = try codec.decoded(bytes)
                var error = 0.0
                for i in input.indices {
                    // Of the errors, which are smaller than the values and so lose less.
                    let difference = Double(values[i]) - Double(input[i])
                    sums[i] += difference
                    squares[i] += difference * difference
                    error += difference * difference
                    largest = max(largest, abs(difference))
                }
                errors.append(error)
            }
            let n = Double(draws)
            means = zip(sums, input).map { $0 / n + Double($1) }
            // What is so rare that it was not drawn counts like four draws of the largest error: it fails to come eight times with a
            // probability of 3e-4, and 8 is then 4 standard errors.
            standardErrors = zip(squares, sums).map { max(0, $0 - $1 * $1 / n) + 4 * largest * largest }
                .map { $0.squareRoot() / n }
            let mean = errors.reduce(0, +) / n
            squaredError = mean
            squaredErrorStandardError =
                (errors.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1) / n).squareRoot()
        }
    }

    @Test(arguments: CodecSamples.names)
    func `over draws the unbiased give the vector, the biased do not, and bounds hold`(name: String) throws {
        let count = 36
        let codec = try CodecSamples.codec(name, count: count)
        var showsBias = false
        for input in CodecSamples.inputs(count: count) {
            let draws = try Draws(codec, input, count: 1_500)
            let largest = input.reduce(0) { max($0, abs($1)) }
            // What was not seen in the draws, or once, has no standard error of its own: as if it had been, once more.
            let unseen = CodecSamples.hasRareOutcomes(name) ? 2 * Double(largest) / 1_500 : 0
            for i in input.indices {
                let distance = abs(draws.means[i] - Double(input[i]))
                // Float32 arithmetic is off by a few units in the last place of the scale, whatever the draw.
                let isOff = distance > 4 * (draws.standardErrors[i] + unseen) + 2e-7 * Double(largest)
                if codec.isUnbiased { #expect(!isOff, "element \(i), \(input[i]): \(draws.means[i])") }
                showsBias = showsBias || isOff
            }
            let squaredNorm = input.reduce(0) { $0 + Double($1) * Double($1) }
            let slack = 4 * draws.squaredErrorStandardError + 1e-6 * squaredNorm
            for bound in [codec.errorBound(for: input.span), codec.relativeErrorBound.map { $0 * squaredNorm }] {
                if let bound { #expect(draws.squaredError <= bound + slack) }
            }
        }
        #expect(showsBias != codec.isUnbiased)
    }
}

/// A codec's calls on guarded memory.
extension Codec {
    func encode(_ vector: GuardedBytes, draw: CodecDraw, into message: GuardedBytes) throws -> Int {
        var bytes = MutableRawSpan(_unsafeStart: message.start, byteCount: message.byteCount)
        let values = vector.start.assumingMemoryBound(to: Float.self)
        return try encode(Span(_unsafeStart: values, count: vector.byteCount / 4), draw: draw, into: &bytes)
    }

    func decode(_ message: GuardedBytes, _ length: Int, into target: GuardedBytes) throws {
        let values = target.start.assumingMemoryBound(to: Float.self)
        var vector = MutableSpan(_unsafeStart: values, count: target.byteCount / 4)
        try decode(RawSpan(_unsafeStart: message.start, byteCount: length), into: &vector)
    }

    func decode(_ message: GuardedBytes, _ length: Int, adding scale: Float, to target: GuardedBytes) throws {
        let values = target.start.assumingMemoryBound(to: Float.self)
        var vector = MutableSpan(_unsafeStart: values, count: target.byteCount / 4)
        try decode(RawSpan(_unsafeStart: message.start, byteCount: length), adding: scale, to: &vector)
    }
}

/// The quotient, rounded up.
private func ceil(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }

/// The bytes of all buckets of `size` of d floats, where one of n floats takes `bytes(n)`.
private func buckets(_ count: Int, _ size: Int, bytes: (Int) -> Int) -> Int {
    count / size * bytes(size) + (count % size == 0 ? 0 : bytes(count % size))
}
