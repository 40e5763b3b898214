// minibatch-sgd: x_(t+1) = x_t - gamma (1/B) sum of F'_m(x_t) over B rows (section 1.2.3). The one worker runs it.

internal import Datasets
internal import Kernels
public import Messaging
internal import Objectives
public import Platform

/// Serial minibatch SGD: B derivatives at the same x_t, then one update. The last batch of an epoch may be smaller, and its step with it, so
/// that every row of the epoch counts alike.
///
/// Where the rows are dense, or its steps have momentum and the like, it is a program of one rank with vectors of its own; its batches are
/// then all of B rows.
public struct MinibatchSGD: InPlaceAlgorithm, MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "minibatch-sgd", summary: "the mean over `--batch-size` rows, by one worker", section: "1.2.3",
        options: Set<AlgorithmOption>.steps.union([.clock]), isSerial: true, automaticStep: .forRows, order: .blocks,
        stepSize: StepSize(nil, decay: 0.3))

    public init(_ settings: inout NamedSettings, for run: RunPlan) {}

    // MARK: In shared memory

    func run(_ worker: SharedWorker, blocks: Range<Int>, stepSize: EpochStepSize, on shared: SharedModel) {
        switch shared.loss {
        case .logistic: run(LogisticLoss.self, worker, blocks, stepSize, shared)
        case .hinge: run(HingeLoss.self, worker, blocks, stepSize, shared)
        case .squared: run(SquaredLoss.self, worker, blocks, stepSize, shared)
        }
    }

    private func run<L: Loss>(
        _: L.Type, _ worker: SharedWorker, _ blocks: Range<Int>, _ stepSize: EpochStepSize, _ shared: SharedModel
    ) {
        let step = unsafe shared.step
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
                shared.parameters.shrink(by: Float(worker.owedShrinkage), prefix: shared.features)
                worker.owedShrinkage = 0
            }
            unsafe applyBatch(worker, withoutPenalty, count: count, stepSize: gamma)
            t &+= 1
        }
        worker.updates = t
    }

    // MARK: On vectors of its own

    public func ranks(workers: Int) -> Int { 1 }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            worker.descend(step.size)
        }
    }
}

/// Reads the model for B rows, or the last of an epoch, and keeps their derivatives; returns how many rows there were, 0 where the rest of a
/// minibatch is still to come.
@inline(__always) func takeBatch<L: Loss>(
    _: L.Type, _ worker: SharedWorker, _ step: LinearStep, _ cursor: inout RowCursor
) -> Int {
    let rows = unsafe worker.batchRows.pointer
    let derivatives = unsafe worker.batchDerivatives.pointer
    let size = worker.batchSize
    var count = worker.waitingRows
    while count < size, let row = cursor.next() {
        let derivative = unsafe L.derivative(step.prediction(row), step.target(row))
        unsafe rows[count] = row
        unsafe derivatives[count] = derivative
        if !derivative.isFinite { worker.sawNonFinite = true }
        count &+= 1
    }
    let isWhole = count == size || worker.isAtEnd
    worker.waitingRows = isWhole ? 0 : count
    return isWhole ? count : 0
}

/// x -= (stepSize / B) * the sum of the batch's gradients, row by row.
@inline(__always) func applyBatch(_ worker: SharedWorker, _ step: LinearStep, count: Int, stepSize: Float) {
    let rows = unsafe worker.batchRows.pointer
    let derivatives = unsafe worker.batchDerivatives.pointer
    let share = stepSize / worker.fullBatch
    for i in 0..<count { unsafe step.apply(rows[i], derivative: derivatives[i], stepSize: share) }
}
