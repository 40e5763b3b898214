import Compression
import Platform
import Testing

@Suite struct TopKCodecTests {
    @Test func `a message is the number kept of each block, their places and their values, of equal ones the first`()
        throws
    {
        let codec = try TopKCodec(count: 4, kept: 2)
        let bytes = try codec.encoded([1, -5, 5, 5])
        #expect(
            bytes == [1, 11, 0, 0, 4, 0, 0, 0] + [2, 0, 0, 0] + [1, 0, 2, 0] + [0, 0, 0xA0, 0xC0, 0, 0, 0xA0, 0x40])
        #expect(try codec.decoded(bytes) == [0, -5, 5, 0])
    }

    @Test(arguments: [
        (1, 0.01, 1), (7, 0.01, 1), (100, 0.01, 1), (101, 0.01, 2), (10, 1.0, 10), (0, 0.5, 0), (100, 0.07, 7),
        (101, 0.07, 8),
    ])
    func `the number kept is the fraction rounded up, at least one`(count: Int, fraction: Double, kept: Int) throws {
        let codec = try TopKCodec(count: count, fraction: fraction)
        #expect(codec.kept == kept)
        #expect(codec.maximumEncodedBytes == 8 + (count > 0 ? 4 : 0) + 6 * kept)
    }

    @Test func `the error is that of what is dropped, below its bound`() throws {
        for input in CodecSamples.inputs(count: 500) {
            let codec = try TopKCodec(count: 500, fraction: 0.1)
            let decoded = try codec.decoded(codec.encoded(input))
            let kept = Set(input.indices.sorted { (abs(input[$0]), $1) > (abs(input[$1]), $0) }.prefix(50))
            #expect(decoded == input.indices.map { kept.contains($0) ? input[$0] : 0 })
            let squares = input.map { Double($0) * Double($0) }
            let error = squares.indices.reduce(0) { kept.contains($1) ? $0 : $0 + squares[$1] }
            #expect(error < codec.relativeErrorBound! * squares.reduce(0, +))
        }
    }

    @Test(arguments: [1, 20, 700])
    func `fused feedback leaves the sum with what was sent made zero`(count: Int) throws {
        let (input, residual) = (CodecSamples.inputs(count: count)[0], CodecSamples.inputs(count: count)[1])
        let codec = try TopKCodec(count: count, fraction: 0.1)
        let sum = zip(input, residual).map { $0.addingProduct($1, 0.5) }
        let found = try codec.fused(input, residual: residual, scale: 0.5)
        #expect(try found.bytes == codec.encoded(sum))
        #expect(try found.residual == zip(sum, codec.decoded(found.bytes)).map { $0 - $1 })
        var broken = input
        broken[0] = .nan
        #expect(throws: CodecError.self) { try codec.fused(broken, residual: residual, scale: 0.5) }
    }

    @Test func `places that do not rise, lie beyond the vector or are too many are refused`() throws {
        let codec = try TopKCodec(count: 20, kept: 3)
        let intact = try codec.encoded((0..<20).map { Float($0) })
        for (at, value) in [(8, UInt8(2)), (8, 4), (9, 1), (11, 0x80), (12, 18), (12, 19), (16, 20), (17, 1)] {
            var bytes = intact
            bytes[at] = value
            #expect(throws: CodecError.self, "byte \(at) set to \(value)") { try codec.decoded(bytes) }
        }
        #expect(try codec.decoded(intact)[17...] == [17, 18, 19])
    }
}
