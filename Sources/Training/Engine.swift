// Drives the worker loops of one run: who works on which rows, for how long, and what they measured. The coordinator calls it.

internal import Datasets
internal import Kernels
internal import Measurement
internal import Objectives
internal import Platform

/// A part of an epoch for all workers.
struct Stretch {
    /// Part `part` of `parts` equal parts of the epoch.
    let part: Int
    let parts: Int
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

    let workers: [Worker]
    let batchSize: Int
    let algorithm: Algorithm
    private let objective: LinearObjective
    private let train: SparseDataset
    private let penalty: SparsePenalty?
    private let counters: WorkerCounters
    private let server: VersionedModel
    let recording: StalenessRecording
    private let keepsLog: Bool
    /// How updates of hogwild are looked at; nil where they are not.
    var observation: Observation?
    /// Runs between a read and a write of asgd, on the worker's thread.
    var meanwhile: (@Sendable (_ rank: Int) -> Void)?
    /// Rows per worker; `counters` has their updates.
    private let rowsVisited: WorkerCounters

    init(train: SparseDataset, team: WorkerTeam, options: TrainingOptions) throws(InputError) {
        self.train = train
        algorithm = options.algorithm
        objective = options.objective
        recording = options.staleness
        keepsLog = options.keepsUpdateLog && options.algorithm == .asgd
        batchSize = options.algorithm == .gd ? train.rowCount : options.algorithm == .sgd ? 1 : options.batchSize
        let count = options.algorithm.isSerial ? 1 : team.count
        var workers: [Worker] = []
        var places: [(range: Range<Int>, node: Int)] = []
        let coordinates =
            options.algorithm == .asgd ? try train.mostCoordinates(perBatch: batchSize, options) : 0
        for rank in 0..<count {
            let schedule = try RowSchedule(
                options.order, rowCount: train.rowCount, rank: rank, workers: count, seed: options.seed)
            if let node = team.placement.workers[rank].memoryNode {
                places += schedule.partition.chunks.map { (range: $0, node: node) }
            }
            workers.append(
                try Worker(
                    rank: rank, workers: count, seed: options.seed, schedule: schedule,
                    batchSize: batchSize, coordinates: coordinates))
        }
        train.place(NodeRanges(places))
        self.workers = workers
        observation = try Observation(of: train, workers: workers, options)
        rowsVisited = WorkerCounters(workers: count)
        counters = WorkerCounters(workers: count)
        server = try VersionedModel(workers: count)
        let needsPenalty = options.objective.l2 > 0 && options.algorithm != .gd && options.algorithm != .minibatchSGD
        penalty = needsPenalty ? try SparsePenalty(train) : nil
    }

    /// Updates made so far by all workers; while they run, as of each one's last look at the clock.
    var updates: UInt64 { counters.total() }

    /// Rows visited so far by all workers; while they run, as of each one's last look at the clock.
    var rowsDone: UInt64 { rowsVisited.total() }

    /// Into how many parts an epoch can be cut so that no part is empty for all workers.
    var mostParts: Int { max(1, workers.reduce(0) { max($0, $1.schedule.blockCount) }) }

    /// Lays out the order of an epoch on the workers; returns the seconds it took.
    func prepare(epoch: Int, team: WorkerTeam) -> Double {
        team.run { rank in
            if rank < self.workers.count { self.workers[rank].schedule.prepare(epoch: epoch) }
        }
    }

    /// Runs a part of the prepared epoch; returns its seconds, and whether all derivatives were finite.
    ///
    /// In several goes where the workers' memory for stamps would not do for one; what the stamps show is worked out after each, outside
    /// the seconds.
    func run(
        _ stretch: Stretch, model: SharedParameters, team: WorkerTeam, whileWaiting: () -> Void
    ) -> (seconds: Double, finite: Bool) {
        let goes = observation?.goes(parts: stretch.parts) ?? 1
        var seconds = 0.0
        for go in 0..<goes where go == 0 || !stretch.isOver {
            let (windows, before) = (observation?.nextWindows(), updates)
            let taken = team.run(
                { rank in
                    guard rank < self.workers.count else { return }
                    self.work(self.workers[rank], stretch, go, of: goes, windows, model)
                },
                whileWaiting: whileWaiting, every: 0.1)
            seconds += taken
            observation?.merge(workers, team: team, updates: updates - before, seconds: taken)
        }
        return (seconds, !workers.contains { $0.sawNonFinite })
    }

    /// One worker's part of a stretch, or of go `go` of `goes` of it, in pieces between which it looks at the clock and at the stop
    /// request.
    private func work(
        _ worker: Worker, _ stretch: Stretch, _ go: Int, of goes: Int, _ windows: ProbeWindows?,
        _ model: SharedParameters
    ) {
        let schedule = worker.schedule
        // Whole batches per piece and per go, so that these do not change the batches.
        let blocksPerBatches = batchSize / greatestCommonDivisor(batchSize, schedule.blockLength)
        let blocksPerLook = max(1, Self.rowsPerLook / schedule.blockLength)
        let blocksPerPiece = (blocksPerLook + blocksPerBatches - 1) / blocksPerBatches * blocksPerBatches
        let first = schedule.blockCount * stretch.part / stretch.parts
        let blocks = schedule.blockCount * (stretch.part + 1) / stretch.parts - first
        func place(_ go: Int) -> Int {
            go == goes ? first + blocks : first + blocks * go / goes / blocksPerBatches * blocksPerBatches
        }
        var block = place(go)
        let end = place(go + 1)
        let clock = StampClock.best
        if let windows { worker.probe?.begin(windows, at: clock.now(), completed: worker.updates) }
        defer { worker.probe?.finish(at: clock.now(), completed: worker.updates) }
        while block < end {
            let piece = block..<min(end, block + blocksPerPiece)
            block = piece.upperBound
            withExtendedLifetime((train, model)) {
                switch objective.loss {
                case .logistic: runPiece(LogisticLoss.self, worker, piece, stretch.stepSize, model, clock)
                case .hinge: runPiece(HingeLoss.self, worker, piece, stretch.stepSize, model, clock)
                case .squared: runPiece(SquaredLoss.self, worker, piece, stretch.stepSize, model, clock)
                }
            }
            rowsVisited.add(UInt64(schedule.rowCount(inBlocks: piece)), rank: worker.rank)
            counters.publish(worker.updates, rank: worker.rank)
            if worker.sawNonFinite { stretch.halt.request() }
            if stretch.isOver { return }
        }
    }

    private func runPiece<L: Loss>(
        _: L.Type, _ worker: Worker, _ blocks: Range<Int>, _ stepSize: EpochStepSize, _ model: SharedParameters,
        _ clock: StampClock
    ) {
        let step = unsafe LinearStep(
            objective: objective, features: train.featureCount, rows: train.rows, model: model.pointer,
            penaltyWeights: penalty?.weights.pointer, dither: worker.dither.pointer)
        switch algorithm {
        case .gd: preconditionFailure("gd is run by the coordinator")
        case .gradientAggregation, .modelAggregation, .globalReplica, .csgd, .ecSGD:
            preconditionFailure("\(algorithm.rawValue) is run by SynchronousTrainer")
        case .sgd: unsafe stochasticGradientDescent(L.self, worker, step, blocks: blocks, stepSize: stepSize)
        case .minibatchSGD:
            unsafe minibatchSGD(
                L.self, worker, step, blocks: blocks, stepSize: stepSize, model: model, features: train.featureCount)
        case .asgd:
            unsafe lockedASGD(
                L.self, worker, step, blocks: blocks, stepSize: stepSize, server: server,
                recording: recording != .off, logging: keepsLog, meanwhile: meanwhile)
        case .hogwild:
            unsafe hogwild(
                L.self, worker, step, blocks: blocks, stepSize: stepSize, probe: worker.probe, clock: clock)
        }
    }
}

private func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : greatestCommonDivisor(b, a % b) }
