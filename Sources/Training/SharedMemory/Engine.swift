// Drives the worker loops of one run: who works on which rows, for how long, and what they measured. The coordinator calls it.

internal import Datasets
internal import Kernels
internal import Measurement
internal import Objectives
internal import Platform

/// A segment of an epoch for all workers.
struct Segment {
    /// Segment `index` of `count` equal ones of the epoch.
    let index: Int
    let count: Int
    let stepSize: EpochStepSize
    /// On the monotonic clock.
    let deadline: UInt64?
    /// The user's wish to end.
    let stop: StopRequest
    /// Goes up when a worker has seen a value that is not finite.
    let halt: StopRequest

    /// Whether there is a reason to go no further.
    var isOver: Bool {
        if stop.isRequested || halt.isRequested { return true }
        if let deadline { return monotonicNanoseconds() >= deadline }
        return false
    }
}

/// The workers of one algorithm and what they share besides the model.
final class Engine: @unchecked Sendable {
    // Sendable: constants, values with their own synchronisation, and workers, which are touched by their own threads only.

    /// Rows between two looks at the clock and at the stop request.
    private static let rowsPerLook = 2_048

    let workers: [SharedWorker]
    let batchSize: Int
    let algorithm: any InPlaceAlgorithm
    private let objective: LinearObjective
    private let train: SparseDataset
    private let penalty: SparsePenalty?
    private let counters: WorkerCounters
    let recording: StalenessRecording
    /// How updates of hogwild are looked at; nil where they are not.
    var observation: Observation?
    /// The copies of the model that workers change in its place; nil where they change the model.
    private(set) var replicas: Replicas?
    private(set) var overTime = StalenessOverTime()
    /// Rows per worker; `counters` has their updates.
    private let rowsVisited: WorkerCounters

    init(
        _ algorithm: any InPlaceAlgorithm, on problem: LinearProblem, team: WorkerTeam, options: TrainingOptions
    ) throws(InputError) {
        train = problem.train
        self.algorithm = algorithm
        objective = problem.objective
        recording = options.staleness
        let facts = type(of: algorithm).facts
        batchSize = facts.options.contains(.batchSize) ? options.batchSize : 1
        let count = facts.isSerial ? 1 : team.count
        var workers: [SharedWorker] = []
        var places: [(range: Range<Int>, node: Int)] = []
        for rank in 0..<count {
            let schedule = try RowSchedule(
                options.order, rowCount: train.rowCount, rank: rank, workers: count, seed: options.seed)
            if let node = team.placement.workers[rank].memoryNode {
                places += schedule.partition.chunks.map { (range: $0, node: node) }
            }
            workers.append(
                try SharedWorker(
                    rank: rank, workers: count, seed: options.seed, schedule: schedule, batchSize: batchSize))
        }
        train.place(NodeRanges(places))
        self.workers = workers
        observation = try Observation(of: train, workers: workers, options)
        rowsVisited = WorkerCounters(workers: count)
        counters = WorkerCounters(workers: count)
        penalty = algorithm is MinibatchSGD ? nil : try problem.rowPenalty()
    }

    /// Updates made so far by all workers; while they run, as of each one's last look at the clock.
    var updates: UInt64 { counters.total() }

    /// Rows visited so far by all workers; while they run, as of each one's last look at the clock.
    var rowsDone: UInt64 { rowsVisited.total() }

    /// Into how many segments an epoch can be cut so that each has rows for some worker, and there are no more than updates.
    var mostSegments: Int {
        workers.reduce(1) { max($0, min($1.schedule.blockCount, $1.schedule.partition.rowCount / batchSize)) }
    }

    /// Lays out the order of an epoch on the workers; returns the seconds it took.
    func prepare(epoch: Int, team: WorkerTeam) -> Double {
        team.run { rank in
            if rank < self.workers.count { self.workers[rank].schedule.prepare(epoch: epoch) }
        }
    }

    /// From now on workers change these copies of the model. Outside of a segment.
    func use(_ replicas: Replicas, rows: Int?, period: MergePeriod?, team: WorkerTeam) {
        self.replicas = replicas
        // Its staleness follows from counts.
        observation = nil
        for worker in workers { worker.probe = nil }
        replicas.join(workers, rows: rows, period: period, team: team)
    }

    /// Runs a segment of the prepared epoch; returns its seconds, and whether all derivatives were finite.
    ///
    /// In several goes where the workers' memory for stamps would not do for one; what the stamps show is worked out after each, outside
    /// the seconds.
    func run(
        _ segment: Segment, model: SharedParameters, team: WorkerTeam, whileWaiting: () -> Void
    ) -> (seconds: Double, finite: Bool) {
        let goes = observation?.goes(parts: segment.count) ?? 1
        var seconds = 0.0
        for go in 0..<goes where go == 0 || !segment.isOver {
            let (windows, before) = (observation?.nextWindows(), updates)
            var taken = team.run(
                { rank in
                    guard rank < self.workers.count else { return }
                    let worker = self.workers[rank]
                    let first = worker.schedule.blockCount * segment.index / segment.count
                    let blocks = worker.schedule.blockCount * (segment.index + 1) / segment.count - first
                    self.work(
                        worker, segment, first + blocks * go / goes..<first + blocks * (go + 1) / goes, windows, model
                    ) { rows in
                        self.rowsVisited.add(UInt64(rows), rank: rank)
                        self.counters.publish(worker.updates, rank: rank)
                    }
                },
                whileWaiting: whileWaiting, every: 0.1)
            if let replicas {
                taken += team.run { rank in replicas.settle(rank: rank, of: team.count) }
            }
            seconds += taken
            observation?.merge(workers, team: team, updates: updates - before, seconds: taken)
        }
        if observation != nil { overTime.note(updates: updates, workers.map(\.staleness)) }
        return (seconds, !workers.contains { $0.sawNonFinite })
    }

    /// The blocks `range` of one worker's order, in pieces between which it looks at the clock and at the stop request. `note` is told how many
    /// rows each has had.
    func work(
        _ worker: SharedWorker, _ segment: Segment, _ range: Range<Int>, _ windows: ProbeWindows?,
        _ model: SharedParameters, note: (_ rows: Int) -> Void
    ) {
        let schedule = worker.schedule
        let blocksPerPiece = max(1, Self.rowsPerLook / schedule.blockLength)
        let clock = StampClock.best
        let parameters = worker.replica?.copy.values ?? model
        let shared = unsafe SharedModel(
            step: LinearStep(
                objective: objective, features: train.featureCount, rows: train.rows, model: parameters.pointer,
                penaltyWeights: penalty?.weights.pointer, dither: worker.dither.pointer),
            loss: objective.loss, parameters: parameters, features: train.featureCount, clock: clock)
        if let windows { worker.probe?.begin(windows, at: clock.now(), completed: worker.updates) }
        worker.replica?.begin(stepSize: worker.rowStep(segment.stepSize))
        defer {
            worker.probe?.finish(at: clock.now(), completed: worker.updates)
            worker.replica?.finish(updates: worker.updates)
        }
        var block = range.lowerBound
        while block < range.upperBound {
            let piece = block..<min(range.upperBound, block + blocksPerPiece)
            block = piece.upperBound
            worker.isAtEnd = block == schedule.blockCount
            let waiting = worker.waitingRows
            withExtendedLifetime((train, parameters)) {
                algorithm.run(worker, blocks: piece, stepSize: segment.stepSize, on: shared)
            }
            note(schedule.rowCount(inBlocks: piece) + waiting - worker.waitingRows)
            if worker.sawNonFinite { segment.halt.request() }
            if segment.isOver { return }
        }
    }
}
