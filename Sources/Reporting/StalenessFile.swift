// The staleness of a run in a file of its own. Any thread.

public import Measurement
public import Platform

/// Staleness as CSV, one number a line, or as the JSON object that run records have.
public enum StalenessFile {
    private static let option = "--staleness-out"

    /// Refuses a name that says neither of the formats.
    public static func check(_ path: String) throws(InputError) { _ = try isCSV(path) }

    public static func write(_ staleness: StalenessSummary, to path: String) throws {
        if try isCSV(path) {
            try AtomicFile.write(csv(staleness), to: path, option: option)
        } else {
            try JSONOutput.write(staleness, to: path, option: option)
        }
    }

    private static func isCSV(_ path: String) throws(InputError) -> Bool {
        if path.hasSuffix(".csv") { return true }
        if path.hasSuffix(".json") { return false }
        throw InputError(at: "\(option) \(path)", found: "no ending that says a format", expected: ".csv or .json")
    }

    /// `table,index,value,count`: distributions (`all`, `worker`, `server`, `readSpan`) have a line for each value of tau; `delayedBy` one for
    /// each pair, the worker whose updates were delayed, then who delayed them; `overTime` and `lockWait` a mean tau as value, of the updates
    /// until `index`, or of waits of at least `index` seconds.
    public static func csv(_ staleness: StalenessSummary) -> String {
        var text = "table,index,value,count\n"
        func add(_ table: String, _ index: String, _ distribution: StalenessSummary.Distribution) {
            for pair in distribution.histogram { text += "\(table),\(index),\(pair[0]),\(pair[1])\n" }
        }
        add("all", "", staleness.all)
        for (rank, worker) in staleness.perWorker.enumerated() { add("worker", "\(rank)", worker) }
        for server in staleness.perServer ?? [] { add("server", "\(server.server ?? 0)", server) }
        if let span = staleness.readSpan { add("readSpan", "", span) }
        for (i, row) in (staleness.delayedBy ?? []).enumerated() {
            for (j, count) in row.enumerated() { text += "delayedBy,\(i),\(j),\(count)\n" }
        }
        for period in staleness.overTime ?? [] {
            text += "overTime,\(period.updates),\(period.mean.map { "\($0)" } ?? ""),\(period.count)\n"
        }
        for wait in staleness.lockWaits ?? [] {
            text += "lockWait,\(wait.atLeastSeconds),\(wait.meanStaleness),\(wait.count)\n"
        }
        return text
    }
}
