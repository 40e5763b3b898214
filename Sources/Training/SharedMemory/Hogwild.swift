// hogwild: asynchronous SGD without a lock (section 4.1, second variant; Niu et al. 2011). Every worker runs it, on the one model or on the
// replica that it shares with some, whose coordinates are relaxed atomics: updates may be lost, values never tear.

internal import Datasets
internal import Kernels
internal import Measurement
internal import Objectives
public import Platform

/// Asynchronous SGD on relaxed atomic coordinates.
public struct Hogwild: InPlaceAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "hogwild", summary: "no lock: relaxed atomic coordinates, updates may be lost",
        section: "4.1, without atomic updates",
        settings: [
            SettingFacts(
                "layout", default: "shared",
                "one model, `shared`, or replicas `per-core`, `per-cache` or `per-node`, which add up their changes now and then; `auto` tries"
            ),
            SettingFacts(
                "merge", default: nil,
                "rows that a replica trains on between two merges; else `adaptive`: merging takes at most 2 percent of the time, or more where replicas would drift"
            ),
        ], options: [.batchSize, .stalenessEvery], isRacing: true, automaticStep: .forRows, batchSize: 1,
        order: .blocks,
        stepSize: StepSize(nil, decay: 0.3))

    let layout: HogwildLayout
    /// Rows between two merges of a replica; nil for what time and drift allow.
    let mergeRows: Int?

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        layout = try settings.choice("layout", default: .shared)
        let isGiven = !settings.word("merge", "adaptive")
        let rows = isGiven ? try settings.integer("merge", default: 0, in: 1...1_000_000_000) : 0
        mergeRows = rows > 0 ? rows : nil
        if rows > 0 && (layout == .shared || layout == .auto) {
            throw InputError(
                at: settings.place, found: "merge=\(rows) with layout=\(layout.rawValue)",
                expected: "a layout with replicas: per-core, per-cache or per-node")
        }
        try run.requireSharedMemory(for: Self.facts)
    }

    func run(_ worker: SharedWorker, blocks: Range<Int>, stepSize: EpochStepSize, on shared: SharedModel) {
        switch shared.loss {
        case .logistic: run(LogisticLoss.self, worker, blocks, stepSize, shared)
        case .hinge: run(HingeLoss.self, worker, blocks, stepSize, shared)
        case .squared: run(SquaredLoss.self, worker, blocks, stepSize, shared)
        }
    }

    /// Looks at the updates where the worker's probe says so; without a probe it looks at none.
    private func run<L: Loss>(
        _: L.Type, _ worker: SharedWorker, _ blocks: Range<Int>, _ stepSize: EpochStepSize, _ shared: SharedModel
    ) {
        let (step, clock) = unsafe (shared.step, shared.clock)
        var cursor = unsafe worker.cursor(blocks, rows: step.rows)
        if let replica = worker.replica { return unsafe run(L.self, worker, replica, step, &cursor, stepSize) }
        guard let probe = worker.probe else {
            _ = unsafe update(L.self, worker, step, &cursor, stepSize, atMost: .max, marks: nil)
            return
        }
        var hasRows = true
        while hasRows {
            switch probe.mode {
            case .away:
                hasRows = unsafe update(
                    L.self, worker, step, &cursor, stepSize, atMost: probe.updatesPerLook, marks: nil)
            case .watching:
                hasRows = unsafe updateWatching(L.self, worker, step, &cursor, stepSize, atMost: probe.updatesPerLook)
            case .stamping:
                hasRows = unsafe updateStamping(L.self, worker, step, &cursor, stepSize, probe, clock)
                continue
            }
            probe.look(at: clock.aboutNow(), completed: worker.updates)
        }
    }

    /// Updates of a replica, and its merges between them.
    private func run<L: Loss>(
        _: L.Type, _ worker: SharedWorker, _ replica: ReplicaWorker, _ step: LinearStep, _ cursor: inout RowCursor,
        _ stepSize: EpochStepSize
    ) {
        let marks = unsafe replica.copy.lineMarks
        var hasRows = true
        while hasRows {
            let before = worker.updates
            hasRows = unsafe update(
                L.self, worker, step, &cursor, stepSize, atMost: replica.updatesUntilMerge, marks: marks)
            replica.count(Int(worker.updates &- before))
            if replica.updatesUntilMerge <= 0 {
                replica.merge(updates: worker.updates, stepSize: worker.rowStep(stepSize))
            }
        }
    }
}

/// Up to `most` updates; false where no row is left. `marks` are those of the lines that change, where somebody asks for them.
@inline(never) private func update<L: Loss>(
    _: L.Type, _ worker: SharedWorker, _ step: LinearStep, _ rows: inout RowCursor, _ stepSize: EpochStepSize,
    atMost most: Int, marks: LineMarks?
) -> Bool {
    // Copies, which may live in registers.
    var cursor = rows
    var updates = worker.updates
    defer {
        rows = cursor
        worker.updates = updates
    }
    let workers = UInt64(worker.workers)
    let isSingleRow = worker.batchSize == 1
    var isFinite = true
    defer { if !isFinite { worker.sawNonFinite = true } }
    for _ in 0..<most {
        // t is not known without a shared counter: this worker's own count times the number of workers stands in for it.
        let gamma = stepSize.value(updates &* workers)
        if isSingleRow {
            guard let row = cursor.next() else { return false }
            let derivative = unsafe L.derivative(step.prediction(row), step.target(row))
            unsafe step.apply(row, derivative: derivative, stepSize: gamma)
            if let marks = unsafe marks { unsafe step.mark(row, in: marks) }
            isFinite = isFinite && derivative.isFinite
        } else {
            let count = unsafe takeBatch(L.self, worker, step, &cursor)
            if count == 0 { return false }
            unsafe applyBatch(worker, step, count: count, stepSize: gamma)
            if let marks = unsafe marks {
                for i in 0..<count { unsafe step.mark(worker.batchRows.pointer[i], in: marks) }
            }
        }
        updates &+= 1
    }
    return true
}

/// As `update`, and watches what each update overwrites.
@inline(never) private func updateWatching<L: Loss>(
    _: L.Type, _ worker: SharedWorker, _ step: LinearStep, _ rows: inout RowCursor, _ stepSize: EpochStepSize,
    atMost most: Int
) -> Bool {
    for _ in 0..<most {
        let count = unsafe takeBatch(L.self, worker, step, &rows)
        if count == 0 { return false }
        let gamma = stepSize.value(worker.updates &* UInt64(worker.workers))
        unsafe applyWatching(worker, step, count: count, stepSize: gamma)
        worker.updates &+= 1
    }
    return true
}

/// Updates as long as the window for stamps is open, each with its times; false where no row is left.
@inline(never) private func updateStamping<L: Loss>(
    _: L.Type, _ worker: SharedWorker, _ step: LinearStep, _ rows: inout RowCursor, _ stepSize: EpochStepSize,
    _ probe: UpdateProbe, _ clock: StampClock
) -> Bool {
    var cursor = rows
    var updates = worker.updates
    var window = probe.window()
    let workers = UInt64(worker.workers)
    let isSingleRow = worker.batchSize == 1
    var hasRows = true
    var isFinite = true
    var begin = clock.now()
    while window.isOpen(at: begin) {
        let gamma = stepSize.value(updates &* workers)
        let (readEnd, write): (UInt64, UInt64)
        if isSingleRow && worker.updatesUntilWatched != 1 {
            guard let row = cursor.next() else {
                hasRows = false
                break
            }
            let prediction = unsafe step.prediction(row)
            readEnd = clock.now(after: prediction)
            let derivative = unsafe L.derivative(prediction, step.target(row))
            write = clock.now(after: derivative)
            unsafe step.apply(row, derivative: derivative, stepSize: gamma)
            isFinite = isFinite && derivative.isFinite
        } else {
            let count = unsafe takeBatch(L.self, worker, step, &cursor)
            if count == 0 {
                hasRows = false
                break
            }
            // The last row's derivative is part of the read.
            readEnd = clock.now()
            write = readEnd
            if worker.updatesUntilWatched == 1 {
                unsafe applyWatching(worker, step, count: count, stepSize: gamma)
            } else {
                unsafe applyBatch(worker, step, count: count, stepSize: gamma)
            }
        }
        worker.countDownToWatched()
        let end = clock.now()
        window.record(begin: begin, readEnd: readEnd, write: write, completed: updates)
        updates &+= 1
        begin = end
    }
    rows = cursor
    worker.updates = updates
    if !isFinite { worker.sawNonFinite = true }
    probe.leave(window, at: begin, completed: updates)
    return hasRows
}

/// As `applyBatch`, and watches one nonzero of one row, both drawn at random, for updates by other workers that it overwrites.
private func applyWatching(_ worker: SharedWorker, _ step: LinearStep, count: Int, stepSize: Float) {
    var random = RandomStream(
        seed: worker.seed, for: .stalenessSample, rank: UInt32(worker.rank), step: worker.sampledCoordinates)
    let watched = Int(random.next(upperBound: UInt64(count)))
    let share = stepSize / worker.fullBatch
    for i in 0..<count {
        let row = unsafe worker.batchRows.pointer[i]
        let derivative = unsafe worker.batchDerivatives.pointer[i]
        let nonzeros = unsafe step.rows.rowOffsets[row &+ 1] &- step.rows.rowOffsets[row]
        if i == watched && nonzeros > 0 {
            let nonzero = Int(random.next(upperBound: UInt64(nonzeros)))
            let overwritten = unsafe step.applyWatching(row, derivative: derivative, stepSize: share, nonzero: nonzero)
            worker.sampledCoordinates &+= 1
            if let overwritten {
                worker.lostCoordinates &+= 1
                worker.overwritten += Double(overwritten)
            }
        } else {
            unsafe step.apply(row, derivative: derivative, stepSize: share)
        }
    }
}
