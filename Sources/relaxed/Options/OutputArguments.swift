// Where the results of a verb go. On the main thread.

import ArgumentParser
import Datasets
import Platform
import Reporting

/// Where results go.
struct OutputArguments: ParsableArguments {
    @Option(help: .init("Write everything as JSON to this file, or to standard output for -.", valueName: "file"))
    var json: String?

    @Flag(help: "Print no tables, no notes and no progress.")
    var quiet = false

    /// Whether tables go to standard output.
    var showsTables: Bool { !quiet && json != "-" }

    func check() throws(InputError) {
        if let json { try JSONOutput.check(json) }
    }

    /// That the rows are not kept though that was asked for.
    func note(ofCache loaded: DatasetFile.Loaded) {
        if let failure = loaded.cacheFailure { note("\(failure); the parsed rows are not kept") }
    }

    /// Which columns of text became many.
    func note(ofCategories data: DenseDataset) {
        let wide = data.categoryCounts.filter { $0.count > 20 }
        if wide.isEmpty { return }
        let shown = wide.prefix(10).map { "\"\($0.column)\" (\(Quantity.grouped($0.count)))" }
        note(
            "\(data.name): columns of text that become more than 20 indicators: \(shown.joined(separator: ", "))"
                + (wide.count > 10 ? " and \(wide.count - 10) more" : "") + "; --ignore leaves columns out")
    }

    /// One line on standard error, unless quiet.
    func note(_ line: String) {
        if !quiet { Relaxed.say("note: \(line)") }
    }
}
