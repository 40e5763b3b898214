// The options of training on dense data: where things are, how they are scaled, and which rows are held out.

import ArgumentParser
import Datasets
import Platform

/// How dense data are read and scaled.
struct DenseTrainingArguments: ParsableArguments {
    @OptionGroup var data: DenseArguments

    @Option(help: .init("For --test, what --label is for the data.", valueName: "where"))
    var testLabel: String?

    @Option(help: .init("For --test, what --array is for the data.", valueName: "name"))
    var testArray: String?

    @Option(
        parsing: .unconditional,
        help: .init("Hold out every so manieth row of dense data and test on these.", valueName: "count"))
    var holdOut: Int?

    @Option(
        help: .init(
            """
            How columns of dense data are scaled, by what the training rows are like: by-kind (measurements to mean 0 \
            and deviation 1, pixels to 0 to 1, indicators of categories not), all (to mean 0 and deviation 1) or none. \
            Default: by-kind.
            """, valueName: "which"))
    var standardise: String?

    /// Opens the data, in the format that was named or that their first bytes show; `format.isDense` of the result says which
    /// way to go on. Throws where an option is given that this format has no use for.
    func open(_ path: String) throws(InputError) -> DataInput {
        let input = try data.open(path)
        if input.format.isDense { return input }
        let given = [
            ("--test-label", testLabel != nil), ("--test-array", testArray != nil), ("--hold-out", holdOut != nil),
            ("--standardise", standardise != nil),
        ]
        if let (option, _) = given.first(where: \.1) {
            throw InputError(
                at: option, found: "data in the format \(input.format.rawValue)",
                expected: DataFormat.denseNames)
        }
        return input
    }

    /// Throws where --hold-out, --test-label or --test-array do not go with the presence of --test.
    func check(hasTest: Bool) throws(InputError) {
        if let holdOut {
            guard holdOut >= 2 else { throw InputError(at: "--hold-out", found: "\(holdOut)", expected: "at least 2") }
            if hasTest { throw InputError(at: "--hold-out", found: "--test beside it", expected: "one of the two") }
        }
        for (option, value) in [("--test-label", testLabel), ("--test-array", testArray)] where value != nil {
            if !hasTest { throw InputError(at: option, found: "no held-out rows", expected: "--test with them") }
        }
    }

    /// The options for reading the rows of --test as those that were learned from.
    func testOptions(like train: DenseDataset, format: DataFormat) throws(InputError) -> DenseReader.Options {
        var options = try data.options
        options.like = train.columns
        options.array = testArray ?? options.array
        // A file of labels holds those of its own rows; a column or an array is called the same.
        if format == .idx || format == .npy { options.label = nil }
        options.label = testLabel ?? options.label
        return options
    }

    var method: Standardisation.Method {
        get throws(InputError) {
            try choice(named: standardise ?? Standardisation.Method.byKind.rawValue, at: "--standardise")
        }
    }
}

extension DataFormat {
    /// The formats of dense rows, for messages.
    static var denseNames: String { allCases.filter(\.isDense).map(\.rawValue).joined(separator: ", ") }
}
