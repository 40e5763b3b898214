// The codecs by name and by number. Plain values; any thread.

import Platform

/// A codec; the raw value is its number in the encoded form.
public enum CodecKind: UInt8, Sendable, CaseIterable {
    case identity = 0
    case quantize = 4
    case qsgd = 5
    case natural = 6
    case ternary = 7
    case lowRank = 13
    case countSketch = 14

    /// The name on the command line.
    public var name: String {
        switch self {
        case .identity: "identity"
        case .quantize: "quantize"
        case .qsgd: "qsgd"
        case .natural: "natural"
        case .ternary: "ternary"
        case .lowRank: "low-rank"
        case .countSketch: "count-sketch"
        }
    }

    /// Makes the codec with the settings that follow its name, for vectors of `count` floats.
    func makeCodec(_ settings: inout CodecSettings, count: Int) throws(InputError) -> any Codec {
        switch self {
        case .identity: IdentityCodec(count: count)
        case .quantize: try QuantizeCodec(&settings, count: count)
        case .qsgd: try QSGDCodec(&settings, count: count)
        case .natural: NaturalCodec(count: count)
        case .ternary: try TernaryCodec(&settings, count: count)
        case .lowRank: try LowRankCodec(&settings, count: count)
        case .countSketch: try CountSketchCodec(&settings, count: count)
        }
    }
}
