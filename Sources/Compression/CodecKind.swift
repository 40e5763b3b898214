// The codecs by name and by number. Plain values; any thread.

internal import Kernels
import Platform

/// A codec; the raw value is its number in the encoded form.
public enum CodecKind: UInt8, Sendable, CaseIterable {
    case identity = 0
    case fp16 = 1
    case bf16 = 2
    case mantissaTruncation = 3
    case quantize = 4
    case qsgd = 5
    case natural = 6
    case ternary = 7
    case sign = 8
    case randomK = 9
    case sparsify = 10
    case topK = 11
    case threshold = 12
    case lowRank = 13
    case countSketch = 14
    /// Two codecs, FIRST+SECOND, which have no name of their own.
    case composition = 15
    case nonzeros = 16

    /// What its file says of it.
    public var facts: CodecFacts {
        switch self {
        case .identity: IdentityCodec.facts
        case .fp16: HalfCodec.facts(of: .fp16)
        case .bf16: HalfCodec.facts(of: .bf16)
        case .mantissaTruncation: MantissaTruncationCodec.facts
        case .quantize: QuantizeCodec.facts
        case .qsgd: QSGDCodec.facts
        case .natural: NaturalCodec.facts
        case .ternary: TernaryCodec.facts
        case .sign: SignCodec.facts
        case .randomK: RandomKCodec.facts
        case .sparsify: SparsifyCodec.facts
        case .topK: TopKCodec.facts
        case .threshold: ThresholdCodec.facts
        case .lowRank: LowRankCodec.facts
        case .countSketch: CountSketchCodec.facts
        case .composition: CompositionCodec.facts
        case .nonzeros: NonzerosCodec.facts
        }
    }

    /// The name on the command line.
    public var name: String { facts.name }

    /// Makes the codec with the settings that follow its name, for vectors of `count` floats.
    func makeCodec(_ settings: inout NamedSettings, count: Int) throws(InputError) -> any Codec {
        switch self {
        case .identity: IdentityCodec(count: count)
        case .fp16: try HalfCodec(.fp16, &settings, count: count)
        case .bf16: try HalfCodec(.bf16, &settings, count: count)
        case .mantissaTruncation: try MantissaTruncationCodec(&settings, count: count)
        case .quantize: try QuantizeCodec(&settings, count: count)
        case .qsgd: try QSGDCodec(&settings, count: count)
        case .natural: NaturalCodec(count: count)
        case .ternary: try TernaryCodec(&settings, count: count)
        case .sign: try SignCodec(&settings, count: count)
        case .randomK: try RandomKCodec(&settings, count: count)
        case .sparsify: try SparsifyCodec(&settings, count: count)
        case .topK: try TopKCodec(&settings, count: count)
        case .threshold: try ThresholdCodec(&settings, count: count)
        case .lowRank: try LowRankCodec(&settings, count: count)
        case .countSketch: try CountSketchCodec(&settings, count: count)
        case .nonzeros: try NonzerosCodec(count: count)
        case .composition:
            throw InputError(at: settings.place, found: "\"composition\"", expected: "FIRST+SECOND, two codecs")
        }
    }
}
