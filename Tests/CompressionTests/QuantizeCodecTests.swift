import Compression
import Kernels
import Platform
import Testing

@Suite struct QuantizeCodecTests {
    /// The book's example: 2 bits from -0.5 to 1.3, so the knobs are -0.5, 0.1, 0.7 and 1.3.
    @Test func `a float between two knobs goes to the upper one as often as its place between them says`() throws {
        let draws = 1_000_000
        var input = [Float](repeating: 0.3, count: draws + 2)
        input[0] = -0.5
        input[draws + 1] = 1.3
        let codec = QuantizeCodec(count: draws + 2, bits: 2, bucket: 0)
        var decoded = try codec.decoded(codec.encoded(input))
        #expect(decoded.first == -0.5 && abs(decoded.removeLast() - 1.3) < 1e-6)
        decoded.removeFirst()
        let upper = decoded.count { $0 > 0.5 }
        #expect(decoded.allSatisfy { abs($0 - ($0 > 0.5 ? 0.7 : 0.1)) < 1e-6 })
        let third = 1.0 / 3
        #expect(
            abs(Double(upper) / Double(draws) - third) < 4 * (third * (1 - third) / Double(draws)).squareRoot())
    }

    @Test func `bytes of a small vector`() throws {
        // Low 0 and step 1, whose codes are 0, 1, 3, 2, 3 and then nothing.
        let codec = QuantizeCodec(count: 5, bits: 2, rounding: .nearest)
        #expect(
            try codec.encoded([0, 1.4, 3, 1.6, 2.5])
                == [1, 4, 2, 0, 5, 0, 0, 0] + [0, 2, 0, 0] + [0, 0, 0, 0] + [0, 0, 0x80, 0x3F] + [0b10_11_01_00, 0b11])
    }

    @Test func `the bytes are those of the plain description`() throws { try checkBytes(.baseline) }

    @Test(.enabled(if: InstructionSet.avx512.isAvailable, "no AVX-512 here"))
    func `with AVX-512, too, the bytes are those of the plain description`() throws { try checkBytes(.avx512) }

    private func checkBytes(_ instructions: InstructionSet) throws {
        for bits in 1...16 {
            for (count, bucket) in [
                (0, 0), (1, 512), (70, 0), (513, 512), (1_100, 513), (1_030, 64), (130, 1), (4_200, 0),
            ] {
                let input = (0..<count).map { i in CodecSamples.heavyTailed(i) }
                for rounding in [Rounding.stochastic, .nearest] {
                    let codec = QuantizeCodec(
                        count: count, bits: bits, bucket: bucket, rounding: rounding, instructions: instructions)
                    let draw = CodecDraw(seed: 9, rank: 3, step: 1 << 33)
                    let bytes = try codec.encoded(input, draw: draw)
                    let plain = PlainQuantizer(codec, draw)
                    #expect(Array(bytes.dropFirst(12)) == plain.encoded(input), "\(bits) bits, \(count), \(bucket)")
                    #expect(try codec.decoded(bytes) == plain.decoded(input), "\(bits) bits, \(count), \(bucket)")
                    #expect(codec.maximumEncodedBytes == bytes.count)
                }
            }
        }
    }

    @Test func `a NaN is refused wherever the smallest float is`() throws { try checkNaN(.baseline) }

    @Test(.enabled(if: InstructionSet.avx512.isAvailable, "no AVX-512 here"))
    func `with AVX-512, too, a NaN is refused wherever the smallest float is`() throws { try checkNaN(.avx512) }

    /// A lane that a NaN spoils must not hide the smallest float, to which all others are at a distance of zero or more.
    private func checkNaN(_ instructions: InstructionSet) throws {
        let codec = QuantizeCodec(count: 16, bucket: 0, instructions: instructions)
        for bad in 0..<16 {
            for smallest in 0..<16 where smallest != bad {
                var input = (1...16).map { Float($0) }
                input[bad] = .nan
                input[smallest] = -1
                let error = #expect(throws: CodecError.self) { try codec.encoded(input) }
                guard case .notFinite(bad, _) = error else {
                    Issue.record("\(bad), \(smallest): \(String(describing: error))")
                    continue
                }
            }
        }
    }

    /// Ranges that overflow or vanish in float arithmetic.
    @Test(arguments: [1, 2, 7, 8, 11, 16])
    func `no range is too wide or too narrow`(bits: Int) throws {
        let vectors: [[Float]] = [
            [-3e38, 1e38, 3e38, 0, 2.9e38], [-.greatestFiniteMagnitude, .greatestFiniteMagnitude, 1],
            [1, .greatestFiniteMagnitude, 3e38], [-1e38, .greatestFiniteMagnitude, 3e38],
            [0, 1, 2, 7, 714].map { $0 * .leastNonzeroMagnitude },
            [-7_136, 7_136_238, 2_141].map { $0 * .leastNonzeroMagnitude }, [5, 5.0000005, 5],
            [1e30, 1e-30, 0, -1e-30],
            [-7, -7, -7], [0x1p-101, 0x1p-102, 0x1.8p-102], [0x1p-99, 0x1p-102, 0x1.8p-102], [0x1p-89, 0, 0x1.8p-92],
        ]
        for short in vectors {
            // Long enough for whole units, too.
            for vector in [short, (0..<1_024).map { short[$0 * 7 % short.count] }] {
                let codec = QuantizeCodec(count: vector.count, bits: bits, bucket: 0, rounding: .nearest)
                let decoded = try codec.decoded(codec.encoded(vector))
                let (low, high) = (Double(vector.min()!), Double(vector.max()!))
                let step = (high - low) / Double(1 << bits - 1)
                // A step cannot be smaller than the smallest float.
                let bound = max(step, 0x1p-149) * 0.501 + max(abs(low), abs(high)) * 0x1p-22
                for (x, y) in zip(vector, decoded) {
                    #expect(abs(Double(x) - Double(y)) <= bound, "\(bits) bits: \(x) became \(y) of \(short)")
                }
            }
        }
    }

    @Test func `what does not finish a step in float still has the right mean`() throws {
        // The step is 4 of the smallest floats, although the range is not a multiple of it.
        let vector = [0, 1_000, 333, 126, 7].map { Float($0) * .leastNonzeroMagnitude }
        let codec = QuantizeCodec(count: 5, bits: 8, bucket: 0)
        var sums = [Double](repeating: 0, count: 5)
        let draws = 2_000
        for step in 0..<draws {
            let decoded = try codec.decoded(codec.encoded(vector, draw: CodecDraw(seed: 2, step: UInt64(step))))
            for i in 0..<5 { sums[i] += Double(decoded[i]) * 0x1p149 }
        }
        for (sum, x) in zip(sums, vector) {
            let standardError = 2 / Double(draws).squareRoot()
            #expect(abs(sum / Double(draws) - Double(x) * 0x1p149) <= 4 * standardError)
        }
    }

    @Test(arguments: [8, 4, 2, 1, 5])
    func `feedback leaves exactly what decoding does not give back`(bits: Int) throws {
        try checkFeedback(bits: bits, .baseline)
    }

    @Test(.enabled(if: InstructionSet.avx512.isAvailable, "no AVX-512 here"), arguments: [8, 4, 2, 1, 5])
    func `with AVX-512, too, feedback leaves exactly what decoding does not give back`(bits: Int) throws {
        try checkFeedback(bits: bits, .avx512)
    }

    private func checkFeedback(bits: Int, _ instructions: InstructionSet) throws {
        let count = 1_100
        let gradient = (0..<count).map { CodecSamples.heavyTailed($0) }
        let start = (0..<count).map { CodecSamples.heavyTailed($0 + 7_000) }
        let expected = zip(gradient, start).map { $0.addingProduct(0.75, $1) }
        let codec = QuantizeCodec(count: count, bits: bits, instructions: instructions)
        var residual = start
        var bytes = [UInt8](repeating: 0, count: codec.maximumEncodedBytes)
        var space = bytes.mutableSpan
        var message = space.mutableBytes
        var span = residual.mutableSpan
        let length = try codec.encode(
            gradient.span, feedback: &span, scale: 0.75, draw: CodecDraw(seed: 4), into: &message)
        #expect(length == bytes.count)
        #expect(try bytes == codec.encoded(expected, draw: CodecDraw(seed: 4)))
        #expect(residual == zip(expected, try codec.decoded(bytes)).map { $0 - $1 })
    }

    @Test func `buckets and bits of another codec are refused, and so are steps that no encoder writes`() throws {
        let input = (0..<40).map { Float($0) }
        let codec = QuantizeCodec(count: 40, bits: 5, bucket: 40)
        let bytes = try codec.encoded(input)
        for other in [QuantizeCodec(count: 40, bits: 5, bucket: 0), QuantizeCodec(count: 40, bits: 4, bucket: 40)] {
            #expect(throws: CodecError.self) { try other.decoded(bytes) }
        }
        for (at, value) in [(12, Float.nan), (12, -.infinity), (16, .infinity), (16, -1), (16, .nan), (16, 1e38)] {
            var changed = bytes
            withUnsafeBytes(of: value.bitPattern.littleEndian) { changed.replaceSubrange(at..<at + 4, with: $0) }
            let error = #expect(throws: CodecError.self) { try codec.decoded(changed) }
            guard case .corrupt(byte: 12, _, _) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
    }
}

/// What the documentation of `Quantizer` says, one code after the other.
private struct PlainQuantizer {
    let bits: Int
    let bucket: Int
    let draws: DrawBits?

    init(_ codec: QuantizeCodec, _ draw: CodecDraw) {
        bits = codec.bits
        bucket = codec.bucket == 0 ? max(1, codec.count) : codec.bucket
        draws = codec.rounding == .nearest ? nil : DrawBits(seed: draw.seed, rank: draw.rank, step: draw.step)
    }

    private func buckets(_ input: [Float]) -> [(low: Float, step: Float, codes: [UInt32])] {
        let levels = Float(1 << bits - 1)
        let unit = Float(1 << (bits == 16 ? 15 : 16))
        return stride(from: 0, to: input.count, by: bucket).enumerated().map { number, start in
            let values = input[start..<min(input.count, start + bucket)]
            let (low, high) = (values.min()!, values.max()!)
            var factor = high > low ? levels * unit / (high - low) : 0
            if (high - low) * factor > levels * unit { factor = factor.nextDown }
            let codes = values.enumerated().map { i, value in
                let (row, lane) = (i / 16, i % 16)
                let block = number * 4 * ((bucket + 31) / 32) + 4 * (row / 2) + lane / 4
                let word = draws?.block(UInt64(block))[lane % 4] ?? 0x8000_8000
                let half = draws == nil ? 0x8000 : row % 2 == 0 ? word >> 16 : word & 0xFFFF
                let dither = bits < 16 ? half : row % 2 == 0 || draws == nil ? half >> 1 : half & 0x7FFF
                let place = ((value - low) * factor).rounded(.toNearestOrEven)
                return (UInt32(place) + dither) / UInt32(unit)
            }
            return (low, bits == 1 ? high : (high - low) / levels, codes)
        }
    }

    func encoded(_ input: [Float]) -> [UInt8] {
        buckets(input).flatMap { low, step, codes in
            let unit = 512 >> min(5, bits.trailingZeroBitCount)
            let inUnits = codes.count / unit * unit
            var string = [Bool](repeating: false, count: (bits * codes.count + 7) / 8 * 8)
            for (i, code) in codes.enumerated() {
                for bit in 0..<bits where code >> UInt32(bit) & 1 == 1 {
                    if i < inUnits {
                        let (unitIndex, row, lane) = (i / unit, i % unit / 16, i % 16)
                        let inLane = row * bits + bit
                        string[unitIndex * unit * bits + inLane / 32 * 512 + lane * 32 + inLane % 32] = true
                    } else {
                        string[bits * i + bit] = true
                    }
                }
            }
            let header = [low, step].flatMap { value in
                (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
            }
            return header
                + stride(from: 0, to: string.count, by: 8).map { at in
                    (0..<8).reduce(0) { $0 | (string[at + $1] ? 1 << UInt8($1) : 0) }
                }
        }
    }

    func decoded(_ input: [Float]) -> [Float] {
        buckets(input).flatMap { low, step, codes in
            codes.map { bits == 1 ? ($0 == 0 ? low : step) : low.addingProduct(Float($0), step) }
        }
    }
}
