// Steps of linear models on sparse rows, coordinate by coordinate, on a vector behind a lock. The thread of its worker uses it.

internal import Datasets
internal import Kernels
internal import Messaging
internal import Objectives
internal import Platform
internal import Synchronization

/// One worker's minibatch: its rows, the coordinates of the model that were read for them, and their derivatives; and the rows of the next,
/// which are chosen before the lock is taken.
@safe final class SparseSteps {
    private let problem: LinearProblem
    private let penalty: SparsePenalty?
    /// The state of the random rounding of a penalty, one word.
    private let dither: PageBuffer<UInt64>
    /// Those of the next minibatch, and of as many before it as may be under way, by turns.
    private let rows: PageBuffer<Int>
    private let slots: Int
    /// Whose turn it is, and whose it is next.
    private var slot = 0
    private var nextSlot = 1
    /// Their rows and derivatives: under the lock nothing is worked out.
    private var current: UnsafeMutablePointer<Int>
    private(set) var next: UnsafeMutablePointer<Int>
    private var ownDerivatives: UnsafeMutablePointer<Float>
    private let derivatives: PageBuffer<Float>
    let coordinates: PageBuffer<Float>
    /// B.
    let count: Int
    /// What the sum of their gradients is divided by: B, and by what the worker's partition weighs.
    let divisor: Float
    /// Coordinates of the model that the next minibatch reads.
    private(set) var coordinateCount = 0
    /// The rows alone: its model is never looked at.
    let view: LinearStep
    /// The rows and the vector behind the lock.
    private var target: LinearStep
    /// Where the model is in several windows: the floats of each, and the rows and its vector.
    let chunks: [ModelChunk]
    var targets: [LinearStep] = unsafe []
    /// Where the nonzeros of each row of a minibatch in `rows` pass from one chunk to the next.
    let cuts: PageBuffer<Int>

    /// With up to `pipelined` minibatches under way, on a model in `chunks`.
    init(
        _ problem: LinearProblem, _ plan: RunPlan, _ sampler: RowSampler, rank: Int, chunks: [ModelChunk] = [],
        pipelined: Int = 1
    ) throws(InputError) {
        self.problem = problem
        self.chunks = chunks
        slots = pipelined + 1
        cuts = try PageBuffer(count: Self.cutCount(chunks.count, slots: slots, batch: plan.options.batchSize))
        count = plan.options.batchSize
        divisor = Float(Double(count) / sampler.weight)
        penalty = try problem.rowPenalty()
        dither = try PageBuffer(count: 1)
        var stream = RandomStream(seed: plan.options.seed, for: .rounding, rank: UInt32(rank))
        unsafe dither.pointer.pointee = stream.next()
        rows = try PageBuffer(count: slots * plan.options.batchSize)
        derivatives = try PageBuffer(count: slots * plan.options.batchSize)
        unsafe current = rows.pointer
        unsafe next = rows.pointer + count
        unsafe ownDerivatives = derivatives.pointer
        let coordinates = try PageBuffer<Float>(
            count: try problem.train.mostCoordinates(in: sampler.partition, plan.options))
        unsafe view = Self.view(problem, penalty, dither.pointer, model: coordinates.pointer)
        unsafe target = view
        self.coordinates = coordinates
        unsafe targets = Array(repeating: view, count: chunks.count)
    }

    private static func cutCount(_ chunks: Int, slots: Int, batch: Int) -> Int {
        chunks > 1 ? slots.multiplied(by: batch).multiplied(by: chunks + 1) : 0
    }

    static func memoryBytes(
        _ problem: LinearProblem, _ plan: RunPlan, rank: Int, chunks: Int = 1, pipelined: Int = 1
    ) -> Int {
        let batch = plan.options.batchSize
        let coordinates = try? problem.train.mostCoordinates(
            in: FabricRunner.partition(plan, worker: rank), plan.options)
        let penalty = rank == 0 && problem.objective.l2 > 0 ? problem.train.featureCount : 0
        let slots = (pipelined + 1).multiplied(by: batch)
        return PageBuffer<Int>.byteCount(of: slots) + PageBuffer<Float>.byteCount(of: slots)
            + PageBuffer<Int>.byteCount(of: cutCount(chunks, slots: pipelined + 1, batch: batch))
            + PageBuffer<Float>.byteCount(of: coordinates ?? 1 << 40) + PageBuffer<Float>.byteCount(of: penalty)
    }

    var nextCuts: UnsafeMutablePointer<Int> { unsafe cuts.pointer + nextSlot &* count &* (chunks.count &+ 1) }
    /// The minibatch that follows the next one by turns: the oldest, where as many are under way as may be.
    var oldest:
        (rows: UnsafeMutablePointer<Int>, derivatives: UnsafeMutablePointer<Float>, cuts: UnsafeMutablePointer<Int>)
    {
        let slot = nextSlot &+ 1 == slots ? 0 : nextSlot &+ 1
        return unsafe (
            rows.pointer + slot &* count, derivatives.pointer + slot &* count,
            cuts.pointer + slot &* count &* (chunks.count &+ 1)
        )
    }

    /// Chooses the rows of the next minibatch, and asks for what of them the hardware cannot foresee.
    func chooseNext(_ sampler: RowSampler) {
        sampler.advance()
        let (data, next) = unsafe (view.rows, next)
        var sum = 0
        for i in 0..<count {
            let row = sampler.chosen[i]
            unsafe next[i] = row
            let start = unsafe data.rowOffsets[row]
            let length = unsafe data.rowOffsets[row &+ 1] &- start
            unsafe prefetchRow(data.indices + start, data.values + start, length)
            unsafe prefetchForReading(data.labels + row)
            sum += unsafe view.coordinateCount(row)
        }
        coordinateCount = sum
    }

    /// Copies the coordinates of the next rows. Under the lock.
    func readNext() {
        let (step, rows) = unsafe (target, next)
        var place = unsafe coordinates.pointer
        for i in 0..<count { unsafe place += step.read(rows[i], into: place) }
    }

    /// What was next is the minibatch now.
    func advance() {
        slot = nextSlot
        nextSlot = slot &+ 1 == slots ? 0 : slot &+ 1
        unsafe current = next
        unsafe next = rows.pointer + nextSlot &* count
        unsafe ownDerivatives = derivatives.pointer + slot &* count
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
        let (step, rows, derivatives) = unsafe (view, current, ownDerivatives)
        var source = unsafe UnsafePointer(coordinates.pointer)
        var isFinite = true
        for i in 0..<count {
            let row = unsafe rows[i]
            let derivative = unsafe L.derivative(step.prediction(row, from: source), step.target(row))
            unsafe source += step.coordinateCount(row)
            unsafe derivatives[i] = derivative
            isFinite = isFinite && derivative.isFinite
        }
        if !isFinite { unsafe derivatives.update(repeating: 0, count: count) }
        return isFinite
    }

    /// x -= stepSize times the mean of the rows' gradients, row by row, each with its share of the penalty. Under the lock.
    func descend(_ stepSize: Float) {
        let (step, rows, derivatives) = unsafe (target, current, ownDerivatives)
        let share = stepSize / divisor
        for i in 0..<count {
            unsafe step.apply(rows[i], derivative: derivatives[i], stepSize: share)
        }
    }

    /// Says which vector is behind the lock; it outlives the run's steps.
    func bind(to x: Vector) {
        unsafe target = Self.view(problem, penalty, dither.pointer, model: x.floats.baseAddress!)
    }

    /// Says which vector is behind the lock of chunk `chunk`.
    func bind(to x: Vector, chunk: Int) {
        // Of an empty chunk nothing is looked at. Parameter j is where it would be if the vector had all of them.
        guard let floats = unsafe x.floats.baseAddress else { return }
        unsafe targets[chunk] = Self.view(
            problem, penalty, dither.pointer, model: floats - chunks[chunk].range.lowerBound)
    }

    private static func view(
        _ problem: LinearProblem, _ penalty: SparsePenalty?, _ dither: UnsafeMutablePointer<UInt64>,
        model: UnsafeMutablePointer<Float>
    ) -> LinearStep {
        // Atomic<Float> has the layout of a Float.
        unsafe LinearStep(
            objective: problem.objective, features: problem.train.featureCount, rows: problem.train.rows,
            model: UnsafeMutableRawPointer(model).assumingMemoryBound(to: Atomic<Float>.self),
            penaltyWeights: penalty?.weights.pointer, dither: dither)
    }
}

extension SparseDataset {
    /// The most coordinates of a model that a minibatch reads which a sampler of `partition` chooses.
    fileprivate func mostCoordinates(in partition: Partition, _ options: TrainingOptions) throws(InputError) -> Int {
        var longest = 0
        let (offsets, batch) = unsafe (rows.rowOffsets, options.batchSize)
        for row in 0..<rowCount { unsafe longest = max(longest, offsets[row + 1] - offsets[row]) }
        var most = batch.multiplied(by: longest + 1)
        if options.order != .withReplacement {
            // In one order no row comes twice, but a minibatch may begin at the end of one and go on into the next ones.
            let orders = (batch - 1) / max(1, partition.rowCount) + 2
            most = min(most, orders.multiplied(by: nonzeroCount + rowCount))
        }
        guard most < 1 << 40 else {
            throw InputError(
                at: "--batch-size", found: "\(batch) rows of up to \(longest) features", expected: "smaller batches")
        }
        return most
    }
}
