// What is known of staleness beside its distribution, a line each. Any thread.

internal import Measurement

/// Concurrency, torn reads, waits for the lock and the course of the mean.
struct StalenessLines {
    private let staleness: StalenessSummary

    init(_ staleness: StalenessSummary) { self.staleness = staleness }

    /// Lines ended by newlines; none where nothing is known.
    var text: String { [concurrency, torn, waits, course].compactMap { $0.map { $0 + "\n" } }.joined() }

    private var concurrency: String? {
        guard let mean = staleness.concurrencyMean else { return nil }
        var line = "gradients under way at an update: \(Quantity.number(mean)) on the mean"
        if let most = staleness.concurrencyMax { line += ", \(most) at the most" }
        if let seconds = staleness.meanSecondsUnderWay { line += "; each for \(Quantity.seconds(seconds))" }
        return line
    }

    private var torn: String? {
        guard let reads = staleness.reads, let torn = staleness.tornReads, reads > 0 else { return nil }
        return
            "torn reads: \(Quantity.percent(Double(torn) / Double(reads))) of \(Quantity.grouped(Int(reads))) saw parts of the model "
            + "after different numbers of updates"
    }

    private var waits: String? {
        guard let waits = staleness.lockWaits else { return nil }
        let all = waits.reduce(0) { $0 + $1.count }
        // The median, and what is slower than nine in ten.
        func place(_ share: Double) -> Int {
            var sum = 0.0
            return waits.firstIndex {
                sum += Double($0.count)
                return sum >= share * Double(all)
            } ?? waits.count - 1
        }
        func mean(_ part: ArraySlice<StalenessSummary.LockWait>) -> String {
            let count = part.reduce(0.0) { $0 + Double($1.count) }
            return Quantity.number(
                part.reduce(0.0) { $0 + $1.meanStaleness * Double($1.count) } / max(1, count), digits: 3)
        }
        let (half, most) = (place(0.5), place(0.9))
        return "waits for the lock: half below \(Quantity.seconds(2 * waits[half].atLeastSeconds)), nine in ten below "
            + "\(Quantity.seconds(2 * waits[most].atLeastSeconds)); mean tau \(mean(waits[...half])) up to the median, "
            + "\(mean(waits[most...])) in the longest (\(Quantity.grouped(Int(all))) looked at)"
    }

    /// The mean of each part of the run, in at most 60 columns.
    private var course: String? {
        let means = (staleness.overTime ?? []).compactMap(\.mean)
        guard means.count > 1, let most = means.max(), most > 0, let least = means.min() else { return nil }
        let step = (means.count + 59) / 60
        let bars = stride(from: 0, to: means.count, by: step).map { first -> String in
            let part = means[first..<min(first + step, means.count)]
            let mean = part.reduce(0, +) / Double(part.count)
            return ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"][min(7, Int(8 * mean / most))]
        }
        return
            "mean tau over time: \(bars.joined()) (\(Quantity.number(least, digits: 3)) to \(Quantity.number(most, digits: 3)))"
    }
}
