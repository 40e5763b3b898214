// No compression: what the others are measured against. One thread.

/// The vector itself, 4 bytes per element.
///
/// Encoded form, 8 + 4 d bytes: `CodecHeader` (setting 0), then d float32.
public final class IdentityCodec: ResizableCodec {
    public static let facts = CodecFacts(
        name: "identity", number: 0, summary: "the floats", section: "the limit of the others",
        forms: [.init(bytes: "4 d", isUnbiased: true, alpha: "0")], examples: ["identity"])

    public private(set) var count: Int
    private var header: CodecHeader

    public init(count: Int) {
        self.count = count
        header = CodecHeader(of: Self.facts, count: count)
    }

    public func resize(to count: Int) {
        self.count = count
        header = header.resized(to: count)
    }

    public var name: String { "identity" }
    public var maximumEncodedBytes: Int { CodecHeader.byteCount + 4 * count }
    public var hasFixedSize: Bool { true }
    public var isUnbiased: Bool { true }
    public var relativeErrorBound: Double? { 0 }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try check(vector, bytes)
        return try encodePlain(vector, header, into: &bytes)
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try decodePlain(bytes, header, adding: nil, to: &vector)
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try decodePlain(bytes, header, adding: scale, to: &vector)
    }
}
