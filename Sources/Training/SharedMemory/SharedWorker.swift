// What one worker on a shared model owns. Written by its own thread during a run, read by the coordinator between runs.

internal import Datasets
internal import Kernels
internal import Measurement
internal import Objectives
internal import Platform

/// One worker: its rows, its order, its random stream and what it has measured.
final class SharedWorker: @unchecked Sendable {
    // Sendable: during a run only the thread of rank `rank` touches it, between runs only the coordinator; the team's start and
    // end order the two.

    let rank: Int
    let workers: Int
    let seed: UInt64
    let schedule: RowSchedule
    let batchSize: Int
    /// B, or M/N where no worker has so many rows: what sums of gradients are divided by, so that all rows count alike.
    let fullBatch: Float
    /// The share of its weights that a penalty has still to take, of minibatch-sgd.
    var owedShrinkage = 0.0
    /// Updates made so far by this worker.
    var updates: UInt64 = 0
    /// Staleness of its updates.
    let staleness = StalenessRecorder()
    /// Updates by others during the reads that were stamped.
    let readSpan = StalenessRecorder()
    /// What else its stamps showed; see `UpdateMerge`.
    var merged: UpdateMerge.Result
    /// Where it stamps its updates; nil where nobody looks.
    var probe: UpdateProbe?
    /// Its part in merging replicas; nil where it changes the model itself.
    var replica: ReplicaWorker?
    /// Coordinate updates that were watched, those among them that overwrote another worker's, and what these had added.
    var sampledCoordinates: UInt64 = 0
    var lostCoordinates: UInt64 = 0
    var overwritten = 0.0
    /// Where every update is stamped, one in this many is watched, too; nil where windows of their own are for that.
    var watchPeriod: Int? { didSet { updatesUntilWatched = watchPeriod ?? 0 } }
    /// At 1 the next update that is stamped is watched, too; 0 for none.
    private(set) var updatesUntilWatched = 0
    /// Whether a derivative came out as NaN or infinite.
    var sawNonFinite = false
    /// The rows and derivatives of one minibatch.
    let batchRows: PageBuffer<Int>
    let batchDerivatives: PageBuffer<Float>
    /// How many of these wait for the rest of their minibatch: where a segment ends, or the worker looks at the clock, is nothing to it.
    var waitingRows = 0
    /// Whether the blocks that are worked on are the last of the epoch, whose last minibatch may be smaller.
    var isAtEnd = false
    /// The state of the random rounding of a penalty, one word.
    let dither: PageBuffer<UInt64>

    /// What a worker takes beside its schedule, in bytes.
    static func memoryBytes(batchSize: Int) -> Int {
        PageBuffer<Int>.byteCount(of: batchSize) + PageBuffer<Float>.byteCount(of: batchSize)
            + 2 * StalenessRecorder.memoryBytes
    }

    init(
        rank: Int, workers: Int, seed: UInt64, schedule: RowSchedule, batchSize: Int
    ) throws(InputError) {
        self.rank = rank
        self.workers = workers
        self.seed = seed
        self.schedule = schedule
        self.batchSize = batchSize
        fullBatch = Float(min(Double(batchSize), max(1, Double(schedule.rowCount) / Double(workers))))
        dither = try PageBuffer(count: 1)
        var stream = RandomStream(seed: seed, for: .rounding, rank: UInt32(rank))
        unsafe dither.pointer.pointee = stream.next()
        merged = UpdateMerge.Result(workers: workers)
        batchRows = try PageBuffer(count: batchSize)
        batchDerivatives = try PageBuffer(count: batchSize)
    }

    /// By how much its next update steps along one row.
    func rowStep(_ stepSize: EpochStepSize) -> Double {
        Double(stepSize.value(updates &* UInt64(workers))) / Double(fullBatch)
    }

    /// One update more has been stamped.
    @inline(__always) func countDownToWatched() {
        guard let watchPeriod else { return }
        updatesUntilWatched = updatesUntilWatched <= 1 ? watchPeriod : updatesUntilWatched - 1
    }

    /// The rows of some blocks of the order.
    @inline(__always) func cursor(_ blocks: Range<Int>, rows: CSRRows) -> RowCursor {
        unsafe RowCursor(
            rows: rows, starts: schedule.starts, blocks: blocks, blockLength: schedule.blockLength,
            rowEnd: schedule.rowCount)
    }
}
