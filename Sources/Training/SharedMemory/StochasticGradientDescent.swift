// sgd: x_(t+1) = x_t - gamma F'_m(x_t), one row at a time (section 1.2, equation 1.11). The one worker runs it.

internal import Datasets
internal import Objectives
public import Platform

/// Serial SGD on single rows.
public struct StochasticGradientDescent: InPlaceAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "sgd", summary: "one row, one step, by one worker", section: "1.2, eq. 1.11", isSerial: true,
        automaticStep: .forRows, batchSize: 1, order: .blocks, stepSize: StepSize(nil, decay: 0.3))

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        try run.requireSharedMemory(for: Self.facts)
    }

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
        var derivative: Float = 0
        while let row = cursor.next() {
            derivative = unsafe L.derivative(step.prediction(row), step.target(row))
            unsafe step.apply(row, derivative: derivative, stepSize: stepSize.value(t))
            t &+= 1
        }
        worker.updates = t
        if !derivative.isFinite { worker.sawNonFinite = true }
    }
}
