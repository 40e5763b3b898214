// When one worker merges its replica, and what that takes. The worker's own thread; the coordinator reads between segments.

internal import Kernels
internal import Measurement
internal import Platform

/// One worker's part in merging the replica that it changes.
final class ReplicaWorker {
    /// The share of a worker's time that merging may take, where drift does not ask for more. What merging drives out of the caches costs
    /// about as much again.
    private static let mostTime = 0.0125

    let replicas: Replicas
    let copy: ReplicaCopy
    private let rank: Int
    private let rowsPerUpdate: Int
    /// Rows between two merges that were asked for; nil where they follow from what merging takes and how replicas drift.
    private let fixedRows: Int?
    private let period: MergePeriod?
    /// Where merges begin, another chunk for each replica.
    private let firstChunk: Int
    private let clock = StampClock.best
    /// Until the next merge, of the whole replica or of frequent coordinates.
    private(set) var updatesUntilMerge: Int
    /// Until the next one of the whole replica, from the last merge of any kind.
    private var updatesUntilWhole = 0
    private var updatesBetween = 0
    private let frequent: [(chunk: Int, places: [Int])]
    /// When the updates that are timed began, and how many have been made since.
    private var begin: UInt64 = 0
    private var updatesTimed = 0
    /// The fewest ticks lately, since what is more is somebody else's time on this core.
    private var rowTicks = Double.infinity
    private var mergeTicks = Double.infinity
    /// Since the run began: merges, ticks in them, and ticks between them.
    private(set) var merges = 0
    private(set) var ticksMerging: UInt64 = 0
    private(set) var ticksTraining: UInt64 = 0
    /// Rows between two merges, as it was last.
    var rowsBetween: Int { updatesBetween * rowsPerUpdate }

    /// The staleness of its updates.
    var staleness: StalenessRecorder { copy.staleness[place] }
    /// Updates by each rank that its own did not see.
    var delayedBy: [UInt64] { copy.delayedBy[place] }
    /// Its place among those who change the same replica.
    private let place: Int

    init(_ replicas: Replicas, rank: Int, rowsPerUpdate: Int, rows: Int?, period: MergePeriod?) {
        precondition(rows != nil || period != nil, "nothing says when to merge")
        self.replicas = replicas
        self.rank = rank
        self.rowsPerUpdate = rowsPerUpdate
        copy = replicas.copy(of: rank)
        fixedRows = rows
        frequent =
            rows != nil
            ? []
            : Dictionary(grouping: period?.frequent ?? []) { $0 / ReplicaCopy.chunkFloats }
                .sorted { $0.key < $1.key }.map { (chunk: $0.key, places: $0.value) }
        self.period = period
        place = copy.plan.members.firstIndex(of: rank)!
        let leaves = replicas.plan.copies.indices.filter { !replicas.plan.copies[$0].members.isEmpty }
        firstChunk = leaves.firstIndex(of: replicas.plan.copyOfRank[rank])! * replicas.chunks / leaves.count
        // The first time at another moment for each rank.
        updatesUntilMerge = 0
    }

    /// Begins a segment whose first updates step by `stepSize` along a row.
    func begin(stepSize: Double) {
        begin = clock.now()
        updatesTimed = 0
        let isFirst = updatesBetween == 0
        updatesBetween = updates(stepSize)
        let ranks = replicas.plan.copyOfRank.count
        let left = isFirst ? max(1, updatesBetween * (rank + 1) / ranks) : updatesUntilWhole
        plan(whole: max(1, min(left, updatesBetween)), stepSize)
    }

    /// The next merge of the whole replica is after so many updates, and those of frequent coordinates come between.
    private func plan(whole updates: Int, _ stepSize: Double) {
        updatesUntilWhole = updates
        updatesUntilMerge = updates
        if let period, !frequent.isEmpty {
            updatesUntilMerge = min(updates, max(1, period.frequentRows(stepSize: stepSize) / rowsPerUpdate))
        }
    }

    /// Updates were made.
    @inline(__always) func count(_ updates: Int) {
        updatesUntilMerge &-= updates
        updatesUntilWhole &-= updates
        updatesTimed &+= updates
    }

    /// Merges after `updates` of this worker's in all, the next ones of which step by `stepSize`.
    @inline(never) func merge(updates: UInt64, stepSize: Double) {
        let start = clock.now()
        if updatesUntilWhole > 0 {
            replicas.merge(rank: rank, coordinates: frequent)
            let end = clock.now()
            ticksMerging &+= end &- start
            ticksTraining &+= start &- begin
            begin = end
            updatesTimed = 0
            return plan(whole: updatesUntilWhole, stepSize)
        }
        replicas.merge(rank: rank, updates: updates, from: firstChunk)
        let end = clock.now()
        merges += 1
        ticksMerging &+= end &- start
        ticksTraining &+= start &- begin
        mergeTicks = min(1.05 * mergeTicks, Double(end &- start))
        if updatesTimed > 0 {
            rowTicks = min(1.05 * rowTicks, Double(start &- begin) / Double(updatesTimed * rowsPerUpdate))
        }
        begin = end
        updatesTimed = 0
        updatesBetween = self.updates(stepSize)
        plan(whole: updatesBetween, stepSize)
    }

    /// Ends a segment.
    func finish(updates: UInt64) {
        replicas.publish(updates, rank: rank)
        ticksTraining &+= clock.now() &- begin
    }

    private func updates(_ stepSize: Double) -> Int {
        let rows: Int
        if let fixedRows {
            rows = fixedRows
        } else if let period {
            let cheap = mergeTicks / (Self.mostTime * rowTicks)
            let most = period.rows(stepSize: stepSize)
            // Before the first merge nothing is known of what it takes.
            rows = mergeTicks.isFinite && cheap < Double(most) ? max(MergePeriod.fewestRows, Int(cheap)) : most
        } else {
            rows = .max
        }
        return max(1, rows / rowsPerUpdate)
    }
}
