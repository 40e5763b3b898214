import Compression
import Kernels
import Testing

@Suite struct NonzerosCodecTests {
    @Test func `what is not zero travels with its place where that is shorter, else everything`() throws {
        let codec = try NonzerosCodec(count: 8)
        let sparse = try codec.encoded([0, -5, 0, -0.0, 0, 0, 0, 2])
        #expect(
            sparse == [1, 16, 0, 0, 8, 0, 0, 0] + [2, 0, 0, 0] + [1, 0, 7, 0] + [0, 0, 0xA0, 0xC0, 0, 0, 0, 0x40])
        #expect(try codec.decoded(sparse) == [0, -5, 0, 0, 0, 0, 0, 2])
        #expect(try codec.added(sparse, scale: 0.5, to: [1, 1, 1, 1, 1, 1, 1, 1]) == [1, -1.5, 1, 1, 1, 1, 1, 2])

        // 4 + 6 * 4 < 4 * 8 <= 4 + 6 * 5
        #expect(try codec.encoded([1, 1, 1, 1, 0, 0, 0, 0]).count == 8 + 4 + 6 * 4)
        let dense = try codec.encoded([1, 1, 1, 1, 1, 0, 0, 0])
        #expect(dense.count == 8 + 4 * 8 && dense[2] == 1 && dense.count == codec.maximumEncodedBytes)
        #expect(try codec.decoded(dense) == [1, 1, 1, 1, 1, 0, 0, 0])
        #expect(!codec.hasFixedSize && codec.isUnbiased && codec.relativeErrorBound == 0)
    }

    @Test(arguments: [1, 2, 9, 31, 33, 4_095, 4_097, 70_000])
    func `any share of zeros comes out as it went in, in the shorter form`(count: Int) throws {
        let codec = try NonzerosCodec(count: count)
        var stream = RandomStream(seed: 4, rank: UInt32(count))
        for share: Float in [0, 0.001, 0.3, 0.6, 0.66, 0.67, 0.7, 1] {
            let input = (0..<count).map { _ in
                stream.nextUnitFloat() < share ? stream.nextUnitFloat() - 0.5 : 0
            }
            let bytes = try codec.encoded(input)
            let kept = input.count { $0 != 0 }
            #expect(bytes.count == 8 + min(4 * count, 4 * ((count + 65_535) / 65_536) + 6 * kept))
            #expect(try codec.decoded(bytes) == input)
        }
    }

    @Test func `denormals are not zero, and a message in the longer form is refused`() throws {
        let codec = try NonzerosCodec(count: 100)
        var input = [Float](repeating: 0, count: 100)
        input[99] = -.leastNonzeroMagnitude
        #expect(try codec.decoded(codec.encoded(input)) == input)
        let places: [UInt8] = [66, 0, 0, 0] + (0..<66).flatMap { [UInt8($0), 0] }
        let long = [1, 16, 0, 0, 100, 0, 0, 0] + places + [UInt8](repeating: 0, count: 4 * 66)
        #expect(throws: CodecError.wrongLength(found: 408, expected: 407)) { try codec.decoded(long) }
    }
}
