// A codec as the command line names it: `quantize:bits=4,bucket=512`. Plain values; any thread.

public import Platform

/// A codec and its settings, from which every worker makes its own instance.
public struct CodecConfiguration: Sendable, Hashable, CustomStringConvertible {
    /// As written.
    public let description: String
    private let place: String
    private let factory: @Sendable (_ count: Int) throws(InputError) -> any Codec

    /// Reads `NAME` or `NAME:key=value,key=value`, or two of these with a plus sign between them, the first of which is a sparsifier.
    ///
    /// `kinds` are the codecs that have names, with one's own `CodecKind.builtIn + [CodecKind(MyCodec.facts) { ... }]`. Throws `InputError`
    /// for a name or a setting that does not exist.
    public init(
        parsing text: String, option: String = "--codec", of kinds: [CodecKind] = CodecKind.builtIn
    ) throws(InputError) {
        self.init(text, option: option) { count throws(InputError) in
            try Self.makeCodec(text, at: option, of: kinds, count: count)
        }
        _ = try makeCodec(count: 1)
    }

    /// A codec without settings to be read: `makeCodec` makes an instance for vectors of `count` floats, and `description` is its name in
    /// records and errors. Two configurations are equal where their descriptions are.
    public init(
        _ description: String, option: String = "--codec",
        makeCodec: @escaping @Sendable (_ count: Int) throws(InputError) -> any Codec
    ) {
        self.description = description
        place = option
        factory = makeCodec
    }

    public static func == (a: Self, b: Self) -> Bool { a.description == b.description && a.place == b.place }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(description)
        hasher.combine(place)
    }

    /// A codec of its own for vectors of `count` floats; `InputError` where the settings do not suit that length.
    public func makeCodec(count: Int) throws(InputError) -> any Codec {
        // Messages count their floats in 32 bits.
        guard count <= Int(UInt32.max) else {
            throw InputError(
                at: place, found: "\"\(description)\" for a vector of \(count) floats",
                expected: "at most \(UInt32.max) floats")
        }
        return try factory(count)
    }

    private static func makeCodec(
        _ text: String, at place: String, of kinds: [CodecKind], count: Int
    ) throws(InputError) -> any Codec {
        guard let plus = plusSign(in: text) else {
            return try makeCodec(text[...], at: place, of: kinds, count: count).codec
        }
        let (first, firstNumber) = try makeCodec(text[..<plus], at: place, of: kinds, count: count)
        guard let first = first as? any Sparsifier else {
            throw InputError(
                at: place, found: "\"\(text)\"", expected: "a sparsifier, such as top-k, before the plus sign")
        }
        let (second, secondNumber) = try makeCodec(
            text[text.index(after: plus)...], at: place, of: kinds, count: first.largestKept)
        guard first.keepsFixedNumber || second is any ResizableCodec else {
            throw InputError(
                at: place, found: "\"\(text)\"",
                expected: "a second codec for any number of elements, or a first that keeps a fixed number")
        }
        return CompositionCodec(first: first, second: second, numbers: (firstNumber, secondNumber))
    }

    /// The plus sign between two codecs; one within a number is followed by a digit.
    private static func plusSign(in text: String) -> String.Index? {
        text.indices.first { at in
            text[at] == "+" && !(text[at...].dropFirst().first?.isNumber ?? false)
        }
    }

    private static func makeCodec(
        _ text: Substring, at place: String, of kinds: [CodecKind], count: Int
    ) throws(InputError) -> (codec: any Codec, number: UInt8) {
        var settings = try NamedSettings(parsing: text, at: place)
        guard let kind = kinds.first(where: { $0.facts.name == settings.name }) else {
            let names = kinds.map(\.facts).filter { $0.number != CompositionCodec.facts.number }.map(\.name)
            throw InputError(at: place, unknown: settings.name, expected: names, as: "FIRST+SECOND or a codec: ")
        }
        let codec = try kind.makeCodec(&settings, count)
        try settings.finish()
        return (codec, kind.facts.number)
    }
}
