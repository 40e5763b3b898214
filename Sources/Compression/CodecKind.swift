// The codecs by name and by number. Plain values; any thread.

import Platform

/// A codec; the raw value is its number in the encoded form.
public enum CodecKind: UInt8, Sendable, CaseIterable {
    case identity = 0
    case quantize = 4

    /// The name on the command line.
    public var name: String {
        switch self {
        case .identity: "identity"
        case .quantize: "quantize"
        }
    }

    /// Makes the codec with the settings that follow its name, for vectors of `count` floats.
    func makeCodec(_ settings: inout CodecSettings, count: Int) throws(InputError) -> any Codec {
        switch self {
        case .identity: return IdentityCodec(count: count)
        case .quantize:
            return QuantizeCodec(
                count: count, bits: try settings.integer("bits", default: 8, in: 1...16),
                bucket: try settings.integer(
                    "bucket", default: 512, in: 0...Int(UInt32.max), orWord: "whole", meaning: 0),
                rounding: try settings.choice("rounding"))
        }
    }
}
