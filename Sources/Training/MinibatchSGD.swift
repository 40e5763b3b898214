// minibatch-sgd: x_(t+1) = x_t - gamma (1/B) sum of F'_m(x_t) over B rows (section 1.2.3). The one worker runs it.

internal import Kernels
internal import Objectives
internal import Platform

/// One stretch of serial minibatch SGD: B derivatives at the same x_t, then one update. The last batch of a stretch may be smaller, and its
/// step with it, so that every row of the epoch counts alike.
func minibatchSGD<L: Loss>(
    _: L.Type, _ worker: Worker, _ step: LinearStep, blocks: Range<Int>, stepSize: EpochStepSize,
    model: SharedParameters, features: Int
) {
    var cursor = unsafe worker.cursor(blocks, rows: step.rows)
    var t = worker.updates
    let withoutPenalty = unsafe step.withoutPenalty
    while true {
        let count = unsafe takeBatch(L.self, worker, step, &cursor)
        if count == 0 { break }
        let gamma = stepSize.value(t)
        // The penalty's own gradient, l2 w, at x_t: it touches every weight. What is too little for a float to take with less than a
        // hundredth of error waits until there is more.
        worker.owedShrinkage += unsafe Double(gamma) * Double(step.l2) * Double(count) / Double(worker.fullBatch)
        if worker.owedShrinkage >= 0x1p-17 {
            model.shrink(by: Float(worker.owedShrinkage), prefix: features)
            worker.owedShrinkage = 0
        }
        unsafe applyBatch(worker, withoutPenalty, count: count, stepSize: gamma)
        t &+= 1
    }
    worker.updates = t
}

/// Reads the model for up to B rows and keeps their derivatives; returns how many rows there were.
@inline(__always) func takeBatch<L: Loss>(
    _: L.Type, _ worker: Worker, _ step: LinearStep, _ cursor: inout RowCursor
) -> Int {
    let rows = unsafe worker.batchRows.pointer
    let derivatives = unsafe worker.batchDerivatives.pointer
    let size = worker.batchSize
    var count = 0
    while count < size, let row = cursor.next() {
        let derivative = unsafe L.derivative(step.prediction(row), step.target(row))
        unsafe rows[count] = row
        unsafe derivatives[count] = derivative
        if !derivative.isFinite { worker.sawNonFinite = true }
        count &+= 1
    }
    return count
}

/// x -= (stepSize / B) * the sum of the batch's gradients, row by row.
@inline(__always) func applyBatch(_ worker: Worker, _ step: LinearStep, count: Int, stepSize: Float) {
    let rows = unsafe worker.batchRows.pointer
    let derivatives = unsafe worker.batchDerivatives.pointer
    let share = stepSize / worker.fullBatch
    for i in 0..<count { unsafe step.apply(rows[i], derivative: derivatives[i], stepSize: share) }
}
