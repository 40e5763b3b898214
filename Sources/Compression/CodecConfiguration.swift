// A codec as the command line names it: `quantize:bits=4,bucket=512`. Plain values; any thread.

public import Platform

/// A codec and its settings, from which every worker makes its own instance.
public struct CodecConfiguration: Sendable, Hashable, CustomStringConvertible {
    /// As written.
    public let description: String
    private let place: String

    /// Reads `NAME` or `NAME:key=value,key=value`.
    ///
    /// Throws `InputError` for a name or a setting that does not exist.
    public init(parsing text: String, option: String = "--codec") throws(InputError) {
        description = text
        place = option
        _ = try makeCodec(count: 1)
    }

    /// A codec of its own for vectors of `count` floats; `InputError` where the settings do not suit that length.
    public func makeCodec(count: Int) throws(InputError) -> any Codec {
        let halves = description.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let kind = CodecKind.allCases.first(where: { $0.name == halves[0] }) else {
            let names = CodecKind.allCases.map(\.name).joined(separator: ", ")
            throw InputError(at: place, found: "\"\(halves[0])\"", expected: "a codec: \(names)")
        }
        var settings = try CodecSettings(parsing: halves.count == 2 ? halves[1] : "", at: place)
        let codec = try kind.makeCodec(&settings, count: count)
        try settings.finish()
        return codec
    }
}
