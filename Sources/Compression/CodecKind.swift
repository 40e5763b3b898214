// The codecs by name and by number. Plain values; any thread.

import Platform

/// A codec; the raw value is its number in the encoded form.
public enum CodecKind: UInt8, Sendable, CaseIterable {
    case identity = 0

    /// The name on the command line.
    public var name: String {
        switch self {
        case .identity: "identity"
        }
    }

    /// Makes the codec with the settings that follow its name, for vectors of `count` floats.
    func makeCodec(_ settings: inout CodecSettings, count: Int) throws(InputError) -> any Codec {
        switch self {
        case .identity: IdentityCodec(count: count)
        }
    }
}
