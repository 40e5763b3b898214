// What a codec says of itself, once, in its own file. Plain values; any thread.

public import Platform

/// What the command, the documents and the tests ask of a codec.
public struct CodecFacts: Sendable {
    /// The name on the command line.
    public var name: String { literalName.description }
    let literalName: StaticString
    /// Its number in the headers of messages: below 128 those of the codecs that ship.
    public let number: UInt8
    /// What it does, in a few words.
    public let summary: String
    /// Where it stands in the book, or the paper that it is from.
    public let section: String
    /// The settings that follow its name.
    public let settings: [SettingFacts]
    /// What it promises: one form, or one for each of the settings that decide.
    public let forms: [Form]
    /// With the settings that `bench codecs` takes where no codec is named.
    public let examples: [String]

    public init(
        name: StaticString, number: UInt8, summary: String, section: String, settings: [SettingFacts] = [],
        forms: [Form],
        examples: [String]
    ) {
        literalName = name
        self.number = number
        self.summary = summary
        self.section = section
        self.settings = settings
        self.forms = forms
        self.examples = examples
    }

    /// Bytes, bias and bound under one choice of settings.
    ///
    /// Formulas are of d (floats of a vector), n (floats of a bucket), k (elements kept), b = ceil(d / 65536), and the settings by name;
    /// a blank multiplies.
    public struct Form: Sendable {
        /// The settings that decide on it, as they are written; empty for the defaults.
        public let settings: String
        /// Bytes of a message after its header.
        public let bytes: String
        /// Bytes of each bucket on top of that; nil where there are no buckets.
        public let bucketBytes: String?
        /// Whether every message is as long as the formula says; otherwise k, or the length itself, depends on the vector.
        public let hasFixedSize: Bool
        public let isUnbiased: Bool
        /// A bound on alpha in E|Q(y) - y|^2 <= alpha |y|^2; nil where there is none.
        public let alpha: String?

        public init(
            _ settings: String = "", bytes: String, perBucket bucketBytes: String? = nil, hasFixedSize: Bool = true,
            isUnbiased: Bool, alpha: String?
        ) {
            self.settings = settings
            self.bytes = bytes
            self.bucketBytes = bucketBytes
            self.hasFixedSize = hasFixedSize
            self.isUnbiased = isUnbiased
            self.alpha = alpha
        }
    }

    /// Those of all codecs that ship and have a name.
    public static var all: [CodecFacts] {
        CodecKind.builtIn.map(\.facts).filter { $0.number != CompositionCodec.facts.number }
    }
}

extension SettingFacts {
    static let bucket = SettingFacts("bucket", default: "512", "floats that share a scale, or `whole`")
    static let fraction = SettingFacts(
        "fraction", default: "0.01", "share of the elements that is kept, above 0, at most 1")
    static let kept = SettingFacts("k", default: nil, "elements that are kept, in place of `fraction`")
}
