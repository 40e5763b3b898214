// No compression: what the others are measured against. One thread.

internal import Kernels

/// The vector itself, 4 bytes per element.
///
/// Encoded form, 8 + 4 d bytes: `CodecHeader` (setting 0), then d float32.
public final class IdentityCodec: ResizableCodec {
    public private(set) var count: Int
    private var header: CodecHeader { CodecHeader(kind: .identity, setting: 0, count: count) }

    public init(count: Int) {
        self.count = count
    }

    public func resize(to count: Int) {
        self.count = count
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
        let isFinite = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe vector.withUnsafeBytes { vector in
                guard let source = vector.baseAddress, let start = bytes.baseAddress else { return true }
                return unsafe copyFinite(into: start + CodecHeader.byteCount, from: source, count: count)
            }
        }
        guard isFinite else { throw .notFinite(in: vector) }
        return maximumEncodedBytes
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try check(vector)
        try header.check(bytes, length: maximumEncodedBytes)
        let isFinite = unsafe pass(bytes, &vector) { unsafe copyFinite(into: $0, from: $1, count: count) }
        guard isFinite else { throw notFinite(bytes) }
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try check(vector)
        try header.check(bytes, length: maximumEncodedBytes)
        let isFinite = unsafe pass(bytes, &vector) { unsafe addFinite(into: $0, from: $1, scale: scale, count: count) }
        guard isFinite else { throw notFinite(bytes) }
    }

    private func pass(
        _ bytes: RawSpan, _ vector: inout MutableSpan<Float>,
        _ body: (UnsafeMutableRawPointer, UnsafeRawPointer) -> Bool
    ) -> Bool {
        unsafe vector.withUnsafeMutableBytes { vector in
            unsafe bytes.withUnsafeBytes { bytes in
                guard let target = vector.baseAddress, let start = bytes.baseAddress else { return true }
                return unsafe body(target, start + CodecHeader.byteCount)
            }
        }
    }

    /// Where a message of the right length holds a float that is not finite.
    private func notFinite(_ bytes: RawSpan) -> CodecError {
        var byte = CodecHeader.byteCount
        var value = Float.nan
        while byte < bytes.byteCount {
            let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: byte, as: UInt32.self)
            value = Float(bitPattern: UInt32(littleEndian: word))
            if !value.isFinite { break }
            byte += 4
        }
        return .corrupt(byte: byte, found: "\(value)", expected: "a finite float")
    }
}
