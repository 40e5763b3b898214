// The options that say where things are in dense data, and the choice between the formats.

import ArgumentParser
import Datasets
import Platform

/// How CSV, IDX, NPY and NPZ are read.
struct DenseArguments: ParsableArguments {
    @Option(
        help: .init(
            "The format of the data, \(DataFormat.allCases.map(\.rawValue).joined(separator: ", ")); else its first bytes say.",
            valueName: "format"))
    var format: String?

    @Option(
        help: .init(
            """
            Where the labels are: a column of CSV by name, or by number from 1; a file for IDX (by default \
            …-labels-idx1-… beside …-images-idx3-…) and NPY; an array of NPZ (by default y).
            """, valueName: "where"))
    var label: String?

    @Option(help: .init("The array with the rows in an NPZ file; by default x.", valueName: "name"))
    var array: String?

    @Option(help: .init("Whether CSV begins with the names of its columns: auto, yes or no.", valueName: "answer"))
    var header = DenseReader.Header.automatic.rawValue

    @Option(help: .init("Columns of CSV to leave out, by name or number, between commas.", valueName: "columns"))
    var ignore: String?

    @Option(
        help: .init(
            """
            Columns of CSV, by name or number, between commas, whose fields are names of categories or classes though they may \
            be numbers. Without it a column of which three quarters are numbers is refused where a field is none.
            """, valueName: "columns"))
    var category: String?

    @Option(
        parsing: .unconditional,
        help: .init(
            """
            More fields of CSV that stand for a missing value, between commas, such as None,-,inf; empty ones, NA, N/A, \
            NaN, null and ? always do, in capitals or not.
            """, valueName: "tokens"))
    var missing: String?

    @Option(
        parsing: .unconditional,
        help: .init("What stands before the fraction of numbers in CSV: . or ,", valueName: "mark"))
    var decimal = "."

    /// Opens data, in the format that was named or that their first bytes show.
    ///
    /// Throws where an option is given that this format has no use for.
    func open(_ path: String) throws(InputError) -> DataInput {
        let input = try openUnchecked(path)
        try check(for: input.format)
        return input
    }

    /// As `open`, for more data, whose format need not use all options.
    func openUnchecked(_ path: String) throws(InputError) -> DataInput {
        let named = try format.map { text throws(InputError) in try choice(DataFormat.self, named: text, at: "--format")
        }
        return try DataInput(path, format: named)
    }

    var options: DenseReader.Options {
        get throws(InputError) {
            var options = DenseReader.Options()
            options.label = label
            options.array = array
            options.header = try choice(named: header, at: "--header")
            options.ignored = Self.list(ignore)
            options.categories = Self.list(category)
            options.missing = Self.list(missing)
            guard decimal == "." || decimal == "," else {
                throw InputError(at: "--decimal", found: "\"\(decimal)\"", expected: ". or ,")
            }
            options.hasDecimalComma = decimal == ","
            return options
        }
    }

    private static func list(_ text: String?) -> [String] { text?.split(separator: ",").map(String.init) ?? [] }

    private func check(for format: DataFormat) throws(InputError) {
        let given = [
            ("--label", label != nil, DataFormat.allCases.filter(\.isDense)), ("--array", array != nil, [.npz]),
            ("--header", header != DenseReader.Header.automatic.rawValue, [.csv]), ("--ignore", ignore != nil, [.csv]),
            ("--category", category != nil, [.csv]), ("--missing", missing != nil, [.csv]),
            ("--decimal", decimal != ".", [.csv]),
        ]
        for (option, isGiven, formats) in given where isGiven && !formats.contains(format) {
            throw InputError(
                at: option, found: "data in the format \(format.rawValue)",
                expected: formats.map(\.rawValue).joined(separator: ", "))
        }
    }
}
