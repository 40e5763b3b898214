// The options by which verbs name their data, and the reading of it.

import ArgumentParser
import Datasets
import Objectives
import Platform
import Reporting

/// Rows to learn from, and rows held out.
struct DataArguments: ParsableArguments {
    @Argument(
        help: .init(
            """
            LIBSVM text, CSV, IDX, NPY or NPZ, plain or .gz, .bz2, .xz, .zst, or - for standard input. Without it: \
            flights-late, which ships with the project, and its test rows.
            """, valueName: "data"))
    var data: String?

    @Option(help: .init("Held-out rows; loss and accuracy are then theirs.", valueName: "file"))
    var test: String?

    @Option(
        parsing: .unconditional,
        help: .init("Labels of the positive class, such as 2,3,4; the rest is negative.", valueName: "labels"))
    var positive: String?

    @Flag(help: "Keep the parsed rows in FILE.csr beside each file, and read that while the file has not changed.")
    var cache = false

    /// The path to read and that of the held-out rows.
    func paths() throws(InputError) -> (train: String, test: String?) {
        if let data { return (data, test) }
        if let test { return (try BundledData.flightsLateTrain(), test) }
        return (try BundledData.flightsLateTrain(), try BundledData.flightsLateTest())
    }

    /// Reads sparse rows, those to learn from out of `input`, with all workers of `team`, with targets that suit `loss`, and `model`
    /// where there is one, which has that loss.
    func read(
        _ input: DataInput, for loss: LossKind, like model: LinearModel? = nil, team: WorkerTeam,
        output: OutputArguments
    ) throws -> TrainingRows.SparseRows {
        let rule: PositiveRule =
            try positive.map { text throws(InputError) in try PositiveRule(parsing: text) }
            ?? model.map { .model(positive: $0.positiveLabel, negative: $0.negativeLabel) } ?? .conventional
        if positive != nil && !loss.isClassification {
            throw InputError(
                at: "--positive", found: "it beside --objective \(loss.rawValue)", expected: "a binary objective")
        }
        let start = monotonicNanoseconds()
        func rows(_ path: String, from input: DataInput? = nil) throws -> SparseDataset {
            let file = DatasetFile(path, cache: cache ? .besideSource : .none)
            let loaded = try file.load(team: team, from: input)
            output.note(ofCache: loaded)
            return loss.isClassification ? try loaded.dataset.binary(positive: rule) : loaded.dataset
        }
        let train = try rows(input.path, from: input)
        if loss.isClassification { try train.refuseOneClass() }
        let test = try paths().test.map { try rows($0) }
        return TrainingRows.SparseRows(
            train: train, test: test, seconds: Double(monotonicNanoseconds() - start) / 1e9)
    }

    /// Throws where an option is given that dense rows have no use for.
    func checkDense(_ format: DataFormat) throws(InputError) {
        for (option, isGiven) in [("--positive", positive != nil), ("--cache", cache)] where isGiven {
            throw InputError(
                at: option, found: "data in the format \(format.rawValue)", expected: "sparse rows, as libsvm")
        }
    }
}
