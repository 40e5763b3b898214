import Compression
import Platform
import Testing

@Suite struct TernaryCodecTests {
    @Test func `a tiny vector, byte for byte`() throws {
        let codec = TernaryCodec(count: 9)
        let vector: [Float] = [-1.5, 1.5, 0, 0, 1.5, -1.5, 0, 1.5, 1.5]
        let bytes = try codec.encoded(vector)
        // 0, 2, 1, 1; 2, 0, 1, 2; 2, the first in the lowest bits.
        #expect(bytes == [1, 7, 0, 0, 9, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0xC0, 0x3F, 0b0101_1000, 0b1001_0010, 0b10])
        #expect(try codec.decoded(bytes) == vector)
        #expect(try codec.added(bytes, scale: 2, to: vector) == vector.map { 3 * $0 })
    }

    @Test(arguments: [0, 1, 7, 8, 9, 511, 512, 513, 1_500])
    func `the size is two bits a float and four bytes a bucket, and both instruction sets agree`(count: Int) throws {
        for bucket in [512, 16, 100, 0] {
            let codec = TernaryCodec(count: count, bucket: bucket, instructions: .baseline)
            let size = bucket == 0 ? max(1, count) : bucket
            let sizes = stride(from: 0, to: count, by: size).map { min(size, count - $0) }
            #expect(codec.maximumEncodedBytes == 12 + sizes.reduce(0) { $0 + 4 + ($1 + 3) / 4 })
            for input in CodecSamples.inputs(count: count) + CodecSamples.awkward(count: count) {
                let bytes = try codec.encoded(input)
                #expect(bytes.count == codec.maximumEncodedBytes)
                #expect(try TernaryCodec(count: count, bucket: bucket).encoded(input) == bytes)
                let decoded = try codec.decoded(bytes)
                for start in stride(from: 0, to: count, by: size) {
                    let range = start..<min(count, start + size)
                    let largest = range.reduce(0) { max($0, abs(input[$1])) }
                    for i in range {
                        #expect(decoded[i] == 0 || abs(decoded[i]) == largest)
                        #expect(decoded[i] * input[i] >= 0)
                        if abs(input[i]) == largest { #expect(decoded[i] == input[i]) }
                    }
                }
            }
        }
    }

    @Test func `the error is the sum of |x| (m - |x|), at most (sqrt(n) - 1) / 2 of the squares`() throws {
        // The vector on which the bound is reached: one 1 and fifteen 1 / (sqrt(16) + 1).
        let vector: [Float] = [1] + [Float](repeating: 0.2, count: 15)
        let codec = TernaryCodec(count: 16)
        let squares = vector.reduce(0) { $0 + Double($1) * Double($1) }
        #expect(codec.relativeErrorBound == 1.5)
        #expect(abs(codec.errorBound(for: vector.span)! / (1.5 * squares) - 1) < 1e-6)
        var error = 0.0
        for step in 0..<3_000 as Range<UInt64> {
            let decoded = try codec.decoded(codec.encoded(vector, draw: CodecDraw(seed: 4, step: step)))
            error += zip(decoded, vector).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) } / 3_000
        }
        #expect(abs(error / (1.5 * squares) - 1) < 0.05)
        #expect(TernaryCodec(count: 1).relativeErrorBound == 0 && TernaryCodec(count: 0).relativeErrorBound == 0)
        #expect(TernaryCodec(count: 1_000, bucket: 100).relativeErrorBound == 4.5)
    }

    @Test func `the code 3, a scale that is none and another bucket are refused`() throws {
        let codec = TernaryCodec(count: 600)
        let bytes = try codec.encoded([Float](repeating: 1, count: 600))
        for (at, value) in [(16, 0xC2), (143, 0x3A), (148, 0x0E), (19 - 4, 0x7F), (8, 1)] as [(Int, UInt8)] {
            var changed = bytes
            changed[at] = value
            if at == 15 { changed[14] = 0x80 }
            #expect(throws: CodecError.self, "byte \(at)") { try codec.decoded(changed) }
        }
        #expect(throws: InputError.self) { try CodecConfiguration(parsing: "ternary:bucket=0") }
    }
}
