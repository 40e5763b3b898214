import Compression

/// A codec's calls on arrays, for tests.
extension Codec {
    func encoded(_ vector: [Float], draw: CodecDraw = CodecDraw(seed: 1)) throws(CodecError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xAA, count: maximumEncodedBytes)
        var elements = bytes.mutableSpan
        var space = elements.mutableBytes
        let length = try encode(vector.span, draw: draw, into: &space)
        return Array(bytes[..<length])
    }

    func decoded(_ bytes: [UInt8]) throws(CodecError) -> [Float] {
        var vector = [Float](repeating: -77, count: count)
        var target = vector.mutableSpan
        try decode(bytes.span.bytes, into: &target)
        return vector
    }

    func added(_ bytes: [UInt8], scale: Float, to vector: [Float]) throws(CodecError) -> [Float] {
        var vector = vector
        var target = vector.mutableSpan
        try decode(bytes.span.bytes, adding: scale, to: &target)
        return vector
    }
}

/// What a fused encoding leaves.
struct FusedEncoding: Equatable {
    var bytes: [UInt8]
    var residual: [Float]
}

extension FusedFeedbackCodec {
    func fused(_ vector: [Float], residual: [Float], scale: Float) throws(CodecError) -> FusedEncoding {
        var bytes = [UInt8](repeating: 0xAA, count: maximumEncodedBytes)
        var memory = residual + [Float](repeating: 0, count: feedbackCount - count)
        var left = memory.mutableSpan
        var elements = bytes.mutableSpan
        var space = elements.mutableBytes
        let length = try encode(vector.span, feedback: &left, scale: scale, draw: CodecDraw(seed: 1), into: &space)
        settle(&left)
        return FusedEncoding(bytes: Array(bytes[..<length]), residual: Array(memory[..<count]))
    }
}
