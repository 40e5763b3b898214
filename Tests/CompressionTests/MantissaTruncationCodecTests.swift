import Compression
import Testing

@Suite struct MantissaTruncationCodecTests {
    /// The book's number, 0x3F9E0610.
    @Test(arguments: [(4, 1.23456), (19, 1.1875), (0, 1.23456), (23, 1), (31, 0)] as [(Int, Float)])
    func `the low bits are cleared`(droppedBits: Int, expected: Float) throws {
        let codec = MantissaTruncationCodec(count: 1, droppedBits: droppedBits)
        #expect(try codec.decoded(codec.encoded([1.23456])) == [expected])
        #expect(try codec.decoded(codec.encoded([-1.23456])) == [-expected])
    }

    @Test func `bytes of a small vector`() throws {
        // 13 bits travel: 0x3F9E0 and 0xC0000 without their last 7, 0x07F3 and 0x1800.
        let codec = MantissaTruncationCodec(count: 2, droppedBits: 19)
        #expect(
            try codec.encoded([1.23456, -2])
                == [1, 3, 19, 0, 2, 0, 0, 0] + [0xF3, 0x07, 0x00, 0x03])
    }

    @Test func `every number of bits gives the floats without the rest, in as many bytes as stated`() throws {
        for droppedBits in 0...31 {
            for count in [0, 1, 15, 16, 17, 511, 512, 1_060] {
                let input = (0..<count).map { CodecSamples.heavyTailed($0) }
                let codec = MantissaTruncationCodec(count: count, droppedBits: droppedBits)
                let bytes = try codec.encoded(input)
                #expect(bytes.count == 8 + ((32 - droppedBits) * count + 7) / 8)
                let expected = input.map { $0.bitPattern & ~(1 << UInt32(droppedBits) - 1) }
                #expect(try codec.decoded(bytes).map(\.bitPattern) == expected, "\(droppedBits) of \(count)")
            }
        }
    }

    @Test func `sixteen bits lie lane by lane`() throws {
        let codec = MantissaTruncationCodec(count: 33, droppedBits: 16)
        let bytes = try codec.encoded((0..<33).map { Float(bitPattern: UInt32($0 + 1) << 16) })
        for i in 0..<33 {
            let at = 8 + (i < 32 ? i % 16 * 4 + i / 16 * 2 : 64)
            #expect(bytes[at] == UInt8(i + 1) && bytes[at + 1] == 0)
        }
    }
}
