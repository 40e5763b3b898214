// What there is to say about a setting `key=value` that follows a name. Plain values; any thread.

/// One setting of a codec or an algorithm, as its facts list it.
public struct SettingFacts: Sendable {
    public let key: String
    /// The value where none is given, as it would be written; nil where it follows from something else or another setting replaces it.
    public let standard: String?
    /// What it takes and means.
    public let summary: String

    public init(_ key: String, default standard: String?, _ summary: String) {
        self.key = key
        self.standard = standard
        self.summary = summary
    }
}
