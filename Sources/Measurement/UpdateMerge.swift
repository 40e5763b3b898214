// Order and staleness of updates from the stamps of all workers. Between segments; one worker's share on any one thread.

/// Counts, for the stamped updates of one worker, the updates of the others between their stamps.
///
/// tau of an update is the number of updates by others that had been applied when this one began to be applied, less that when its read
/// began (DESIGN: t - D(t)); none of the worker's own lies between. Where a worker was not stamping, its updates are taken as spread
/// evenly between the two moments around that its log knows.
public struct UpdateMerge {
    /// What is known after all segments so far.
    public struct Result: Sendable {
        /// Updates by each rank between the read and the write of this worker's stamped updates.
        public var delayedBy: [UInt64]
        /// Ticks between the read's begin and the write's begin, and ticks of whole updates.
        public var inFlightTicks = 0.0
        public var updateTicks = 0.0
        /// Ticks from the begin of a segment to its end for this worker, and those of them in which the others worked, too, on average.
        public var workTicks = 0.0
        public var togetherTicks = 0.0

        public init(workers: Int) { delayedBy = Array(repeating: 0, count: workers) }
    }

    /// Reads all logs, and adds what those of `rank` show to its recorders and its result.
    public static func merge(
        rank: Int, of probes: [UpdateProbe], staleness: StalenessRecorder, readSpan: StalenessRecorder,
        into result: inout Result
    ) {
        let own = probes[rank]
        var peers = probes.indices.filter { $0 != rank }.map { (rank: $0, place: AppliedUpdates(probes[$0])) }
        result.add(own.work, others: peers.map { probes[$0.rank].work })
        for index in 0..<own.count {
            let update = own[index]
            guard update.write != 0 else { continue }
            var (tau, span) = (UInt64(0), UInt64(0))
            for peer in peers.indices {
                let before = peers[peer].place.count(at: update.begin)
                span &+= peers[peer].place.count(at: update.readEnd) &- before
                let passed = peers[peer].place.count(at: update.write) &- before
                tau &+= passed
                result.delayedBy[peers[peer].rank] &+= passed
            }
            staleness.record(tau)
            readSpan.record(span)
            // The log goes on: whoever stamps notes the end, too.
            result.inFlightTicks += Double(update.write &- update.begin)
            result.updateTicks += Double(own[index + 1].begin &- update.begin)
        }
    }
}

extension UpdateMerge.Result {
    /// A segment in which this worker and the others worked from and until these times.
    fileprivate mutating func add(_ own: ClosedRange<UInt64>, others: [ClosedRange<UInt64>]) {
        workTicks += Double(own.upperBound - own.lowerBound)
        for other in others {
            let both = own.clamped(to: other)
            togetherTicks += Double(both.upperBound - both.lowerBound) / Double(others.count)
        }
    }
}

/// How many updates one worker had applied at moments that do not go back.
struct AppliedUpdates {
    private let log: UpdateProbe
    private var index = 0

    init(_ log: UpdateProbe) { self.log = log }

    mutating func count(at time: UInt64) -> UInt64 {
        guard log.count > 0 else { return 0 }
        while index + 1 < log.count && log[index + 1].begin <= time { index += 1 }
        let here = log[index]
        guard index + 1 < log.count, time > here.begin else { return here.completed }
        let next = log[index + 1]
        let between = next.completed &- here.completed
        if between <= 1 { return here.completed }
        let share = Double(time &- here.begin) / Double(next.begin &- here.begin)
        return here.completed &+ min(between, UInt64(share * Double(between)))
    }
}
