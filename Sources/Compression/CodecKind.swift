// The codecs by name, and how each is made of its settings. Plain values; any thread.

internal import Kernels
public import Platform

/// A codec that text can name: its facts, and how it is made.
public struct CodecKind: Sendable {
    /// Makes a codec of the settings that follow its name, for vectors of `count` floats; settings that it does not take are refused
    /// afterwards.
    public typealias Factory = @Sendable (_ settings: inout NamedSettings, _ count: Int) throws(InputError) -> any Codec

    /// What its file says of it.
    public let facts: CodecFacts
    let makeCodec: Factory

    public init(_ facts: CodecFacts, makeCodec: @escaping Factory) {
        self.facts = facts
        self.makeCodec = makeCodec
    }

    /// The codecs that ship, by their numbers.
    public static let builtIn = [
        CodecKind(IdentityCodec.facts) { IdentityCodec(count: $1) },
        CodecKind(HalfCodec.facts(of: .fp16)) { settings, count throws(InputError) in
            try HalfCodec(.fp16, &settings, count: count)
        },
        CodecKind(HalfCodec.facts(of: .bf16)) { settings, count throws(InputError) in
            try HalfCodec(.bf16, &settings, count: count)
        },
        CodecKind(MantissaTruncationCodec.facts, makeCodec: MantissaTruncationCodec.init),
        CodecKind(QuantizeCodec.facts, makeCodec: QuantizeCodec.init),
        CodecKind(QSGDCodec.facts, makeCodec: QSGDCodec.init),
        CodecKind(NaturalCodec.facts) { NaturalCodec(count: $1) },
        CodecKind(TernaryCodec.facts, makeCodec: TernaryCodec.init),
        CodecKind(SignCodec.facts, makeCodec: SignCodec.init),
        CodecKind(RandomKCodec.facts, makeCodec: RandomKCodec.init),
        CodecKind(SparsifyCodec.facts, makeCodec: SparsifyCodec.init),
        CodecKind(TopKCodec.facts, makeCodec: TopKCodec.init),
        CodecKind(ThresholdCodec.facts, makeCodec: ThresholdCodec.init),
        CodecKind(LowRankCodec.facts, makeCodec: LowRankCodec.init),
        CodecKind(CountSketchCodec.facts, makeCodec: CountSketchCodec.init),
        CodecKind(CompositionCodec.facts) { settings, _ throws(InputError) in
            throw InputError(at: settings.place, found: "\"composition\"", expected: "FIRST+SECOND, two codecs")
        },
        CodecKind(NonzerosCodec.facts) { _, count throws(InputError) in try NonzerosCodec(count: count) },
    ]
}
