import Compression
import Kernels
import Platform
import Testing

@Suite struct SignCodecTests {
    @Test func `a bucket is its mean magnitude and a bit for each element, zeros of either sign counting as positive`()
        throws
    {
        let codec = SignCodec(count: 10, bucket: 8)
        let bytes = try codec.encoded([1, -2, 3, -0.0, 0, -1, 1, 0, 4, -4])
        #expect(
            bytes == [1, 8, 1, 0, 10, 0, 0, 0] + [0, 0, 0x80, 0x3F, 0b10_0010] + [0, 0, 0x80, 0x40, 0b10])
        #expect(try codec.decoded(bytes) == [1, -1, 1, 1, 1, -1, 1, 1, 4, -4])
    }

    @Test func `with the l2 norm the error grows with the bucket, with l1 it never reaches the vector's own square`()
        throws
    {
        let input = CodecSamples.inputs(count: 300)[1]
        let square = input.reduce(0) { $0 + Double($1) * Double($1) }
        func alpha(_ codec: SignCodec) throws -> Double {
            let values = try codec.decoded(codec.encoded(input))
            return zip(values, input).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) } / square
        }
        for bucket in [8, 64, nil] {
            let found = try alpha(SignCodec(count: 300, bucket: bucket))
            #expect(found < 1 - 1 / Double(bucket ?? 300))
            #expect(try alpha(SignCodec(count: 300, bucket: bucket, norm: .l2)) > 4 * found)
        }
    }

    @Test func `a mean whose sum overflows is right, and an l2 norm beyond the largest float becomes that`() throws {
        let large = [Float](repeating: -3e38, count: 600)
        for bucket in [512, nil] {
            let codec = SignCodec(count: 600, bucket: bucket)
            #expect(try codec.decoded(codec.encoded(large)) == large)
        }
        let codec = SignCodec(count: 600, norm: .l2)
        #expect(try codec.decoded(codec.encoded(large))[599] == -.greatestFiniteMagnitude)
    }

    @Test(
        .enabled(if: InstructionSet.avx512.isAvailable, "no AVX-512 here"),
        arguments: [0, 1, 31, 32, 63, 64, 65, 513, 1_111])
    func `both instruction sets write the same bytes and decode them alike, with and without feedback`(count: Int)
        throws
    {
        for (bucket, norm) in [(64, SignCodec.Norm.l1), (nil, .l1), (512, .l2)] {
            let codecs = [InstructionSet.baseline, .avx512].map {
                SignCodec(count: count, bucket: bucket, norm: norm, instructions: $0)
            }
            for input in CodecSamples.inputs(count: count) + CodecSamples.awkward(count: count) {
                let bytes = try codecs.map { try $0.encoded(input) }
                #expect(bytes[0] == bytes[1])
                #expect(try codecs[0].decoded(bytes[0]) == codecs[1].decoded(bytes[0]))
                let sums = try codecs.map { try $0.added(bytes[0], scale: 0.3, to: input) }
                #expect(sums[0] == sums[1])
                let fused = try codecs.map { try $0.fused(input, residual: input, scale: 0.5) }
                #expect(fused[0] == fused[1])
            }
        }
    }

    @Test(arguments: [1, 20, 64, 700])
    func `fused feedback encodes the vector and the scaled residual, and leaves what was lost`(count: Int) throws {
        let (input, residual) = (CodecSamples.inputs(count: count)[0], CodecSamples.inputs(count: count)[2])
        for (bucket, norm) in [(64, SignCodec.Norm.l1), (nil, .l2)] {
            let codec = SignCodec(count: count, bucket: bucket, norm: norm)
            let sum = zip(input, residual).map { $0.addingProduct($1, 0.5) }
            let found = try codec.fused(input, residual: residual, scale: 0.5)
            #expect(try found.bytes == codec.encoded(sum))
            #expect(try found.residual == zip(sum, codec.decoded(found.bytes)).map { $0 - $1 })
            var broken = input
            broken[count - 1] = .infinity
            #expect(throws: CodecError.notFinite(index: count - 1, value: .infinity)) {
                try codec.fused(broken, residual: residual, scale: 0.5)
            }
        }
    }
}
