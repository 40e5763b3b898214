// No compression: what the others are measured against. One thread.

/// The vector itself, 4 bytes per element.
///
/// Encoded form: `CodecHeader` (setting 0), then d float32.
public final class IdentityCodec: Codec {
    public let count: Int
    private let header: CodecHeader

    public init(count: Int) {
        self.count = count
        header = CodecHeader(kind: .identity, setting: 0, count: count)
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
        header.write(into: &bytes)
        for i in vector.indices {
            let value = vector[i]
            guard value.isFinite else { throw .notFinite(index: i, value: value) }
            bytes.storeBytes(
                of: value.bitPattern.littleEndian, toByteOffset: CodecHeader.byteCount + 4 * i, as: UInt32.self)
        }
        return maximumEncodedBytes
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try check(vector)
        try header.check(bytes, length: maximumEncodedBytes)
        for i in vector.indices { vector[i] = value(i, of: bytes) }
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try check(vector)
        try header.check(bytes, length: maximumEncodedBytes)
        for i in vector.indices { vector[i] += scale * value(i, of: bytes) }
    }

    private func value(_ i: Int, of bytes: RawSpan) -> Float {
        let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: CodecHeader.byteCount + 4 * i, as: UInt32.self)
        return Float(bitPattern: UInt32(littleEndian: word))
    }
}
