import Kernels
import Testing

@Suite struct EliasCodeTests {
    /// Writes numbers and single bits, and returns the bytes.
    private func written(_ numbers: [UInt64]) -> [UInt8] {
        withUnsafeTemporaryAllocation(byteCount: 8 * numbers.count + 8, alignment: 8) { space in
            var writer = BitWriter(to: space.baseAddress!)
            for n in numbers { writer.appendElias(n) }
            let end = writer.finish()
            return Array(space[..<(end - space.baseAddress!)])
        }
    }

    @Test func `codes are those of Elias's omega code`() {
        let codes: [(UInt64, String)] = [
            (1, "0"), (2, "100"), (3, "110"), (4, "101000"), (7, "101110"), (8, "1110000"), (15, "1111110"),
            (16, "10100100000"), (100, "1011011001000"), (1_000, "11100111111010000"),
        ]
        for (n, expected) in codes {
            let (bits, length) = EliasCode.code(of: n)
            let digits = String(bits, radix: 2)
            #expect(String(repeating: "0", count: length - digits.count) + digits == expected)
            #expect(EliasCode.length(of: n) == expected.count)
        }
        // 0 100 110 101000 and filling: 01001101 01000000.
        #expect(written([1, 2, 3, 4]) == [0x4D, 0x40])
        #expect(EliasCode.length(of: EliasCode.largest) == 46)
    }

    @Test func `what is written is read again, up to the last bit and not beyond the limit`() {
        var stream = RandomStream(seed: 1)
        var numbers = (0..<400).map { _ in stream.next() >> (31 + stream.next(upperBound: 33)) + 1 }
        numbers += [EliasCode.largest, EliasCode.largest - 1, 1, EliasCode.largest]
        let bytes = written(numbers)
        bytes.withUnsafeBytes { bytes in
            var reader = BitReader(from: bytes.baseAddress!, byteCount: bytes.count)
            for n in numbers { #expect(reader.elias(upTo: EliasCode.largest) == n) }
            #expect(reader.isAtEnd())
            var strict = BitReader(from: bytes.baseAddress!, byteCount: bytes.count)
            #expect(strict.elias(upTo: numbers[0] - 1) == nil)
        }
    }

    @Test func `any bytes are read to their end and no further`() {
        var stream = RandomStream(seed: 2)
        for round in 0..<2_000 {
            let length = round % 20
            // A byte of ones lies behind the end: whoever reads it reads on.
            var bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: stream.next()) } + [0xFF]
            if round % 3 == 0 { for i in 0..<length { bytes[i] |= 0xE0 } }
            bytes.withUnsafeBytes { bytes in
                var reader = BitReader(from: bytes.baseAddress!, byteCount: length)
                while let n = reader.elias(upTo: EliasCode.largest) {
                    #expect(n >= 1 && n <= EliasCode.largest)
                    _ = reader.bit()
                }
                #expect(reader.position <= 8 * length)
            }
        }
        let nothing = [UInt8](repeating: 0, count: 2)
        nothing.withUnsafeBytes { bytes in
            var reader = BitReader(from: bytes.baseAddress!, byteCount: 2)
            #expect(!reader.isAtEnd())
            for _ in 0..<9 { #expect(reader.bit() == 0) }
            #expect(reader.isAtEnd())
            for _ in 0..<7 { #expect(reader.elias(upTo: 1) == 1) }
            let (bit, number) = (reader.bit(), reader.elias(upTo: 1))
            #expect(bit == nil && number == nil && reader.isAtEnd())
        }
    }
}
