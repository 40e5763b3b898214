import Compression
import Platform
import Testing

@Suite struct ThresholdCodecTests {
    @Test func `what reaches the threshold is kept, and the message is as long as that takes`() throws {
        let codec = try ThresholdCodec(count: 5, threshold: .magnitude(2))
        let bytes = try codec.encoded([1, -5, 2, 1.9, -0.0])
        #expect(
            bytes == [1, 12, 0, 0, 5, 0, 0, 0] + [2, 0, 0, 0] + [1, 0, 2, 0] + [0, 0, 0xA0, 0xC0, 0, 0, 0, 0x40])
        #expect(try codec.decoded(bytes) == [0, -5, 2, 0, 0])
        #expect(codec.maximumEncodedBytes == 8 + 4 + 6 * 5 && !codec.hasFixedSize)
        #expect(codec.errorBound(for: [1, -5, 2, 1.9, 0]) == 1 + Double(Float(1.9)) * Double(Float(1.9)))
    }

    @Test func `a multiple of the root mean square follows the vector's size, and zeros are never kept`() throws {
        let codec = try ThresholdCodec(count: 4, threshold: .rootMeanSquares(1))
        for scale: Float in [1, 1e30, 1e-38] {
            let input = [1, -2, 3, 0.5].map { scale * $0 }
            #expect(try codec.decoded(codec.encoded(input)) == [0, input[1], input[2], 0])
        }
        #expect(try codec.encoded([0, -0.0, 0, 0]).count == 12)
        #expect(codec.relativeErrorBound == 1)
        #expect(try ThresholdCodec(count: 4, threshold: .rootMeanSquares(0.5)).relativeErrorBound == 0.25)
    }

    @Test func `the smallest and the largest threshold there are mean themselves, and nothing beyond is one`() throws {
        for value in [Float.leastNonzeroMagnitude, .greatestFiniteMagnitude] {
            let codec = try CodecSamples.codec("threshold:value=\(value)", count: 3)
            #expect(codec.name == "threshold:value=\(value)")
            #expect(try codec.decoded(codec.encoded([0, value, -value])) == [0, value, -value])
        }
        for text in ["1e-60", "1e39", "0", "-1", "nan", "inf"] {
            #expect(throws: InputError.self) { try CodecSamples.codec("threshold:value=\(text)", count: 3) }
        }
    }
}

extension Codec {
    fileprivate func errorBound(for vector: [Float]) -> Double? { errorBound(for: vector.span) }
}
