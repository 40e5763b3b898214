// What is wrong with a vector or with encoded bytes. Plain values; any thread.

/// Why a codec refused a vector or a message.
public enum CodecError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The vector holds a NaN or an infinity.
    case notFinite(index: Int, value: Float)
    /// The vector holds finite elements so large that a sum over them, which the encoded form needs, is infinite.
    case tooLarge
    /// The vector does not have the codec's number of floats, or the message is for another number.
    case wrongCount(found: Int, expected: Int)
    /// The buffer for the encoded form is shorter than `maximumEncodedBytes`.
    case bufferTooSmall(found: Int, expected: Int)
    /// The message does not have the length that its header calls for.
    case wrongLength(found: Int, expected: Int)
    /// The message is of another version of the encoded form.
    case wrongVersion(found: UInt8)
    /// The message was written by another codec, or by this one with other settings.
    case wrongCodec(found: String, expected: String)
    /// The message holds what no encoder writes.
    case corrupt(byte: Int, found: String, expected: String)

    public var description: String {
        switch self {
        case .notFinite(let index, let value): "element \(index): found \(value), expected a finite float"
        case .tooLarge: "vector: found elements whose sums overflow, expected sums that a float holds"
        case .wrongCount(let found, let expected): "vector: found \(found) floats, expected \(expected)"
        case .bufferTooSmall(let found, let expected): "buffer: found \(found) bytes, expected at least \(expected)"
        case .wrongLength(let found, let expected): "message: found \(found) bytes, expected \(expected)"
        case .wrongVersion(let found):
            "byte 0: found version \(found) of the encoded form, expected \(CodecHeader.version)"
        case .wrongCodec(let found, let expected): "byte 1: found codec \(found), expected \(expected)"
        case .corrupt(let byte, let found, let expected): "byte \(byte): found \(found), expected \(expected)"
        }
    }
}

extension CodecError {
    /// `notFinite` with the first such element of a vector that is known to have one at `start` or later.
    public static func notFinite(in vector: Span<Float>, from start: Int = 0) -> CodecError {
        let index = (start..<vector.count).first { !vector[$0].isFinite } ?? start
        return .notFinite(index: index, value: vector[index])
    }
}
