// Run records as JSON, on standard output or in a file that appears whole or not at all. Any thread.

public import Platform

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Writes values as JSON: keys sorted, pretty printed, slashes as they are, infinities and NaN as null.
public enum JSONOutput {
    /// Refuses, before a long run, a path that `write` could not write after it; `-` is standard output.
    public static func check(_ path: String, option: String = "--json") throws(InputError) {
        try AtomicFile.check(path, option: option)
    }

    /// Writes `value` and a newline to `path`, replacing what was there only once all is written; `-` is standard output.
    ///
    /// Throws `InputError` as `check` does, and `FileWriteError` when the file cannot be written to its end.
    public static func write(_ value: some Encodable, to path: String, option: String = "--json") throws {
        try AtomicFile.write(text(of: value), to: path, option: option)
    }

    /// The JSON text of `value`, ended by a newline.
    public static func text(of value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: nonFinite, negativeInfinity: nonFinite, nan: nonFinite)
        let text = String(decoding: try encoder.encode(value), as: UTF8.self)
        return text.replacing("\"\(nonFinite)\"", with: "null") + "\n"
    }

    /// The encoder offers strings only for what JSON has no number for; this one, of private-use characters that stand
    /// in no text, is turned into null afterwards.
    private static let nonFinite = "\u{F8FE}\u{F8FF}\u{F8FE}"
}
