// Where one worker writes down the staleness of its own updates; merged and summarised after the run.

import Histogram

/// The staleness (DESIGN: tau = t - D(t)) of one worker's updates.
///
/// Owned and written by one worker thread while it runs, read by the coordinator between runs. Values below 2,048 are counted
/// exactly, larger ones to 0.1 percent; count, sum and maximum are always exact. Recording allocates nothing.
public struct StalenessRecorder: Sendable {
    /// The largest value that is counted as itself; larger ones count as this one.
    public static let largestTrackable: UInt64 = 1 << 40

    var histogram: Histogram<UInt64>
    /// How many updates were recorded.
    public private(set) var count: UInt64 = 0
    /// The sum of their staleness.
    public private(set) var sum: UInt64 = 0
    /// The largest staleness.
    public private(set) var maximum: UInt64 = 0

    public init() {
        histogram = Histogram(
            highestTrackableValue: Self.largestTrackable, numberOfSignificantValueDigits: .three)
    }

    /// Records one or more updates of staleness `tau`.
    public mutating func record(_ tau: UInt64, count times: UInt64 = 1) {
        guard times > 0 else { return }
        _ = histogram.record(min(tau, Self.largestTrackable), count: times)
        count &+= times
        sum &+= tau &* times
        maximum = max(maximum, tau)
    }

    /// Adds what another recorder has seen.
    public mutating func merge(_ other: StalenessRecorder) {
        histogram.add(other.histogram)
        count &+= other.count
        sum &+= other.sum
        maximum = max(maximum, other.maximum)
    }
}
