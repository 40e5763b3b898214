// The eight bytes at the start of every encoded vector. Any thread.

/// The header of every message, little-endian:
///
/// | byte | holds |
/// | --- | --- |
/// | 0 | version of the encoded form, 1 |
/// | 1 | the codec, the raw value of `CodecKind` |
/// | 2, 3 | one setting of the codec, such as the bits of `quantize` |
/// | 4 ... 7 | number of floats |
public struct CodecHeader: Equatable, Sendable {
    public static let version: UInt8 = 1
    /// Bytes of a header.
    public static let byteCount = 8

    public let kind: CodecKind
    public let setting: UInt16
    public let count: UInt32

    public init(kind: CodecKind, setting: UInt16, count: Int) {
        precondition(count >= 0 && count <= UInt32.max, "count \(count) does not fit into the header")
        self.kind = kind
        self.setting = setting
        self.count = UInt32(count)
    }

    /// Writes the header at the start of `bytes`, which holds at least `byteCount`.
    func write(into bytes: inout MutableRawSpan) {
        let word =
            UInt64(Self.version) | UInt64(kind.rawValue) << 8 | UInt64(setting) << 16 | UInt64(count) << 32
        bytes.storeBytes(of: word.littleEndian, toByteOffset: 0, as: UInt64.self)
    }

    /// The number of floats that a message claims to hold.
    static func count(of bytes: RawSpan) throws(CodecError) -> Int {
        guard bytes.byteCount >= byteCount else { throw .wrongLength(found: bytes.byteCount, expected: byteCount) }
        return Int(UInt32(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 4, as: UInt32.self)))
    }

    /// Throws where `bytes` does not start with this header or is not `length` bytes long.
    func check(_ bytes: RawSpan, length: Int) throws(CodecError) {
        try check(bytes)
        guard bytes.byteCount == length else { throw .wrongLength(found: bytes.byteCount, expected: length) }
    }

    /// Throws where `bytes` does not start with this header.
    func check(_ bytes: RawSpan) throws(CodecError) {
        guard bytes.byteCount >= Self.byteCount else {
            throw .wrongLength(found: bytes.byteCount, expected: Self.byteCount)
        }
        let word = UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self))
        let version = UInt8(truncatingIfNeeded: word)
        guard version == Self.version else { throw .wrongVersion(found: version) }
        let foundKind = UInt8(truncatingIfNeeded: word >> 8)
        guard foundKind == kind.rawValue else {
            throw .wrongCodec(found: CodecKind(rawValue: foundKind)?.name ?? "\(foundKind)", expected: kind.name)
        }
        let foundSetting = UInt16(truncatingIfNeeded: word >> 16)
        guard foundSetting == setting else {
            throw .wrongCodec(found: "\(kind.name) set to \(foundSetting)", expected: "\(kind.name) set to \(setting)")
        }
        let foundCount = Int(word >> 32)
        guard foundCount == Int(count) else { throw .wrongCount(found: foundCount, expected: Int(count)) }
    }
}
