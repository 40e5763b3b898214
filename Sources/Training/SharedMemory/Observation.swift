// How hogwild's updates are looked at: when, in which memory, and what it showed. The coordinator's thread, between segments.

internal import Datasets
internal import Measurement
internal import Platform
internal import Synchronization

/// The stamps of a run's updates and what follows from them.
final class Observation {
    /// What all workers' stamps may take together.
    static let mostBytes = 64 << 20
    /// Looked at in a run, where nobody says how often.
    private static let updatesWanted = 2_048
    /// One stamped update in so many is watched, too, where all are stamped.
    private static let watchPeriod = 32
    /// Goes end between blocks and batches: the longest is not much longer than the mean.
    private static let spare = 256

    /// One update in this many is stamped.
    let every: Int
    private let workers: Int
    /// Of one worker in an epoch, about.
    private let updatesPerEpoch: Int
    private let rowsPerUpdate: Int
    private let capacity: Int
    /// What one update takes, in ticks; guessed until some have been made.
    private var updateTicks: Double
    private var segments = 0

    /// nil where nothing is looked at: one worker has no staleness.
    init?(
        of train: SparseDataset, workers: [SharedWorker], _ options: TrainingOptions,
        mostBytes: Int = Observation.mostBytes
    ) throws(InputError) {
        guard options.algorithm.facts.options.contains(.stalenessEvery) && workers.count > 1, options.staleness != .off
        else { return nil }
        let batch = workers[0].batchSize
        self.workers = workers.count
        let rows = workers.map { worker in worker.schedule.partition.rowCount }.max() ?? 0
        updatesPerEpoch = (rows + batch - 1) / batch
        rowsPerUpdate = batch
        let inAll = Double(updatesPerEpoch * workers.count) * Double(options.epochs)
        every =
            switch options.staleness {
            case .sampled(let every?): every
            case .sampled:
                max(1, Int(min(Double(StalenessRecording.defaultPeriod), inAll / Double(Self.updatesWanted))))
            case .exact, .off: 1
            }
        capacity = Self.capacity(
            every: every, updates: updatesPerEpoch, rowsPerUpdate: batch, mostBytes: mostBytes / workers.count)
        for worker in workers {
            worker.probe = try UpdateProbe(capacity: capacity)
            worker.watchPeriod = every == 1 ? Self.watchPeriod : nil
        }
        let nonzeros = Double(train.nonzeroCount) / Double(max(1, train.rowCount))
        updateTicks = Double(batch) * (2e-8 + 3e-9 * nonzeros) * StampClock.best.ticksPerSecond
    }

    /// What the workers' stamps may take of memory in a run, in bytes.
    static func bytes(rows: Int, workers: Int, _ options: TrainingOptions) -> Int {
        guard options.algorithm.facts.options.contains(.stalenessEvery) && workers > 1, options.staleness != .off else {
            return 0
        }
        let each = capacity(
            every: 1, updates: rows / workers / max(1, options.batchSize) + 1, rowsPerUpdate: options.batchSize,
            mostBytes: mostBytes / workers)
        return workers * each * MemoryLayout<UpdateStamps>.size
    }

    /// How many stamps a worker has room for: all that it needs in an epoch, or as many as `mostBytes` hold.
    private static func capacity(every: Int, updates: Int, rowsPerUpdate: Int, mostBytes: Int) -> Int {
        let need = stamps(every: every, updates: updates, rowsPerUpdate: rowsPerUpdate) + spare
        return max(1_024, min(mostBytes / MemoryLayout<UpdateStamps>.size, need))
    }

    /// How many stamps so many updates of one worker take: themselves, the moments around them, and with windows some to spare.
    private static func stamps(every: Int, updates: Int, rowsPerUpdate: Int) -> Int {
        let moments = 64 + 4 * (updates * min(rowsPerUpdate, 2_048) / 2_048 + 1)
        return every == 1 ? updates + moments : 4 * updates / every + moments
    }

    /// In how many goes one of `parts` parts of an epoch is run, so that the stamps of each have room.
    func goes(parts: Int) -> Int {
        let need = Self.stamps(every: every, updates: updatesPerEpoch / parts + 1, rowsPerUpdate: rowsPerUpdate)
        return (need + capacity - Self.spare - 1) / (capacity - Self.spare)
    }

    /// The windows of the next segment.
    func nextWindows() -> ProbeWindows {
        segments += 1
        return ProbeWindows(
            every: every, now: StampClock.best.now(), updateTicks: updateTicks, segment: segments)
    }

    /// Works out what the stamps of a segment of so many updates show, each worker's on its own thread.
    func merge(_ workers: [SharedWorker], team: WorkerTeam, updates: UInt64, seconds: Double) {
        if updates > 0 && seconds > 0 {
            let running = min(workers.count, Affinity.processCPUCount)
            updateTicks = seconds * Double(running) / Double(updates) * StampClock.best.ticksPerSecond
        }
        let probes = workers.compactMap(\.probe)
        team.run { rank in
            guard rank < workers.count else { return }
            let worker = workers[rank]
            UpdateMerge.merge(
                rank: rank, of: probes, staleness: worker.staleness, readSpan: worker.readSpan, into: &worker.merged)
        }
    }
}
