import Compression
import Kernels
import Platform
import Testing

@Suite struct NaturalCodecTests {
    @Test func `a tiny vector, byte for byte`() throws {
        let codec = NaturalCodec(count: 9)
        let vector: [Float] = [1, -2, 0.5, 0, -0.0, 0x1p-126, -0x1p127, 4, -0.25]
        let bytes = try codec.encoded(vector)
        // The exponents in order, then the signs, the first lowest.
        let exponents: [UInt8] = [127, 128, 126, 0, 0, 1, 254, 129, 125]
        #expect(bytes == [1, 6, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0] + exponents + [0b0101_0010, 1])
        #expect(try codec.decoded(bytes).map(\.bitPattern) == vector.map(\.bitPattern))
        #expect(try codec.added(bytes, scale: 0.5, to: vector)[7] == 6)
    }

    @Test func `in a block exponents lie by lanes, four rows in a word, and signs after them`() throws {
        let vector = (0..<512).map {
            Float(sign: $0 % 3 == 0 ? .minus : .plus, exponent: $0 % 200 - 100, significand: 1)
        }
        let bytes = try NaturalCodec(count: 512).encoded(vector)
        #expect(bytes.count == 12 + 576)
        for i in 0..<512 {
            let (row, lane) = (i / 16, i % 16)
            #expect(Int(bytes[12 + row / 4 * 64 + lane * 4 + row % 4]) == i % 200 - 100 + 127)
            #expect(bytes[12 + 512 + lane * 4 + row / 8] >> UInt8(row % 8) & 1 == (i % 3 == 0 ? 1 : 0))
        }
    }

    @Test(arguments: [0, 1, 7, 8, 9, 511, 512, 513, 1_030])
    func `every float becomes a power of two next to it as its draw says, on either instruction set`(count: Int) throws
    {
        let draw = CodecDraw(seed: 5, rank: 1, step: 2)
        let bits = DrawBits(seed: 5, rank: 1, step: 2)
        let codec = NaturalCodec(count: count, instructions: .baseline)
        #expect(codec.maximumEncodedBytes == 12 + count + (count + 7) / 8)
        for input in CodecSamples.inputs(count: count) + [(0..<count).map { 1.5e38 + 1e36 * Float($0 % 150) }] {
            let bytes = try codec.encoded(input, draw: draw)
            #expect(bytes.count == codec.maximumEncodedBytes)
            #expect(try NaturalCodec(count: count).encoded(input, draw: draw) == bytes)
            let decoded = try codec.decoded(bytes)
            #expect(try NaturalCodec(count: count).decoded(bytes) == decoded)
            for i in 0..<count where input[i] != 0 {
                let below = input[i].binade
                let above = below.magnitude == 0x1p127 ? below / 0x1p127 * .greatestFiniteMagnitude : 2 * below
                // The probability of the upper one is the fraction: 23 random bits below it.
                let random = bits.block(UInt64(i / 4))[i % 4] >> 9
                let isAbove = random >= 1 << 23 - UInt32(input[i].significandBitPattern)
                #expect(decoded[i] == (isAbove ? above : below), "\(input[i])")
            }
        }
    }

    @Test func `denormals keep the bound, by themselves and beside floats up to 2^104`() throws {
        let codec = NaturalCodec(count: 600)
        var stream = RandomStream(seed: 9)
        let tiny = (0..<600).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: stream.next()) & 0x803F_FFFF) }
        let bytes = try codec.encoded(tiny)
        #expect(bytes[8] == 23)
        var mean = [Double](repeating: 0, count: 600)
        var error = 0.0
        let unit = Double(Float.leastNonzeroMagnitude)
        for step in 0..<500 as Range<UInt64> {
            for (i, value) in try codec.decoded(codec.encoded(tiny, draw: CodecDraw(seed: 1, step: step))).enumerated()
            {
                let difference = (Double(value) - Double(tiny[i])) / unit
                mean[i] += difference / 500
                error += difference * difference / 500
            }
        }
        let squares = tiny.reduce(0) { $0 + Double($1) / unit * Double($1) / unit }
        #expect(error <= 0.125 * squares && error > 0.05 * squares)
        let bias = mean.reduce(0) { $0 + $1 * $1 }
        #expect(abs(bias / (error / 500) - 1) < 0.3, "the squared bias is the variance of the mean")

        var vector = tiny
        vector[599] = 0x1p104
        #expect(try codec.decoded(codec.encoded(vector))[599] == 0x1p104)
        // Above, denormals become 0 or 2^-126.
        vector[599] = 0x1p105
        let rounded = try codec.decoded(codec.encoded(vector))
        #expect(rounded[599] == 0x1p105 && rounded[..<599].allSatisfy { $0 == 0 || abs($0) == 0x1p-126 })
    }

    @Test func `another setting and signs of no float are refused`() throws {
        let codec = NaturalCodec(count: 9)
        let bytes = try codec.encoded([Float](repeating: 1, count: 9))
        for (at, value) in [(2, 1), (8, 22), (11, 1), (22, 2), (22, 0x80)] as [(Int, UInt8)] {
            var changed = bytes
            changed[at] = value
            #expect(throws: CodecError.self, "byte \(at)") { try codec.decoded(changed) }
        }
        #expect(throws: InputError.self) { try CodecConfiguration(parsing: "natural:bits=9") }
    }
}
