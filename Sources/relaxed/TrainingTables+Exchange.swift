// What `train` prints of data-parallel SGD: what an iteration exchanges and takes, and comparisons.

import Measurement
import Reporting

extension TrainingTables {
    /// Lines on what one run exchanged; nil for other algorithms.
    static func exchange(of record: RunRecord) -> String? {
        guard let figures = record.synchronous else { return nil }
        var parts: [String] = []
        if let collective = figures.collective { parts.append("over \(collective)") }
        if let codec = figures.codec {
            parts.append("codec \(codec)" + (figures.errorFeedback ? " with feedback" : ""))
        }
        if figures.momentum > 0 {
            parts.append("\(figures.nesterov ? "Nesterov momentum" : "momentum") \(Quantity.plain(figures.momentum))")
        }
        if figures.weightDecay > 0 { parts.append("weight decay \(Quantity.plain(figures.weightDecay))") }
        if let norm = figures.clipNorm { parts.append("gradients clipped to \(Quantity.plain(norm))") }
        if figures.warmUpEpochs > 0 { parts.append("warm-up \(Quantity.plain(figures.warmUpEpochs)) epochs") }
        var line = parts.joined(separator: ", ")
        if !line.isEmpty { line += "\n" }
        line += "an iteration: \(Quantity.seconds(figures.secondsPerIteration))"
        if let predicted = figures.predictedSecondsPerIteration {
            line += " (predicted \(Quantity.seconds(predicted)))"
        }
        line +=
            ", \(Quantity.bytes(Int(figures.bytesPerIteration.rounded()))) in \(Quantity.plain(figures.messagesPerIteration, digits: 4)) messages"
        if let ratio = figures.compressionRatio { line += ", compressed \(Quantity.number(ratio, digits: 3)) times" }
        if let seconds = figures.codecSecondsPerIteration, figures.codec != nil {
            line += ", codecs of one worker \(Quantity.seconds(seconds))"
        }
        return line + "\n" + clock(figures)
    }

    /// One line per run.
    static func synchronousComparison(of records: [RunRecord]) -> String {
        let first = records[0]
        let isClassification = first.points[0].accuracy != nil
        let hasTarget = first.settings.targetLoss != nil
        let isModel = first.synchronous?.clock != "native"
        var columns: [TextTable.Column] = [
            .text("algorithm"), .text("collective"), .text("codec"), .number("workers"), .number("iterations"),
            .number("s/iteration"),
        ]
        if isModel { columns.append(.number("predicted")) }
        let hasCodecs = records.contains { $0.synchronous?.codecSecondsPerIteration != nil }
        columns += [.number("bytes/iteration"), .number("ratio")]
        if hasCodecs { columns.append(.number("coding")) }
        columns += [.number("epochs"), .number("seconds")]
        if hasTarget { columns += [.number("iterations to target"), .number("seconds to target")] }
        columns.append(.number(first.test == nil ? "loss" : "test loss"))
        columns += [.number(isClassification ? "accuracy" : "R2"), .text("ended")]
        var table = TextTable(columns)
        for record in records {
            guard let figures = record.synchronous else { continue }
            let point = record.points[record.keptPoint]
            var row = [
                record.settings.algorithm, figures.collective ?? "-",
                (figures.codec ?? "-") + (figures.errorFeedback ? " + feedback" : ""), "\(record.settings.workers)",
                Quantity.grouped(record.updates), Quantity.seconds(figures.secondsPerIteration),
            ]
            if isModel { row.append(figures.predictedSecondsPerIteration.map { Quantity.seconds($0) } ?? "-") }
            row += [
                Quantity.bytes(Int(figures.bytesPerIteration.rounded())),
                figures.compressionRatio.map { Quantity.number($0, digits: 3) } ?? "-",
            ]
            if hasCodecs { row.append(figures.codecSecondsPerIteration.map { Quantity.seconds($0) } ?? "-") }
            row += [
                Quantity.number(record.points[record.points.count - 1].epoch, digits: 3),
                Quantity.fixed(record.seconds, decimals: 3),
            ]
            if hasTarget {
                row += [
                    record.updatesToTarget.map { Quantity.grouped($0) } ?? "-",
                    record.secondsToTarget.map { Quantity.fixed($0, decimals: 3) } ?? "-",
                ]
            }
            table.append(
                row + [text(point.loss), text(isClassification ? point.accuracy : point.r2), ending(record)])
        }
        let coded = records.first { $0.synchronous?.codecTime != nil } ?? first
        return table.rendered() + (coded.synchronous.map { clock($0) + "\n" } ?? "")
    }

    /// What seconds mean.
    private static func clock(_ figures: RunRecord.Synchronous) -> String {
        guard let latency = figures.latencySeconds, let transfer = figures.secondsPerMegabyte else {
            return "seconds are those of this machine"
        }
        var line = "seconds are those of the switch model"
        if figures.clock == "wall" { line += ", injected as delays" }
        line +=
            ": latency \(Quantity.seconds(latency)), \(Quantity.seconds(transfer)) per megabyte, \(figures.ports ?? "")"
        line += " ports"
        if let compute = figures.computeSeconds {
            line += "; a minibatch takes \(Quantity.seconds(compute))"
            line += figures.computeWasMeasured ? ", measured on this machine" : ""
        }
        switch figures.codecTime {
        case nil: break
        case "none": line += "; coding takes no time"
        case "measured": line += "; coding takes what it takes on this machine"
        case let seconds?:
            line += "; coding takes \(Double(seconds).map { Quantity.seconds($0) } ?? seconds) per megabyte of floats"
        }
        if let straggler = figures.straggler { line += "; stragglers \(straggler)" }
        return line
    }
}
