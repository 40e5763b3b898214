// What several runs that differ by their seeds alone come to: means and standard deviations. Any thread; a value type.

public import Measurement

/// Figures of runs of one algorithm with several seeds.
public struct RunSummary: Encodable, Sendable {
    /// One figure over the runs; undefined where it is in one of them, as the loss of a run that diverged.
    public struct Figure: Encodable, Sendable, Equatable {
        public let mean: Double
        /// Of a sample, with n - 1; nil for one run.
        public let standardDeviation: Double?

        /// Of at least one value.
        public init(_ values: [Double]) {
            precondition(!values.isEmpty, "a mean of nothing")
            let mean = values.reduce(0, +) / Double(values.count)
            self.mean = mean
            standardDeviation =
                values.count < 2
                ? nil
                : (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
        }
    }

    public let algorithm: String
    public let workers: Int
    /// Of the runs, in their order.
    public let seeds: [UInt64]
    /// How many ended in which way.
    public let endings: [String: Int]
    /// Of the models that were kept, as in the records' points.
    public let loss: Figure
    /// Nil for regression.
    public let accuracy: Figure?
    /// Nil for classification.
    public let r2: Figure?
    public let seconds: Figure
    public let updatesPerSecond: Figure
    /// The mean staleness of each run, in updates; nil where it was not recorded.
    public let meanStaleness: Figure?

    /// Of the records of one algorithm; those of runs that were interrupted do not count, and nil is where none is left.
    public init?(of records: [RunRecord]) {
        let whole = records.filter { $0.status != .interrupted }
        guard let first = whole.first else { return nil }
        let kept = whole.map { $0.points[$0.keptPoint] }
        func figure(_ values: [Double?]) -> Figure? {
            let present = values.compactMap(\.self)
            return present.count == values.count ? Figure(present) : nil
        }
        algorithm = first.settings.algorithm
        workers = first.settings.workers
        seeds = whole.map(\.settings.seed)
        endings = whole.reduce(into: [:]) { $0[$1.status.rawValue, default: 0] += 1 }
        loss = Figure(kept.map(\.loss))
        accuracy = figure(kept.map(\.accuracy))
        r2 = figure(kept.map(\.r2))
        seconds = Figure(whole.map(\.seconds))
        updatesPerSecond = Figure(whole.map(\.updatesPerSecond))
        meanStaleness = figure(whole.map { $0.staleness.all.count > 0 ? $0.staleness.all.mean : nil })
    }
}
