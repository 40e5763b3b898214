// The tables of runs that differ by their seeds: a line per run with mean and deviation at the end, or a line per algorithm. Any
// thread; a value type.

public import Measurement

/// Runs with several seeds, whose lines may be shown while they go on.
public struct SeedsTable: Sendable {
    private let isByAlgorithm: Bool
    private let isClassification: Bool
    private var table: RunningTable

    /// As `first`, one of the runs, has it. With `algorithms`, the names of all of them, a line is an algorithm; else a line is a run.
    public init(first: RunRecord, algorithms: [String]? = nil) {
        let isByAlgorithm = algorithms != nil
        self.isByAlgorithm = isByAlgorithm
        isClassification = first.points[0].accuracy != nil
        // Room for a mean, a sign and a deviation.
        func column(_ header: String, _ width: Int) -> TextTable.Column {
            .number(header, width: isByAlgorithm ? 2 * width + 3 : width)
        }
        let head: [TextTable.Column] =
            algorithms.map { names in
                [.text("algorithm", width: names.map(\.count).max() ?? 0), .number("workers"), .number("runs")]
            } ?? [.text("seed", width: Self.deviation.count)]
        table = RunningTable(
            head + [
                column(first.test == nil ? "loss" : "test loss", 7), column(isClassification ? "accuracy" : "R2", 7),
                column("seconds", 7), column("updates/s", 6), column("tau mean", 6), .text("ended", width: 9),
            ])
    }

    private static let deviation = "standard deviation"

    /// The headers and the rule under them.
    public var header: String { table.header }
    /// After the last line, what the terminal had no room for.
    public var rest: String { table.rest }

    /// One run.
    public mutating func line(_ record: RunRecord) -> String {
        let point = record.points[record.keptPoint]
        let all = record.staleness.all
        return table.line([
            "\(record.settings.seed)", Self.loss(point.loss),
            (isClassification ? point.accuracy : point.r2).map(Self.loss) ?? "-", Self.seconds(record.seconds),
            Self.rate(record.updatesPerSecond), all.count > 0 ? Self.staleness(all.mean) : "-",
            TrainingTables.ending(record.status),
        ])
    }

    /// An algorithm in one line, or below its runs the mean and the standard deviation in a line each.
    public mutating func lines(_ summary: RunSummary) -> String {
        let figures: [(RunSummary.Figure?, (Double) -> String)] = [
            (summary.loss, Self.loss), (isClassification ? summary.accuracy : summary.r2, Self.loss),
            (summary.seconds, Self.seconds), (summary.updatesPerSecond, Self.rate),
            (summary.meanStaleness, Self.staleness),
        ]
        if isByAlgorithm {
            let cells = figures.map { figure, text in
                figure.map { text($0.mean) + ($0.standardDeviation.map { " ± " + text($0) } ?? "") } ?? "-"
            }
            return table.line(
                [summary.algorithm, "\(summary.workers)", "\(summary.seeds.count)"] + cells + [ending(summary)])
        }
        let means = figures.map { figure, text in figure.map { text($0.mean) } ?? "-" }
        let deviations = figures.map { figure, text in figure?.standardDeviation.map(text) ?? "-" }
        return table.line(["mean"] + means + [""]) + table.line([Self.deviation] + deviations + [""])
    }

    /// `completed`, or with how many did what where they did not all do the same.
    private func ending(_ summary: RunSummary) -> String {
        let endings = summary.endings.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let names = endings.map { TrainingTables.ending(RunStatus(rawValue: $0.key) ?? .completed) }
        if endings.count == 1 { return names[0] }
        return zip(endings, names).map { "\($0.value) \($1)" }.joined(separator: ", ")
    }

    private static func loss(_ value: Double) -> String { TrainingTables.text(value) }
    private static func seconds(_ value: Double) -> String { Quantity.fixed(value, decimals: 3) }
    private static func rate(_ value: Double) -> String { Quantity.count(value) }
    private static func staleness(_ value: Double) -> String { Quantity.number(value) }
}
