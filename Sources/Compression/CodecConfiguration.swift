// A codec as the command line names it: `quantize:bits=4,bucket=512`. Plain values; any thread.

public import Platform

/// A codec and its settings, from which every worker makes its own instance.
public struct CodecConfiguration: Sendable, Hashable, CustomStringConvertible {
    /// As written.
    public let description: String
    private let place: String

    /// Reads `NAME` or `NAME:key=value,key=value`, or two of these with a plus sign between them, the first of which is a sparsifier.
    ///
    /// Throws `InputError` for a name or a setting that does not exist.
    public init(parsing text: String, option: String = "--codec") throws(InputError) {
        description = text
        place = option
        _ = try makeCodec(count: 1)
    }

    /// A codec of its own for vectors of `count` floats; `InputError` where the settings do not suit that length.
    public func makeCodec(count: Int) throws(InputError) -> any Codec {
        // Messages count their floats in 32 bits.
        guard count <= Int(UInt32.max) else {
            throw InputError(
                at: place, found: "\"\(description)\" for a vector of \(count) floats",
                expected: "at most \(UInt32.max) floats")
        }
        guard let plus = plusSign else { return try makeCodec(description[...], count: count).codec }
        let (first, firstKind) = try makeCodec(description[..<plus], count: count)
        guard let first = first as? any Sparsifier else {
            throw InputError(
                at: place, found: "\"\(description)\"", expected: "a sparsifier, such as top-k, before the plus sign")
        }
        let (second, secondKind) = try makeCodec(
            description[description.index(after: plus)...], count: first.largestKept)
        guard first.keepsFixedNumber || second is any ResizableCodec else {
            throw InputError(
                at: place, found: "\"\(description)\"",
                expected: "a second codec for any number of elements, or a first that keeps a fixed number")
        }
        return CompositionCodec(first: first, second: second, kinds: (firstKind, secondKind))
    }

    /// The plus sign between two codecs; one within a number is followed by a digit.
    private var plusSign: String.Index? {
        description.indices.first { at in
            description[at] == "+" && !(description[at...].dropFirst().first?.isNumber ?? false)
        }
    }

    private func makeCodec(_ text: Substring, count: Int) throws(InputError) -> (codec: any Codec, kind: CodecKind) {
        var settings = try NamedSettings(parsing: text, at: place)
        guard let kind = CodecKind.allCases.first(where: { $0.name == settings.name }) else {
            let names = CodecKind.allCases.filter { $0 != .composition }.map(\.name)
            throw InputError(at: place, unknown: settings.name, expected: names, as: "FIRST+SECOND or a codec: ")
        }
        let codec = try kind.makeCodec(&settings, count: count)
        try settings.finish()
        return (codec, kind)
    }
}
