// Linear models on sparse rows. Shared by all workers.

public import Datasets
internal import Kernels
internal import Measurement
public import Objectives
public import Platform
internal import Synchronization

/// A linear model on sparse rows; its gradients hold all coordinates, most of them zero.
public final class LinearProblem: MinibatchProblem {
    public let objective: LinearObjective
    let train: SparseDataset
    let test: SparseDataset?
    private let counted = Locked<SparsePenalty?>(nil)

    /// Rows with targets that suit the objective: -1 and +1 for classification.
    public init(objective: LinearObjective, train: SparseDataset, test: SparseDataset? = nil) {
        self.objective = objective
        self.train = train
        self.test = test
    }

    public var parameterCount: Int { objective.parameterCount(features: train.featureCount) }
    public var rowCount: Int { train.rowCount }
    public var startsAtZero: Bool { true }
    public var dataChecksum: UInt64 { train.checksum }
    public var hasSparseGradients: Bool { objective.l2 == 0 }

    /// 1 / (c mean norm(x)^2 + l2), which is at most 1/L since the mean loss has an L of at most c times the mean squared norm of a row, with
    /// c = 1/4, the largest second derivative of the logistic loss, and c = 1 for the others.
    public var automaticStepSize: Double { 1 / objective.curvature(meanRowNormSquared: meanRowNormSquared) }

    /// A quarter of the step that fits one row: 1 / (4 (mean norm(x)^2 + l2)).
    public var automaticRowStepSize: Double { 1 / (4 * (meanRowNormSquared + objective.l2)) }

    private var meanRowNormSquared: Double {
        max(train.meanRowNormSquared(intercept: objective.intercept), 1e-30)
    }

    /// What the penalty takes in steps on single rows, counted when it is first asked for; nil without one.
    func rowPenalty() throws(InputError) -> SparsePenalty? {
        guard objective.l2 > 0 else { return nil }
        if let counted = counted.withLock({ $0 }) { return counted }
        let penalty = try SparsePenalty(train)
        counted.withLock { $0 = penalty }
        return penalty
    }

    public func makeGradients(batchSize: Int) throws(InputError) -> any MinibatchGradients {
        try LinearGradients(self, batchSize: batchSize)
    }

    public func gradientBytes(batchSize: Int) -> Double {
        batchSize > LinearGradients.mostRowsInFloat ? 8 * Double(parameterCount) : 0
    }

    public func makeEvaluator(team: WorkerTeam) throws(InputError) -> any ProblemEvaluator {
        try LinearFigures(self, team: team)
    }

    public func evaluatorBytes(workers: Int, withGradient: Bool) -> Int {
        4 * parameterCount
            + LinearEvaluator.memoryBytes(rowCount: rowCount, parameters: withGradient ? parameterCount : 0)
            + (test.map { LinearEvaluator.memoryBytes(rowCount: $0.rowCount, parameters: 0) } ?? 0)
    }

    public func place(_ ranges: NodeRanges) { train.place(ranges) }

    public var summary: ProblemSummary {
        func size(_ data: SparseDataset) -> ProblemSummary.Rows {
            ProblemSummary.Rows(
                name: data.name, rows: data.rowCount, features: data.featureCount, nonzeros: data.nonzeroCount)
        }
        return ProblemSummary(
            objective: objective.loss.rawValue, l2: objective.l2, intercept: objective.intercept, train: size(train),
            test: test.map(size))
    }

    /// The model with these parameters.
    public func model(_ parameters: [Float]) -> LinearModel {
        let classes = train.classes?.modelLabels
        return LinearModel(
            loss: objective.loss, weights: Array(parameters[..<train.featureCount]),
            intercept: objective.intercept ? parameters[train.featureCount] : nil,
            positiveLabel: classes?.positive ?? 1, negativeLabel: classes?.negative ?? -1)
    }
}

private final class LinearGradients: MinibatchGradients {
    /// Rows whose gradients are added up in single precision.
    static let mostRowsInFloat = 1_024

    private let problem: LinearProblem
    /// One sum a parameter where there are more rows.
    private let totals: PageBuffer<Double>

    init(_ problem: LinearProblem, batchSize: Int) throws(InputError) {
        self.problem = problem
        totals = try PageBuffer(count: batchSize > Self.mostRowsInFloat ? problem.parameterCount : 0, hugePages: true)
    }

    func gradient(at parameters: Span<Float>, chosen: Span<Int>, into gradient: inout MutableSpan<Float>) -> Bool {
        switch problem.objective.loss {
        case .logistic: sum(LogisticLoss.self, at: parameters, chosen: chosen, into: &gradient)
        case .hinge: sum(HingeLoss.self, at: parameters, chosen: chosen, into: &gradient)
        case .squared: sum(SquaredLoss.self, at: parameters, chosen: chosen, into: &gradient)
        }
    }

    private func sum<L: Loss>(
        _: L.Type, at parameters: Span<Float>, chosen: Span<Int>, into gradient: inout MutableSpan<Float>
    ) -> Bool {
        let data = problem.train
        let objective = problem.objective
        let features = data.featureCount
        let share = 1 / Float(max(1, chosen.count))
        let inDouble = totals.count > 0
        if inDouble { unsafe totals.pointer.update(repeating: 0, count: totals.count) }
        return unsafe parameters.withUnsafeBufferPointer { parameters in
            unsafe gradient.withUnsafeMutableBufferPointer { gradient in
                let (model, sums) = unsafe (
                    atomics(UnsafeMutablePointer(mutating: parameters.baseAddress!)), atomics(gradient.baseAddress!)
                )
                unsafe gradient.update(repeating: 0)
                let read = unsafe LinearStep(
                    objective: objective, features: features, rows: data.rows, model: model, penaltyWeights: nil)
                let write = unsafe LinearStep(
                    objective: objective, features: features, rows: data.rows, model: sums, penaltyWeights: nil)
                var isFinite = true
                for i in chosen.indices {
                    let row = chosen[i]
                    let derivative = unsafe L.derivative(read.prediction(row), read.target(row))
                    isFinite = isFinite && derivative.isFinite
                    if inDouble {
                        unsafe read.accumulate(row, derivative: Double(derivative), into: totals.pointer)
                    } else {
                        unsafe write.apply(row, derivative: derivative, stepSize: -share)
                    }
                }
                if inDouble {
                    let share = 1 / Double(chosen.count)
                    for j in 0..<totals.count { unsafe gradient[j] = Float(share * totals.pointer[j]) }
                }
                if objective.l2 > 0 {
                    unsafe addScaled(
                        into: gradient.baseAddress!, parameters.baseAddress!, scale: Float(objective.l2),
                        count: features)
                }
                withExtendedLifetime(data) {}
                return isFinite
            }
        }
    }
}

/// Memory of one thread as the sparse loops see it.
private func atomics(_ memory: UnsafeMutablePointer<Float>) -> ParameterPointer {
    // Atomic<Float> has the layout of a Float.
    unsafe UnsafeMutableRawPointer(memory).assumingMemoryBound(to: Atomic<Float>.self)
}

private final class LinearFigures: ProblemEvaluator {
    private let train: LinearEvaluator
    private let test: LinearEvaluator?
    private let team: WorkerTeam
    private let model: SharedParameters

    init(_ problem: LinearProblem, team: WorkerTeam) throws(InputError) {
        func evaluator(_ data: SparseDataset) throws(InputError) -> LinearEvaluator {
            try LinearEvaluator(data: data, objective: problem.objective, features: problem.train.featureCount)
        }
        train = try evaluator(problem.train)
        test = if let test = problem.test { try evaluator(test) } else { nil }
        model = try SharedParameters(count: problem.parameterCount)
        self.team = team
    }

    func evaluate(
        _ parameters: Span<Float>, _ figures: EvaluationFigures, gradient: inout [Double]
    ) throws(InputError) -> (train: Evaluation?, test: Evaluation?, penalty: Double) {
        for j in parameters.indices { model[j] = parameters[j] }
        if figures.contains(.gradient) { try train.gradient(of: model, team: team, into: &gradient) }
        return (
            figures.contains(.training)
                ? train.evaluate(
                    model, team: team, withAUC: test == nil && figures.contains(.auc),
                    onSample: figures.contains(.sample)) : nil,
            figures.contains(.heldOut) ? test?.evaluate(model, team: team, withAUC: figures.contains(.auc)) : nil,
            train.penalty(model)
        )
    }
}
