// The table of one run: a line per evaluation, as they come.

public import Measurement

/// A table of the evaluations of one run, whose lines may be shown while it goes on.
public struct CourseTable: Sendable {
    private var table: RunningTable
    private let isClassification: Bool
    private let hasAUC: Bool
    private let hasTrainLoss: Bool
    private let hasGradientNorm: Bool

    /// By the model at the start; `updates` is about how many there will be.
    public init(_ start: TrainingPoint, hasTest: Bool, hasTrainLoss: Bool, hasGradientNorm: Bool, updates: Double) {
        isClassification = start.accuracy != nil
        hasAUC = start.auc != nil
        self.hasTrainLoss = hasTest && hasTrainLoss
        self.hasGradientNorm = hasGradientNorm
        var columns: [TextTable.Column] = [
            .number("epoch"), .number("updates", width: Quantity.grouped(Int(min(updates, 1e9))).count),
            .number("seconds"), .number(hasTest ? "test loss" : "loss", width: 7),
        ]
        if self.hasTrainLoss { columns.append(.number("train loss")) }
        columns.append(.number(isClassification ? "accuracy" : "R2", width: 7))
        if hasAUC { columns.append(.number("AUC", width: 7)) }
        if hasGradientNorm { columns.append(.number("gradient norm^2")) }
        table = RunningTable(columns)
    }

    /// The headers and the rule under them.
    public var header: String { table.header }
    /// After the last line, what the terminal had no room for.
    public var rest: String { table.rest }

    /// One evaluation.
    public mutating func line(_ point: TrainingPoint) -> String {
        var row = [
            Quantity.number(point.epoch, digits: 3), Quantity.grouped(point.updates),
            Quantity.fixed(point.seconds, decimals: 3), TrainingTables.text(point.loss),
        ]
        if hasTrainLoss { row.append(TrainingTables.text(point.trainLoss)) }
        row.append(TrainingTables.text(isClassification ? point.accuracy : point.r2))
        if hasAUC { row.append(TrainingTables.text(point.auc)) }
        if hasGradientNorm { row.append(point.gradientNormSquared.map { Quantity.number($0, digits: 3) } ?? "-") }
        return table.line(row)
    }
}
