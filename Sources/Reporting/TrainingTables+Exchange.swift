// What there is to print of data-parallel SGD: what an iteration exchanges and takes. Any thread.

public import Measurement

extension TrainingTables {
    /// Lines on what one run exchanged; nil for other algorithms.
    public static func exchange(of record: RunRecord) -> String? {
        guard let figures = record.exchange else { return nil }
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
        if let dropped = figures.droppedGradients, let share = figures.droppedShare {
            line += ", \(Quantity.grouped(dropped)) gradients dropped (\(Quantity.percent(share)))"
        }
        if let ratio = figures.compressionRatio { line += ", compressed \(Quantity.number(ratio, digits: 3)) times" }
        if let seconds = figures.codecSecondsPerIteration, figures.codec != nil {
            line += ", codecs of one worker \(Quantity.seconds(seconds))"
        }
        if let condition = figures.decodingCondition {
            line += ", gradients decoded with condition number \(Quantity.number(condition, digits: 3)) at most"
        }
        return line + "\n" + clock(figures)
    }

    /// What seconds are, a line; empty for other algorithms.
    public static func clock(of record: RunRecord) -> String { record.exchange.map { clock($0) + "\n" } ?? "" }

    /// What seconds mean.
    private static func clock(_ figures: RunRecord.Exchange) -> String {
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
