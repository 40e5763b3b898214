import Compression
import Kernels
import Platform
import Testing

@Suite struct HalfCodecTests {
    /// Around every edge of the two formats, and noise.
    private static let values: [Float] =
        [
            0, -0.0, 1, -1, 1.5, 1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-11, 1 + 0x3p-11, 1 + 0x1.2p-11, 0x1p-14, 0x1.fffp-15,
            0x1p-24, 0x1p-25, 0x1.8p-25, 0x3p-25, -0x1.9p-26, 65_504, -65_504, 60_001, 0x1p-126, 0x1p-133, 0x1p-134,
            0x1.8p-134, 0x1p-149,
        ] + (0..<80).map { CodecSamples.heavyTailed($0) }

    @Test func `bytes of small vectors`() throws {
        let header: (UInt8) -> [UInt8] = { [1, $0, 0, 0, 3, 0, 0, 0] }
        #expect(
            try HalfCodec(.bf16, count: 3).encoded([1, -2.5, 1 + 0x3p-8])
                == header(2) + [0x80, 0x3F, 0x20, 0xC0, 0x82, 0x3F])
        #expect(
            try HalfCodec(.fp16, count: 3).encoded([1, -2.5, 0x1p-24])
                == header(1) + [0, 0] + [0x00, 0x3C, 0x00, 0xC1, 0x01, 0x00])
        // 2^20 needs an exponent of 5, with which it is 2^15.
        #expect(
            try HalfCodec(.fp16, count: 3).encoded([0x1p20, 32, -65_504])
                == header(1) + [5, 0] + [0x00, 0x78, 0x00, 0x3C, 0xFF, 0xE7])
    }

    @Test func `to the nearest, ties go to even`() throws { try checkNearest(.baseline) }

    @Test(.enabled(if: InstructionSet.avx512.isAvailable, "no AVX-512 here"))
    func `with AVX-512, too, ties go to even`() throws { try checkNearest(.avx512) }

    private func checkNearest(_ instructions: InstructionSet) throws {
        let bf16 = HalfCodec(.bf16, count: Self.values.count, instructions: instructions)
        let fp16 = HalfCodec(.fp16, count: Self.values.count, instructions: instructions)
        let plainBF16 = Self.values.map { x in
            let bits = x.bitPattern
            let (down, rest) = (bits & 0xFFFF_0000, bits & 0xFFFF)
            let up = rest > 0x8000 || rest == 0x8000 && bits >> 16 & 1 == 1
            return Float(bitPattern: up ? down + 0x1_0000 : down)
        }
        #expect(try bf16.decoded(bf16.encoded(Self.values)).map(\.bitPattern) == plainBF16.map(\.bitPattern))
        #if !arch(x86_64) || os(Linux)
            let plainFP16 = Self.values.map { Float(Float16($0)) }
            #expect(try fp16.decoded(fp16.encoded(Self.values)).map(\.bitPattern) == plainFP16.map(\.bitPattern))
        #endif
    }

    @Test(.enabled(if: InstructionSet.avx512.isAvailable, "no AVX-512 here"), arguments: [HalfFormat.bf16, .fp16])
    func `stochastic rounding draws the same with AVX-512`(format: HalfFormat) throws {
        let codecs = [InstructionSet.baseline, .avx512].map {
            HalfCodec(format, count: Self.values.count, rounding: .stochastic, instructions: $0)
        }
        for step in 0..<20 {
            let bytes = try codecs.map { try $0.encoded(Self.values, draw: CodecDraw(seed: 5, step: UInt64(step))) }
            #expect(bytes[0] == bytes[1])
            #expect(try codecs[0].decoded(bytes[0]) == codecs[1].decoded(bytes[0]))
        }
    }

    @Test(arguments: [HalfFormat.bf16, .fp16])
    func `stochastic rounding takes one of the two neighbours`(format: HalfFormat)
        throws
    {
        let count = Self.values.count
        let largest = format == .bf16 ? Float(bitPattern: 0x7F7F_0000) : 65_504
        for step in 0..<20 {
            let draw = CodecDraw(seed: 5, step: UInt64(step))
            let codec = HalfCodec(format, count: count, rounding: .stochastic, instructions: .baseline)
            let bytes = try codec.encoded(Self.values, draw: draw)
            for (x, y) in zip(Self.values, try codec.decoded(bytes)) {
                let unit = format == .bf16 ? 0x1p-133 : 0x1p-24
                let exponent = x == 0 ? -200 : Int(abs(Double(x)).exponent)
                let spacing = max(unit, Double(sign: .plus, exponent: exponent - format.fractionBits, significand: 1))
                #expect(abs(Double(x) - Double(y)) < spacing && abs(y) <= largest, "\(x) became \(y)")
            }
        }
    }

    @Test(arguments: [HalfFormat.bf16, .fp16], [Rounding.nearest, .stochastic])
    func `large floats share an exponent, and the largest of float32 are cut off`(
        format: HalfFormat, rounding: Rounding
    )
        throws
    {
        for (largest, count) in [(Float(65_504.1), 5), (65_519.9, 40), (65_520, 70), (1e9, 33), (0x1.ff8p127, 33)] {
            let input = (0..<count).map { $0 == count / 2 ? -largest : largest / Float($0 + 1) }
            let codec = HalfCodec(format, count: count, rounding: rounding)
            for (x, y) in zip(input, try codec.decoded(codec.encoded(input))) {
                #expect(abs(y - x) <= abs(x) * 0x1p-7 && y.isFinite, "\(x) became \(y)")
            }
        }
        let codec = HalfCodec(format, count: 2, rounding: rounding)
        let decoded = try codec.decoded(codec.encoded([.greatestFiniteMagnitude, -.greatestFiniteMagnitude]))
        #expect(decoded.allSatisfy { abs($0) > 3.38e38 && $0.isFinite } && decoded[1] < 0)
    }

    @Test func `halves that are not finite and exponents that no encoder writes are refused with their place`() throws {
        let input = (0..<40).map { Float($0) }
        for format in [HalfFormat.bf16, .fp16] {
            let codec = HalfCodec(format, count: 40)
            let bytes = try codec.encoded(input)
            for index in [0, 20, 39] {
                let at = bytes.count - 80 + 2 * index
                var changed = bytes
                (changed[at], changed[at + 1]) = (0x80, 0xFF)
                let error = #expect(throws: CodecError.self) { try codec.decoded(changed) }
                guard case .corrupt(byte: at, _, _) = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
            }
        }
        var bytes = try HalfCodec(.fp16, count: 1).encoded([1])
        bytes[8] = 113
        #expect(throws: CodecError.self) { try HalfCodec(.fp16, count: 1).decoded(bytes) }
    }
}
