// The table of several runs: a line per run, of what all algorithms have, or of what data-parallel SGD exchanges.

public import Measurement

/// A table of runs, a line each.
public struct ComparisonTable: Sendable {
    /// What its columns are.
    public enum Kind: Sendable {
        /// What all algorithms have.
        case shared
        /// What data-parallel SGD exchanges; for its records alone.
        case exchange
    }

    public let columns: [TextTable.Column]
    private let kind: Kind
    private let isClassification: Bool
    private let hasTarget: Bool
    private let hasTest: Bool
    private let isModel: Bool

    /// As `first`, one of the runs, has it; `names` are those of all their algorithms.
    public init(_ kind: Kind, first: RunRecord, names: [String] = []) {
        self.kind = kind
        isClassification = first.points[0].accuracy != nil
        hasTarget = first.settings.targetLoss != nil
        hasTest = first.test != nil
        isModel = first.exchange.map { $0.clock != "native" } ?? false
        let loss: [TextTable.Column] = [.number(hasTest ? "test loss" : "loss", width: 7)]
        let name: [TextTable.Column] = [.text("algorithm", width: names.map(\.count).max() ?? 0)]
        switch kind {
        case .shared:
            columns =
                name + [
                    .number("workers"), .number("updates/s"), .number("rows/s", width: 6), .number("epochs"),
                    .number("seconds"),
                ] + (hasTarget ? [.number("epochs to target"), .number("seconds to target")] : []) + loss
                + (hasTest ? [.number("train loss")] : [])
                + (isClassification ? [.number("accuracy"), .number("AUC", width: 7)] : [.number("R2", width: 7)])
                + [
                    .number("tau mean"), .number("p50"), .number("p90"), .number("p99"), .number("max", width: 6),
                    .number("lost", width: 5), .text("ended", width: 9),
                ]
        case .exchange:
            columns =
                name + [
                    .text("collective", width: 18), .text("codec", width: 15), .number("workers"),
                    .number("iterations"), .number("s/iteration"),
                ] + (isModel ? [.number("predicted")] : [])
                + [.number("bytes/iteration"), .number("ratio"), .number("epochs"), .number("seconds")]
                + (hasTarget ? [.number("iterations to target"), .number("seconds to target")] : []) + loss
                + [.number(isClassification ? "accuracy" : "R2", width: 7), .text("ended", width: 9)]
        }
    }

    /// The whole table, in columns no wider than the runs need.
    public func rendered(_ records: [RunRecord]) -> String {
        var table = TextTable(columns)
        for record in records { table.append(cells(record)) }
        return table.rendered()
    }

    /// One line, a cell per column.
    public func cells(_ record: RunRecord) -> [String] {
        switch kind {
        case .shared: sharedCells(record)
        case .exchange: exchangeCells(record)
        }
    }

    private func sharedCells(_ record: RunRecord) -> [String] {
        let point = record.points[record.keptPoint]
        let all = record.staleness.all
        var row = [
            record.settings.algorithm, "\(record.settings.workers)", Quantity.count(record.updatesPerSecond),
            Quantity.count(record.samplesPerSecond), epochs(record), Quantity.fixed(record.seconds, decimals: 3),
        ]
        if hasTarget {
            row += [
                record.epochsToTarget.map { Quantity.number($0, digits: 3) } ?? "-",
                record.secondsToTarget.map { Quantity.fixed($0, decimals: 3) } ?? "-",
            ]
        }
        row.append(TrainingTables.text(point.loss))
        if hasTest { row.append(TrainingTables.text(point.trainLoss)) }
        row += (isClassification ? [point.accuracy, point.auc] : [point.r2]).map(TrainingTables.text)
        if all.count == 0 {
            row += ["-", "-", "-", "-", "-"]
        } else {
            row.append(Quantity.number(all.mean))
            row += [all.p50, all.p90, all.p99, all.max].map { Quantity.grouped($0) }
        }
        row.append(record.staleness.lostUpdateRate.map { Quantity.percent($0) } ?? "-")
        return row + [TrainingTables.ending(record.status)]
    }

    private func exchangeCells(_ record: RunRecord) -> [String] {
        guard let figures = record.exchange else {
            preconditionFailure("\(record.settings.algorithm) exchanges nothing")
        }
        let point = record.points[record.keptPoint]
        var row = [
            record.settings.algorithm, figures.collective ?? "-",
            (figures.codec ?? "-") + (figures.errorFeedback ? " + feedback" : ""), "\(record.settings.workers)",
            Quantity.grouped(record.updates), Quantity.seconds(figures.secondsPerIteration),
        ]
        if isModel { row.append(figures.predictedSecondsPerIteration.map { Quantity.seconds($0) } ?? "-") }
        row += [
            Quantity.bytes(Int(figures.bytesPerIteration.rounded())),
            figures.compressionRatio.map { Quantity.number($0, digits: 3) } ?? "-", epochs(record),
            Quantity.fixed(record.seconds, decimals: 3),
        ]
        if hasTarget {
            row += [
                record.updatesToTarget.map { Quantity.grouped($0) } ?? "-",
                record.secondsToTarget.map { Quantity.fixed($0, decimals: 3) } ?? "-",
            ]
        }
        return row + [
            TrainingTables.text(point.loss), TrainingTables.text(isClassification ? point.accuracy : point.r2),
            TrainingTables.ending(record.status),
        ]
    }

    private func epochs(_ record: RunRecord) -> String {
        Quantity.number(record.points[record.points.count - 1].epoch, digits: 3)
    }
}
