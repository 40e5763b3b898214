import Compression
import Platform
import Testing

@Suite struct CompositionCodecTests {
    @Test func `a message is both headers, the places and the second codec's message`() throws {
        let codec = try CodecSamples.codec("top-k:k=2+sign", count: 4)
        let bytes = try codec.encoded([1, -5, 3, 0])
        #expect(
            bytes == [1, 15, 11, 8, 4, 0, 0, 0] + [1, 11, 0, 0, 4, 0, 0, 0] + [2, 0, 0, 0] + [1, 0, 2, 0]
                + [1, 8, 64, 0, 2, 0, 0, 0] + [0, 0, 0x80, 0x40, 0b01])
        #expect(try codec.decoded(bytes) == [0, -4, 4, 0])
        #expect(codec.hasFixedSize && !codec.isUnbiased)
    }

    @Test func `a first codec that keeps a varying number makes the second follow`() throws {
        let codec = try CodecSamples.codec("threshold:value=1+sign:bucket=8", count: 40)
        #expect(!codec.hasFixedSize && codec.maximumEncodedBytes == 16 + 4 + 2 * 40 + 8 + 5 * 4 + 5)
        for kept in [40, 0, 9, 1, 40] {
            let input = (0..<40).map { $0 < kept ? Float(-2) : 0.5 }
            let bytes = try codec.encoded(input)
            #expect(bytes.count == 16 + 4 + 2 * kept + 8 + (kept + 7) / 8 * 5)
            #expect(try codec.decoded(bytes) == input.map { $0 == 0.5 ? 0 : -2 })
        }
    }

    @Test func `the bounds are those of both steps`() throws {
        func bound(_ name: String) throws -> Double? { try CodecSamples.codec(name, count: 100).relativeErrorBound }
        // What is dropped and what is blurred have disjoint places.
        #expect(try bound("top-k:k=25+identity") == 0.75)
        let sign = try #require(try bound("top-k:k=25+sign"))
        #expect(abs(sign - (0.75 + 0.25 * (1 - 1.0 / 25))) < 1e-12)
        // Unbiased: (1 + a)(1 + b) - 1.
        #expect(try bound("random-k:k=25+identity") == 3)
        let quantized = try #require(try bound("random-k:k=25+quantize:bits=2"))
        let b = try #require(try CodecSamples.codec("quantize:bits=2", count: 25).relativeErrorBound)
        #expect(abs(quantized - (4 * (1 + b) - 1)) < 1e-9)
        #expect(try CodecSamples.codec("random-k:k=25+quantize:bits=2", count: 100).isUnbiased)
        #expect(try !CodecSamples.codec("random-k:k=25+sign", count: 100).isUnbiased)
    }

    @Test(arguments: [
        ("identity+sign", "identity+sign"), ("top-k:k=2+", "found \"\""), ("top-k+signn", "signn"),
        ("+sign", "found \"\""),
        ("top-k+sign+sign", "sign+sign"), ("threshold:rms=1+low-rank", "low-rank"), ("composition", "composition"),
        ("top-k:fraction=1.5", "fraction"), ("top-k:k=0", "k=0"), ("sign:bucket=12", "bucket=12"),
        ("sparsify:probability=1e-12", "probability"), ("top-k:k=2,fraction=0.5", "fraction"),
        ("sparsify:probability=0.5,density=0.1", "density"), ("random-k:scale=all", "scale"),
    ])
    func `what cannot be composed or set so is refused with what was found`(text: String, found: String) {
        let error = #expect(throws: InputError.self) { try CodecConfiguration(parsing: text) }
        #expect(error?.description.contains(found) == true, "\(String(describing: error))")
    }

    @Test func `a plus sign within a number is no second codec`() throws {
        let codec = try CodecConfiguration(parsing: "threshold:value=1e+2").makeCodec(count: 3)
        #expect(try codec.decoded(codec.encoded([99, 100, -1_000])) == [0, 100, -1_000])
    }

    @Test(arguments: ["random-k:fraction=0.5+sign:bucket=whole,norm=l2", "random-k:fraction=0.5+count-sketch:width=1"])
    func `what the second enlarges and the first multiplies is refused where it would overflow`(name: String) throws {
        let codec = try CodecSamples.codec(name, count: 400)
        for magnitude: Float in [1e36, 1e37, 3e37] {
            let input = (0..<400).map { $0 % 2 == 0 ? magnitude : -magnitude }
            do {
                let bytes = try codec.encoded(input)
                let decoded = try codec.decoded(bytes)
                #expect(decoded.contains { $0 != 0 })
            } catch {
                #expect(error == .tooLarge && magnitude > 1e36)
            }
        }
        #expect(throws: CodecError.tooLarge) { try codec.encoded([Float](repeating: 3e37, count: 400)) }
    }
}
