// Steps of linear models on sparse rows, coordinate by coordinate, on a vector behind a lock. The thread of its worker uses it.

internal import Datasets
internal import Kernels
internal import Messaging
internal import Objectives
internal import Platform
internal import Synchronization

/// One worker's next minibatch: its rows, the coordinates of the model that were read for them, and their derivatives.
@safe final class SparseSteps {
    private let problem: LinearProblem
    private let penalty: SparsePenalty?
    /// The state of the random rounding of a penalty, one word.
    private let dither: PageBuffer<UInt64>
    private let rows: PageBuffer<Int>
    private let derivatives: PageBuffer<Float>
    private let coordinates: PageBuffer<Float>
    /// Rows of the minibatch.
    private var count = 0
    /// What the sum of their gradients is divided by: B, and by the share of the worker's partition.
    private var divisor: Float = 1
    /// Coordinates of the model that the minibatch reads and changes.
    private(set) var coordinateCount = 0

    init(_ problem: LinearProblem, _ plan: RunPlan, rank: Int) throws(InputError) {
        self.problem = problem
        penalty = try problem.rowPenalty()
        dither = try PageBuffer(count: 1)
        var stream = RandomStream(seed: plan.options.seed, for: .rounding, rank: UInt32(rank))
        unsafe dither.pointer.pointee = stream.next()
        rows = try PageBuffer(count: plan.options.batchSize)
        derivatives = try PageBuffer(count: plan.options.batchSize)
        coordinates = try PageBuffer(
            count: try problem.train.mostCoordinates(perBatch: plan.options.batchSize, plan.options))
    }

    static func memoryBytes(_ problem: LinearProblem, _ plan: RunPlan, rank: Int) -> Int {
        let batch = plan.options.batchSize
        let coordinates = try? problem.train.mostCoordinates(perBatch: batch, plan.options)
        let penalty = rank == 0 && problem.objective.l2 > 0 ? problem.train.featureCount : 0
        return PageBuffer<Int>.byteCount(of: batch) + PageBuffer<Float>.byteCount(of: batch)
            + PageBuffer<Float>.byteCount(of: coordinates ?? 1 << 40) + PageBuffer<Float>.byteCount(of: penalty)
    }

    /// Takes the next rows of the worker's partition.
    func takeRows(_ sampler: RowSampler) {
        sampler.advance()
        let chosen = sampler.chosen
        count = chosen.count
        divisor = Float(Double(count) / sampler.weight)
        let step = unsafe view
        var sum = 0
        for i in 0..<count {
            unsafe rows.pointer[i] = chosen[i]
            sum += unsafe step.coordinateCount(chosen[i])
        }
        coordinateCount = sum
    }

    /// Copies the coordinates of the rows. Under the lock.
    func readCoordinates(of x: Vector) {
        let step = unsafe view(of: x)
        var target = unsafe coordinates.pointer
        for i in 0..<count { unsafe target += step.read(rows.pointer[i], into: target) }
    }

    /// The derivatives of the rows at the coordinates that were read; false where one is not finite, and then all count as 0.
    func computeDerivatives() -> Bool {
        switch problem.objective.loss {
        case .logistic: takeDerivatives(LogisticLoss.self)
        case .hinge: takeDerivatives(HingeLoss.self)
        case .squared: takeDerivatives(SquaredLoss.self)
        }
    }

    private func takeDerivatives<L: Loss>(_: L.Type) -> Bool {
        let step = unsafe view
        var source = unsafe UnsafePointer(coordinates.pointer)
        var isFinite = true
        for i in 0..<count {
            let row = unsafe rows.pointer[i]
            let derivative = unsafe L.derivative(step.prediction(row, from: source), step.target(row))
            unsafe source += step.coordinateCount(row)
            unsafe derivatives.pointer[i] = derivative
            isFinite = isFinite && derivative.isFinite
        }
        if !isFinite { unsafe derivatives.pointer.update(repeating: 0, count: count) }
        return isFinite
    }

    /// x -= stepSize times the mean of the rows' gradients, row by row, each with its share of the penalty. Under the lock.
    func descend(_ stepSize: Float, _ x: Vector) {
        let step = unsafe view(of: x)
        let share = stepSize / divisor
        for i in 0..<count {
            unsafe step.apply(rows.pointer[i], derivative: derivatives.pointer[i], stepSize: share)
        }
    }

    /// The rows alone; the model is never looked at.
    private var view: LinearStep { unsafe makeView(UnsafeMutableRawPointer(coordinates.pointer)) }

    private func view(of x: Vector) -> LinearStep { unsafe makeView(UnsafeMutableRawPointer(x.floats.baseAddress!)) }

    private func makeView(_ model: UnsafeMutableRawPointer) -> LinearStep {
        // Atomic<Float> has the layout of a Float.
        unsafe LinearStep(
            objective: problem.objective, features: problem.train.featureCount, rows: problem.train.rows,
            model: model.assumingMemoryBound(to: Atomic<Float>.self), penaltyWeights: penalty?.weights.pointer,
            dither: dither.pointer)
    }
}
