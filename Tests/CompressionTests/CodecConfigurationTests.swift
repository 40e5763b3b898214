import Compression
import Platform
import Testing

@Suite struct CodecConfigurationTests {
    @Test(arguments: [
        "identity", "fp16", "quantize:bits=4", "qsgd", "natural", "sign", "top-k", "top-k+fp16", "nonzeros",
    ])
    func `a vector of more floats than a message can count is refused`(text: String) throws {
        let configuration = try CodecConfiguration(parsing: text)
        for count in [1 << 32, 1 << 40, Int.max] {
            let error = #expect(throws: InputError.self) { _ = try configuration.makeCodec(count: count) }
            #expect(error?.place == "--codec" && error?.expected == "at most 4294967295 floats")
        }
    }

    @Test(arguments: [
        ("identiy", "found \"identiy\""), ("identity:bits=3", "identity with the setting bits, expected no settings"),
        ("identity:bits", "found \"bits\""),
        ("", "found \"\""), ("identity:a=1,a=2", "found \"a=2\""),
    ])
    func `a codec that does not exist or lacks the setting is refused with what was found`(text: String, found: String)
    {
        let error = #expect(throws: InputError.self) { try CodecConfiguration(parsing: text) }
        #expect(error?.description.contains(found) == true)
    }

    @Test func `the identity is its own inverse to the bit and refuses what is not finite with its index`() throws {
        let codec = try CodecConfiguration(parsing: "identity").makeCodec(count: 5)
        var values: [Float] = [1, -0.0, .leastNonzeroMagnitude, -3e38, 7]
        let bytes = try codec.encoded(values)
        #expect(bytes.count == codec.maximumEncodedBytes && bytes.count == 28)
        #expect(try codec.decoded(bytes).map(\.bitPattern) == values.map(\.bitPattern))
        #expect(try codec.added(bytes, scale: 0.5, to: [1, 1, 1, 1, 1])[4] == 4.5)
        values[3] = .infinity
        #expect(throws: CodecError.notFinite(index: 3, value: .infinity)) { try codec.encoded(values) }
    }
}
