// How staleness went from evaluation to evaluation. The coordinator, in pauses.

/// The means of the parts of a run, at most some hundreds: where there are more, neighbours are put together.
public struct StalenessOverTime: Sendable {
    private static let most = 512
    private var seen: (count: UInt64, sum: UInt64) = (0, 0)
    private var periods: [(updates: UInt64, count: UInt64, sum: UInt64)] = []
    /// How many parts a period is made of, and how many of the last one are there.
    private var length = 1
    private var filled = 0

    public init() {}

    /// Takes the end of a part of a run of `updates` updates so far, in which recorders have come to all that `recorders` hold.
    public mutating func note(updates: UInt64, _ recorders: [StalenessRecorder]) {
        let (count, sum) = recorders.reduce((UInt64(0), UInt64(0))) { ($0.0 &+ $1.count, $0.1 &+ $1.sum) }
        let part = (updates: updates, count: count &- seen.count, sum: sum &- seen.sum)
        seen = (count, sum)
        if filled > 0 && filled < length {
            let last = periods[periods.count - 1]
            periods[periods.count - 1] = (updates, last.count + part.count, last.sum &+ part.sum)
            filled += 1
            return
        }
        if periods.count == Self.most {
            periods = stride(from: 0, to: Self.most, by: 2).map {
                (
                    periods[$0 + 1].updates, periods[$0].count + periods[$0 + 1].count,
                    periods[$0].sum &+ periods[$0 + 1].sum
                )
            }
            length *= 2
        }
        periods.append(part)
        filled = 1
    }

    public var summary: [StalenessSummary.Period] {
        periods.map {
            StalenessSummary.Period(
                updates: $0.updates, count: $0.count, mean: $0.count > 0 ? Double($0.sum) / Double($0.count) : nil)
        }
    }
}
