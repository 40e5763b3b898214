// What data-parallel SGD minimises: gradients of minibatches at a flat vector of parameters, and evaluations. Shared by all workers.

public import Datasets
internal import Kernels
internal import Measurement
public import Objectives
public import Platform
internal import Synchronization

/// f(x) = (1/M) sum_m F(x; row m) + a penalty over training rows (equation 1.1), with rows held out where there are any.
public protocol MinibatchProblem: Sendable {
    /// d, the length of x.
    var parameterCount: Int { get }
    /// M.
    var rowCount: Int { get }
    /// Whether the gradient of a minibatch may be mostly zeros.
    var hasSparseGradients: Bool { get }
    /// The step size that `auto` stands for, before rounding.
    var automaticStepSize: Double { get }

    /// Where training starts: the same bits for the same seed.
    func initialParameters(seed: UInt64) -> [Float]
    /// What one worker needs to compute gradients of `batchSize` rows.
    func makeGradients(batchSize: Int) throws(InputError) -> any MinibatchGradients
    /// About what that takes, in bytes.
    func gradientBytes(batchSize: Int) -> Double
    /// Evaluates with all workers of `team`.
    func makeEvaluator(team: WorkerTeam) throws(InputError) -> any ProblemEvaluator
    /// Moves the rows of one worker to a memory node.
    func place(_ rows: Range<Int>, onNode node: Int)
    /// Names and sizes for the record.
    var summary: ProblemSummary { get }
}

extension MinibatchProblem {
    /// Nothing that counts.
    public func gradientBytes(batchSize: Int) -> Double { 0 }
}

/// One worker's memory for gradients. One thread at a time.
public protocol MinibatchGradients: AnyObject, Sendable {
    /// Writes the gradient of the mean loss over the rows `chosen`, penalty included, over all of `gradient`; false where it came out as
    /// not finite.
    func gradient(at parameters: Span<Float>, chosen: Span<Int>, into gradient: inout MutableSpan<Float>) -> Bool
}

/// Figures at some parameters, computed between the stretches of a run.
public protocol ProblemEvaluator: AnyObject {
    /// Of the training rows and of the rows held out; writes the gradient of f to `gradient`, which has d elements.
    func evaluate(
        _ parameters: Span<Float>, gradient: inout [Double]
    ) throws(InputError) -> (train: Evaluation, test: Evaluation?, penalty: Double)
}

/// How a problem names itself in records.
public struct ProblemSummary: Sendable {
    /// One data set.
    public struct Rows: Sendable {
        public let name: String
        public let rows: Int
        public let features: Int
        public let nonzeros: Int

        public init(name: String, rows: Int, features: Int, nonzeros: Int) {
            self.name = name
            self.rows = rows
            self.features = features
            self.nonzeros = nonzeros
        }
    }

    /// Such as `logistic` or `softmax 784-256-128-10 relu`.
    public let objective: String
    public let l2: Double
    public let intercept: Bool
    public let train: Rows
    public let test: Rows?

    public init(objective: String, l2: Double, intercept: Bool, train: Rows, test: Rows? = nil) {
        self.objective = objective
        self.l2 = l2
        self.intercept = intercept
        self.train = train
        self.test = test
    }
}

/// A dense model on dense rows.
public final class DenseProblem: MinibatchProblem {
    public let network: MultilayerPerceptron
    private let train: DenseDataset
    private let test: DenseDataset?
    /// Larger minibatches are cut into matrix products of so many rows.
    private static let maximumBlockRows = 1_024

    /// Throws where the rows do not fit the model.
    public init(network: MultilayerPerceptron, train: DenseDataset, test: DenseDataset? = nil) throws(InputError) {
        for data in [train, test].compactMap(\.self) { try unsafe network.check(Self.rows(of: data), name: data.name) }
        self.network = network
        self.train = train
        self.test = test
    }

    public var parameterCount: Int { network.parameterCount }
    public var rowCount: Int { train.rowCount }
    public var hasSparseGradients: Bool { false }

    /// Without hidden layers 1 / (c mean norm((x, 1))^2), at most 1/L for the gradient over all rows, with c = 1/2 for a softmax and 1
    /// for a squared loss; with hidden layers 0.1.
    public var automaticStepSize: Double {
        guard network.hidden.isEmpty else { return 0.1 }
        let rows = unsafe train.rows
        let sum = unsafe sumOfSquares(rows.values, count: rows.rowCount * rows.columnCount)
        return (network.loss == .softmax ? 2 : 1) / (1 + sum / Double(max(1, train.rowCount)))
    }

    public func initialParameters(seed: UInt64) -> [Float] { network.initialParameters(seed: seed) }

    public func makeGradients(batchSize: Int) throws(InputError) -> any MinibatchGradients {
        DenseGradients(
            data: train, workspace: try network.makeWorkspace(maximumRows: min(batchSize, Self.maximumBlockRows)))
    }

    public func gradientBytes(batchSize: Int) -> Double {
        // Gathered rows, and of each layer sums, activations and derivatives.
        let width = Double(network.inputs) + 3 * Double(network.hidden.reduce(0, +) + network.outputs)
        return 4 * width * Double(min(batchSize, Self.maximumBlockRows))
    }

    public func makeEvaluator(team: WorkerTeam) throws(InputError) -> any ProblemEvaluator {
        func evaluator(_ data: DenseDataset) throws(InputError) -> DenseEvaluator {
            try unsafe DenseEvaluator(objective: network, rows: Self.rows(of: data), name: data.name, team: team)
        }
        let onTest: DenseEvaluator? = if let test { try evaluator(test) } else { nil }
        return DenseFigures(problem: self, train: try evaluator(train), test: onTest)
    }

    public func place(_ rows: Range<Int>, onNode node: Int) { train.place(rows, onNode: node) }

    public var summary: ProblemSummary {
        func size(_ data: DenseDataset) -> ProblemSummary.Rows {
            ProblemSummary.Rows(
                name: data.name, rows: data.rowCount, features: data.columnCount,
                nonzeros: data.rowCount * data.columnCount)
        }
        let widths = ([network.inputs] + network.hidden + [network.outputs]).map { "\($0)" }.joined(separator: "-")
        let name = network.loss.rawValue + (network.hidden.isEmpty ? "" : " \(widths) \(network.activation.rawValue)")
        return ProblemSummary(
            objective: name, l2: network.l2, intercept: true, train: size(train), test: test.map(size))
    }

    static func rows(of data: DenseDataset) -> LabelledRows {
        let rows = unsafe data.rows
        return unsafe LabelledRows(
            values: rows.values, rowCount: rows.rowCount, width: rows.columnCount, labels: rows.labels)
    }
}

private final class DenseGradients: MinibatchGradients {
    private let data: DenseDataset
    private let workspace: any DenseWorkspace

    init(data: DenseDataset, workspace: any DenseWorkspace) {
        self.data = data
        self.workspace = workspace
    }

    func gradient(at parameters: Span<Float>, chosen: Span<Int>, into gradient: inout MutableSpan<Float>) -> Bool {
        unsafe workspace.gradient(at: parameters, of: DenseProblem.rows(of: data), chosen: chosen, into: &gradient)
            .isFinite
    }
}

private final class DenseFigures: ProblemEvaluator {
    // Keeps the rows that the evaluators look at.
    private let problem: DenseProblem
    private let train: DenseEvaluator
    private let test: DenseEvaluator?

    init(problem: DenseProblem, train: DenseEvaluator, test: DenseEvaluator?) {
        self.problem = problem
        self.train = train
        self.test = test
    }

    func evaluate(
        _ parameters: Span<Float>, gradient: inout [Double]
    ) throws(InputError) -> (train: Evaluation, test: Evaluation?, penalty: Double) {
        let onTrain = try train.evaluate(parameters, gradient: &gradient)
        return (onTrain, test?.evaluate(parameters), problem.network.penalty(at: parameters))
    }
}

/// A linear model on sparse rows; its gradients hold all coordinates, most of them zero.
public final class LinearProblem: MinibatchProblem {
    public let objective: LinearObjective
    fileprivate let train: SparseDataset
    fileprivate let test: SparseDataset?

    /// Rows with targets that suit the objective: -1 and +1 for classification.
    public init(objective: LinearObjective, train: SparseDataset, test: SparseDataset? = nil) {
        self.objective = objective
        self.train = train
        self.test = test
    }

    public var parameterCount: Int { objective.parameterCount(features: train.featureCount) }
    public var rowCount: Int { train.rowCount }
    public var hasSparseGradients: Bool { objective.l2 == 0 }

    /// As for gd, at most 1/L.
    public var automaticStepSize: Double {
        let mean = max(train.meanRowNormSquared(intercept: objective.intercept), 1e-30)
        return (objective.loss == .logistic ? 4 : 1) / mean
    }

    public func initialParameters(seed: UInt64) -> [Float] { [Float](repeating: 0, count: parameterCount) }

    public func makeGradients(batchSize: Int) throws(InputError) -> any MinibatchGradients { LinearGradients(self) }

    public func makeEvaluator(team: WorkerTeam) throws(InputError) -> any ProblemEvaluator {
        try LinearFigures(self, team: team)
    }

    public func place(_ rows: Range<Int>, onNode node: Int) { train.place(rows, onNode: node) }

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
    private let problem: LinearProblem

    init(_ problem: LinearProblem) { self.problem = problem }

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
                    unsafe write.apply(row, derivative: derivative, stepSize: -share)
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
        _ parameters: Span<Float>, gradient: inout [Double]
    ) throws(InputError) -> (train: Evaluation, test: Evaluation?, penalty: Double) {
        for j in parameters.indices { model[j] = parameters[j] }
        let onTrain = try train.evaluate(model, team: team, gradient: &gradient)
        return (onTrain, test?.evaluate(model, team: team), train.penalty(model))
    }
}
