// How long a worker waited for a lock, beside how stale its update then was. Its own thread writes, the coordinator reads in pauses.

internal import Platform

/// Waits of some of one worker's updates, by powers of two of their length.
public struct LockWaits: Sendable {
    /// One update in so many is looked at: a prime, so that no rhythm of the workers hides from it.
    public static let period = 61

    private var counts = [UInt64](repeating: 0, count: 64)
    private var sums = [UInt64](repeating: 0, count: 64)
    public init() {}

    /// Writes down a wait of so many ticks by an update of staleness `tau`.
    public mutating func record(ticks: UInt64, tau: UInt64) {
        let place = 63 - min(ticks, 1 << 62).leadingZeroBitCount
        counts[max(0, place)] += 1
        sums[max(0, place)] &+= tau
    }

    /// All workers' waits together, the shortest first; those too short to tell count as 0.
    public static func summary(of waits: [LockWaits]) -> [StalenessSummary.LockWait] {
        let tick = 1 / StampClock.best.ticksPerSecond
        return (0..<64).compactMap { place in
            let count = waits.reduce(0) { $0 + $1.counts[place] }
            let sum = waits.reduce(0) { $0 &+ $1.sums[place] }
            guard count > 0 else { return nil }
            return StalenessSummary.LockWait(
                atLeastSeconds: place == 0 ? 0 : Double(UInt64(1) << UInt64(place)) * tick, count: count,
                meanStaleness: Double(sum) / Double(count))
        }
    }
}
