// What there is to print of training runs, from their records: how they went and ended, their staleness, and comparisons. Any thread.

public import Measurement
internal import Platform

/// Tables and lines on training runs, as `relaxed train` and `relaxed staleness` print them, made of the runs' records.
public enum TrainingTables {
    /// A line per evaluation.
    public static func course(of record: RunRecord) -> String {
        guard let start = record.points.first else { return "nothing was evaluated\n" }
        var table = CourseTable(
            start, hasTest: record.test != nil, hasTrainLoss: record.points.contains { $0.trainLoss != nil },
            hasGradientNorm: record.points.contains { $0.gradientNormSquared != nil }, updates: Double(record.updates))
        var text = table.header
        for point in record.points { text += table.line(point) }
        return text + table.rest
    }

    /// How the run ended, how fast it was, and its staleness with a histogram.
    public static func summary(of record: RunRecord) -> String {
        let settings = record.settings
        var lines = [
            "\(settings.algorithm), \(settings.objective), step size \(settings.stepSize), order \(settings.order), "
                + "batch \(settings.batchSize), seed \(settings.seed)"
        ]
        if let model = record.modelIn { lines.append("started from the model \(model.printable)") }
        var end = "\(ending(record.status)) after \(Quantity.seconds(record.seconds)): "
        end += "\(Quantity.count(record.updatesPerSecond)) updates/s"
        if record.samples != record.updates { end += ", \(Quantity.count(record.samplesPerSecond)) rows/s" }
        if let seconds = record.secondsToTarget, let epochs = record.epochsToTarget {
            end += "; target after \(Quantity.seconds(seconds)), \(Quantity.number(epochs, digits: 3)) epochs"
        } else if settings.targetLoss != nil {
            end += "; target not reached"
        }
        end += "; evaluation"
        if let epochs = record.epochsPerEvaluation, epochs > 1 { end += ", every \(epochs) epochs and at the ends," }
        if let rows = record.sampledRows {
            end +=
                " on \(Quantity.grouped(UInt64(rows))) of the \(Quantity.grouped(UInt64(record.train.rows))) training rows"
        }
        lines.append(end + " took \(Quantity.seconds(record.evaluationSeconds))")
        if record.keptPoint != record.points.count - 1 {
            let kept = record.points[record.keptPoint]
            var line = "kept the model of epoch \(Quantity.number(kept.epoch, digits: 3)), loss \(text(kept.loss))"
            if let loss = kept.trainLoss { line += ", on the training rows \(text(loss))" }
            lines.append(line)
        }
        lines.append(repeatability(of: record))
        if let layout = record.layout, layout.replicas > 1 || layout.reason != nil { lines.append(layoutText(layout)) }
        if let exchange = exchange(of: record) { lines.append(exchange) }
        return lines.joined(separator: "\n") + "\n\n" + staleness(of: record)
    }

    /// How many copies of the model there were, and why.
    private static func layoutText(_ layout: RunRecord.Layout) -> String {
        var text = "layout \(layout.name)"
        if layout.replicas > 1 {
            text += ": \(layout.replicas) replicas"
            if let rows = layout.rowsBetweenMerges, let merges = layout.merges, let share = layout.mergeShare {
                text +=
                    merges == 0
                    ? ", merged at the ends of segments"
                    : ", each merged after \(Quantity.grouped(UInt64(rows))) rows at the end; merging took \(percent(share)) of the time"
            }
        }
        guard var reason = layout.reason else { return text }
        if let trial = layout.trial, let seconds = layout.trialSeconds {
            let rates = trial.map { "\($0.layout) \(Quantity.count($0.rowsPerSecond))" }
            reason += "; tried for \(Quantity.seconds(seconds)): " + rates.joined(separator: ", ") + " rows/s"
        }
        return text + " (\(reason))"
    }

    private static func repeatability(of record: RunRecord) -> String {
        if record.deterministic { return "the same seed gives the same bits" }
        // Where threads do not race, staleness is known without recording it. It is of threads who race for the server, too.
        let isRace = record.exchange?.collective == "fastest-workers" && record.exchange?.clock != "virtual"
        guard record.staleness.method == .serial && !isRace || record.settings.workers == 1 else {
            return "threads raced: the same seed gives other bits each time"
        }
        return "the same seed gives the same course; where it ended was a matter of "
            + (record.status == .interrupted ? "the signal" : "the clock")
    }

    /// The staleness of one run: percentiles by worker, what else was seen, and the histogram.
    public static func staleness(of record: RunRecord) -> String {
        let staleness = record.staleness
        guard staleness.method != .off else { return "staleness was not recorded\n" }
        if staleness.method == .serial { return "staleness 0: every update is made of gradients at the newest model\n" }
        var table = TextTable([
            .text("staleness"), .number("updates seen"), .number("mean"), .number("p50"), .number("p90"),
            .number("p99"), .number("max"),
        ])
        if staleness.all.count == 0 {
            return
                "staleness: no update was looked at, for the run was short beside the one in about \(staleness.every) that are\n"
        }
        func row(_ name: String, _ count: UInt64, _ mean: Double, _ rest: [UInt64]) -> [String] {
            [name, Quantity.grouped(count), Quantity.number(mean)] + rest.map { Quantity.grouped($0) }
        }
        if staleness.perWorker.count > 1 {
            for (rank, worker) in staleness.perWorker.prefix(16).enumerated() {
                table.append(
                    row(
                        "worker \(rank)", worker.count, worker.mean,
                        [worker.p50, worker.p90, worker.p99, worker.max]))
            }
        }
        for server in staleness.perServer?.prefix(16) ?? [] {
            table.append(
                row(
                    "server \(server.server ?? 0)", server.count, server.mean,
                    [server.p50, server.p90, server.p99, server.max]))
        }
        let all = staleness.all
        table.append(row("all workers", all.count, all.mean, [all.p50, all.p90, all.p99, all.max]))
        if let span = staleness.readSpan {
            table.append(row("read span", span.count, span.mean, [span.p50, span.p90, span.p99, span.max]))
        }
        var text = table.rendered()
        if staleness.perWorker.count > 16 { text += "(the first 16 workers; the JSON record has all)\n" }
        switch staleness.method {
        case .sampled: text += "one update in about \(staleness.every) was looked at"
        default: text += "every update was looked at"
        }
        text += (staleness.clock.map { ", stamped by the \($0)" } ?? "") + "\n"
        if let share = staleness.shareReadToWrite {
            text += "from read to write: \(percent(share)) of the workers' time"
            // In short segments workers begin and end one by one.
            if let together = staleness.shareTogether, together < 0.95 {
                text += "; another was at work in \(percent(together)) of it"
            }
            text += "\n"
        }
        if let rate = staleness.lostUpdateRate, let samples = staleness.lostUpdateSamples {
            text +=
                "lost updates: \(Quantity.percent(rate)) of \(Quantity.grouped(samples)) sampled coordinate updates\n"
        }
        if let cost = staleness.measurementCost { text += recordingCost(cost) }
        text += StalenessLines(staleness).text
        let counts = all.histogram.map { (value: $0[0], count: $0[1]) }
        text += "\n" + TerminalHistogram(counts, valueHeader: "tau (updates)").rendered()
        text += "\n" + TerminalECDF(counts, valueHeader: "updates missed").rendered()
        if let matrix = staleness.delayedBy {
            let covered = Double(staleness.delayedByCount ?? all.count) / Double(max(1, all.count))
            let updates = staleness.perWorker.map { UInt64((Double($0.count) * covered).rounded()) }
            text += "\nupdates by each worker between the read and the update of another, on the mean"
            if covered < 1 { text += ", of \(Quantity.grouped(staleness.delayedByCount ?? 0)) updates" }
            text += "\n" + TerminalMatrix(matrix, updates: updates).rendered()
        }
        return text
    }

    private static func recordingCost(_ cost: MeasurementCost) -> String {
        guard cost.isTelling else {
            return "what recording staleness takes of throughput is lost in noise (\(cost.pairs) pairs of passes)\n"
        }
        let share = cost.shareOfThroughput > 0 ? percent(cost.shareOfThroughput) : "no measurable part"
        return "recording staleness takes \(share) of throughput (quartiles \(percent(cost.lowerQuartile)) to "
            + "\(percent(cost.upperQuartile)) over \(cost.pairs) pairs of passes)\n"
    }

    /// One line per run, and beside others one on what it exchanged; of data-parallel SGD alone, whose staleness is 0, only that.
    public static func comparison(of records: [RunRecord]) -> String {
        guard let first = records.first else { return "nothing was run\n" }
        let exchanged = records.filter { $0.exchange != nil }
        if exchanged.count == records.count && records.allSatisfy({ $0.staleness.method == .serial }) {
            return exchangeComparison(of: records)
        }
        let table = ComparisonTable(.shared, first: first).rendered(records)
        return exchanged.isEmpty ? table : table + "\n" + exchangeComparison(of: exchanged)
    }

    /// One line per run, on what data-parallel SGD exchanged, and what seconds are.
    public static func exchangeComparison(of records: [RunRecord]) -> String {
        guard let first = records.first else { return "" }
        return ComparisonTable(.exchange, first: first).rendered(records) + clock(of: first)
    }

    static func ending(_ status: RunStatus) -> String {
        switch status {
        case .completed: "completed"
        case .targetReached: "target reached"
        case .stoppedEarly: "stopped early"
        case .timeLimit: "time limit"
        case .interrupted: "interrupted"
        case .diverged: "diverged"
        case .unchanged: "unchanged"
        }
    }

    /// Five decimals; in short where a run that diverges would fill the line with digits.
    static func text(_ value: Double?) -> String {
        value.map { abs($0) < 1e6 ? Quantity.fixed($0, decimals: 5) : Quantity.number($0) } ?? "-"
    }

    /// With its sign and a digit, since noise may put a cost below zero.
    private static func percent(_ share: Double) -> String { Quantity.fixed(100 * share, decimals: 1) + "%" }
}
