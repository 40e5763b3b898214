// The eight bytes at the start of every encoded vector. Any thread.

/// The header of every message, little-endian:
///
/// | byte | holds |
/// | --- | --- |
/// | 0 | version of the encoded form, 1 |
/// | 1 | the codec's number (`CodecFacts`) |
/// | 2, 3 | one setting of the codec, such as the bits of `quantize` |
/// | 4 ... 7 | number of floats |
public struct CodecHeader: Sendable {
    public static let version: UInt8 = 1
    /// Bytes of a header.
    public static let byteCount = 8

    /// The codec's name, for errors.
    public let name: String
    private let word: UInt64

    /// The header of the messages of a codec with one of its settings, for vectors of `count` floats, below 2^32.
    public init(of facts: CodecFacts, setting: UInt16 = 0, count: Int) {
        self.init(facts.name, facts.number, setting, count)
    }

    private init(_ name: String, _ number: UInt8, _ setting: UInt16, _ count: Int) {
        precondition(count >= 0 && count <= UInt32.max, "count \(count) does not fit into the header")
        self.name = name
        word = UInt64(Self.version) | UInt64(number) << 8 | UInt64(setting) << 16 | UInt64(count) << 32
    }

    /// The codec's number.
    public var number: UInt8 { UInt8(truncatingIfNeeded: word >> 8) }
    public var setting: UInt16 { UInt16(truncatingIfNeeded: word >> 16) }
    /// Floats of a vector.
    public var count: Int { Int(word >> 32) }

    /// The header for vectors of another number of floats.
    public func resized(to count: Int) -> CodecHeader { CodecHeader(name, number, setting, count) }

    /// Writes the header at the start of `bytes`, which holds at least `byteCount`.
    public func write(into bytes: inout MutableRawSpan) {
        bytes.storeBytes(of: word.littleEndian, toByteOffset: 0, as: UInt64.self)
    }

    /// The number of floats that a message claims to hold.
    static func count(of bytes: RawSpan) throws(CodecError) -> Int {
        guard bytes.byteCount >= byteCount else { throw .wrongLength(found: bytes.byteCount, expected: byteCount) }
        return Int(bytes.littleEndian(at: 4, as: UInt32.self))
    }

    /// Throws where `bytes` does not start with this header or is not `length` bytes long.
    public func check(_ bytes: RawSpan, length: Int) throws(CodecError) {
        try check(bytes)
        guard bytes.byteCount == length else { throw .wrongLength(found: bytes.byteCount, expected: length) }
    }

    /// Throws where `bytes` does not start with this header.
    public func check(_ bytes: RawSpan) throws(CodecError) {
        guard bytes.byteCount >= Self.byteCount else {
            throw .wrongLength(found: bytes.byteCount, expected: Self.byteCount)
        }
        let found = bytes.littleEndian(at: 0, as: UInt64.self)
        if found != word { throw difference(of: found) }
    }

    /// What is wrong with another header.
    private func difference(of word: UInt64) -> CodecError {
        let version = UInt8(truncatingIfNeeded: word)
        if version != Self.version { return .wrongVersion(found: version) }
        let foundNumber = UInt8(truncatingIfNeeded: word >> 8)
        if foundNumber != number {
            let kind = CodecKind.builtIn.first { $0.facts.number == foundNumber }
            return .wrongCodec(found: kind?.facts.name ?? "\(foundNumber)", expected: name)
        }
        let foundSetting = UInt16(truncatingIfNeeded: word >> 16)
        if foundSetting != setting {
            return .wrongCodec(found: "\(name) set to \(foundSetting)", expected: "\(name) set to \(setting)")
        }
        return .wrongCount(found: Int(word >> 32), expected: count)
    }
}
