// hogwild: asynchronous SGD without a lock (section 4.1, second variant; Niu et al. 2011). Every worker runs it on the shared
// model, whose coordinates are relaxed atomics: updates may be lost, values never tear.

internal import Datasets
internal import Kernels
internal import Measurement
internal import Objectives
internal import Platform
internal import Synchronization

/// How a Hogwild run looks at its own staleness.
enum HogwildRecording {
    case off
    /// One update in `every`, from one counter per worker.
    case sampled(every: Int)
    /// Every update, in the order of one shared counter, which every update then pays for.
    case exact
}

/// One stretch of Hogwild by one worker.
func hogwild<L: Loss>(
    _: L.Type, _ worker: Worker, _ step: LinearStep, blocks: Range<Int>, stepSize: EpochStepSize,
    counters: borrowing WorkerCounters, order: borrowing PaddedCounter, recording: HogwildRecording
) {
    var cursor = unsafe worker.cursor(blocks, rows: step.rows)
    let workers = UInt64(worker.workers)
    let rank = worker.rank
    var every = Int.max
    if case .sampled(let period) = recording { every = period }
    if case .exact = recording { every = 1 }
    var untilSample = every == Int.max ? Int.max : min(worker.untilSample, every)
    var updates = worker.updates
    let isSingleRow = worker.batchSize == 1
    while true {
        // t is not known without a shared counter: this worker's own count times the number of workers stands in for it.
        let gamma = stepSize.value(updates &* workers)
        untilSample &-= 1
        if untilSample == 0 {
            untilSample = every
            // A copy, so that the cursor of the other rows may live in registers.
            var copy = cursor
            let hasUpdated =
                if case .exact = recording {
                    unsafe exactUpdate(L.self, worker, step, &copy, gamma, order)
                } else {
                    unsafe sampledUpdate(L.self, worker, step, &copy, gamma, counters)
                }
            cursor = copy
            if !hasUpdated { break }
        } else if isSingleRow {
            guard let row = cursor.next() else { break }
            let derivative = unsafe L.derivative(step.prediction(row), step.target(row))
            unsafe step.apply(row, derivative: derivative, stepSize: gamma)
            if !derivative.isFinite { worker.sawNonFinite = true }
        } else {
            let count = unsafe takeBatch(L.self, worker, step, &cursor)
            if count == 0 { break }
            unsafe applyBatch(worker, step, count: count, stepSize: gamma)
        }
        updates &+= 1
        counters.publish(updates, rank: rank)
    }
    worker.updates = updates
    worker.untilSample = max(1, untilSample)
}

/// One update whose t comes from the shared counter; false where no row is left.
@inline(never) private func exactUpdate<L: Loss>(
    _: L.Type, _ worker: Worker, _ step: LinearStep, _ cursor: inout RowCursor, _ gamma: Float,
    _ order: borrowing PaddedCounter
) -> Bool {
    // Relaxed: the counter orders nothing but itself.
    let readCount = order.value.load(ordering: .relaxed)
    let count = unsafe takeBatch(L.self, worker, step, &cursor)
    if count == 0 { return false }
    let writeCount = order.value.add(1, ordering: .relaxed).oldValue
    unsafe applyBatch(worker, step, count: count, stepSize: gamma)
    worker.staleness.record(writeCount &- readCount)
    return true
}

/// One update that is looked at closely: staleness, read span, and whether one of its coordinates overwrote another worker's update.
@inline(never) private func sampledUpdate<L: Loss>(
    _: L.Type, _ worker: Worker, _ step: LinearStep, _ cursor: inout RowCursor, _ gamma: Float,
    _ counters: borrowing WorkerCounters
) -> Bool {
    let readBegin = counters.total()
    let count = unsafe takeBatch(L.self, worker, step, &cursor)
    if count == 0 { return false }
    let readEnd = counters.total()
    let now = counters.total()
    unsafe applyWatching(worker, step, count: count, stepSize: gamma)
    worker.staleness.record(now &- readBegin)
    worker.readSpan.record(readEnd &- readBegin)
    return true
}

/// As `applyBatch`, and watches one nonzero of one row, both drawn at random, for an update by another worker that it overwrites.
private func applyWatching(_ worker: Worker, _ step: LinearStep, count: Int, stepSize: Float) {
    var random = RandomStream(
        seed: worker.seed, for: .stalenessSample, rank: UInt32(worker.rank), step: worker.staleness.count)
    let watched = Int(random.next(upperBound: UInt64(count)))
    let share = stepSize / worker.fullBatch
    for i in 0..<count {
        let row = unsafe worker.batchRows.pointer[i]
        let derivative = unsafe worker.batchDerivatives.pointer[i]
        let nonzeros = unsafe step.rows.rowOffsets[row &+ 1] &- step.rows.rowOffsets[row]
        if i == watched && nonzeros > 0 {
            let nonzero = Int(random.next(upperBound: UInt64(nonzeros)))
            let lost = unsafe step.applyWatching(row, derivative: derivative, stepSize: share, nonzero: nonzero)
            worker.sampledCoordinates &+= 1
            if lost { worker.lostCoordinates &+= 1 }
        } else {
            unsafe step.apply(row, derivative: derivative, stepSize: share)
        }
    }
}
