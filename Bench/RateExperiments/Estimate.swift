// Slopes on log-log axes with standard errors. Plain arithmetic; any thread.

internal import Glibc

/// A mean over seeds and its standard error.
public struct Estimate: Sendable {
    public let mean: Double
    public let standardError: Double

    /// - Precondition: at least two values.
    public init(_ values: [Double]) {
        precondition(values.count >= 2, "an estimate from \(values.count) values")
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        self.mean = mean
        standardError = (squares / (count - 1) / count).squareRoot()
    }
}

/// The slope of log y against log x by least squares.
///
/// - Parameters:
///   - x: positive, at least two different ones.
///   - runs: for each seed the y, positive, of every x. Each seed gives a slope of its own; the estimate is over seeds.
public func logLogSlope(_ x: [Double], runs: [[Double]]) -> Estimate {
    let logs = x.map(log)
    let center = logs.reduce(0, +) / Double(logs.count)
    let spread = logs.reduce(0) { $0 + ($1 - center) * ($1 - center) }
    return Estimate(
        runs.map { run in zip(logs, run).reduce(0) { $0 + ($1.0 - center) * log($1.1) } / spread })
}

/// x at which y is `value` on the straight line through two points on log-log axes.
public func interpolate(
    _ value: Double, from: (x: Double, y: Double), to: (x: Double, y: Double)
) -> Double {
    let share = (log(from.y) - log(value)) / (log(from.y) - log(to.y))
    return exp(log(from.x) + share * (log(to.x) - log(from.x)))
}
