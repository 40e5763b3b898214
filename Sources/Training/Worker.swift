// What one worker of a training run owns. Written by its own thread during a run, read by the coordinator between runs.

internal import Datasets
internal import Kernels
internal import Measurement
internal import Objectives
internal import Platform

/// One worker: its rows, its order, its random stream and what it has measured.
final class Worker: @unchecked Sendable {
    // Sendable: during a run only the thread of rank `rank` touches it, between runs only the coordinator; the team's start and
    // end order the two.

    let rank: Int
    let workers: Int
    let seed: UInt64
    let schedule: RowSchedule
    let batchSize: Int
    /// Updates made so far by this worker.
    var updates: UInt64 = 0
    /// Staleness of its updates.
    let staleness = StalenessRecorder()
    /// Updates by others during its sampled reads.
    let readSpan = StalenessRecorder()
    /// Sampled coordinate updates, and those among them that overwrote another worker's.
    var sampledCoordinates: UInt64 = 0
    var lostCoordinates: UInt64 = 0
    /// Updates until the next sample is due.
    var untilSample: Int
    /// One entry per update where the run keeps a log.
    var log: [UpdateLogEntry] = []
    /// Whether a derivative came out as NaN or infinite.
    var sawNonFinite = false
    /// The rows and derivatives of one minibatch.
    let batchRows: PageBuffer<Int>
    let batchDerivatives: PageBuffer<Float>

    /// What a worker takes beside its schedule, in bytes.
    static func memoryBytes(batchSize: Int) -> Int {
        PageBuffer<Int>.byteCount(of: batchSize) + PageBuffer<Float>.byteCount(of: batchSize)
            + 2 * StalenessRecorder.memoryBytes
    }

    init(
        rank: Int, workers: Int, seed: UInt64, schedule: RowSchedule, batchSize: Int, sampleEvery: Int
    ) throws(InputError) {
        self.rank = rank
        self.workers = workers
        self.seed = seed
        self.schedule = schedule
        self.batchSize = batchSize
        // Ranks start at different places of the period, so that their samples do not coincide.
        untilSample = 1 + sampleEvery * rank / max(1, workers)
        batchRows = try PageBuffer(count: batchSize)
        batchDerivatives = try PageBuffer(count: batchSize)
    }

    /// The rows of some blocks of the order.
    @inline(__always) func cursor(_ blocks: Range<Int>, rows: CSRRows) -> RowCursor {
        unsafe RowCursor(
            rows: rows, starts: schedule.starts, blocks: blocks, blockLength: schedule.blockLength,
            rowEnd: schedule.rowCount)
    }
}

/// One update of the shared model: by whom, which version its gradient was read at, and which update it was.
public struct UpdateLogEntry: Sendable, Equatable {
    public let worker: Int
    /// D(t): updates applied before the read.
    public let readVersion: UInt64
    /// t: updates applied before this one.
    public let writeVersion: UInt64
}
