// Networks on dense rows. Shared by all workers.

public import Datasets
internal import Kernels
internal import Measurement
public import Objectives
public import Platform

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
    public var startsAtZero: Bool { network.hidden.isEmpty }
    public var dataChecksum: UInt64 { train.checksum }

    /// Without hidden layers 1 / (c mean norm((x, 1))^2 + l2), at most 1/L for the gradient over all rows, with c = 1/2 for a softmax and
    /// 1 for a squared loss; with hidden layers 1 / (10 + l2).
    public var automaticStepSize: Double {
        guard network.hidden.isEmpty else { return 1 / (10 + network.l2) }
        let rows = unsafe train.rows
        let sum = unsafe sumOfSquares(rows.values, count: rows.rowCount * rows.columnCount)
        return 1 / ((network.loss == .softmax ? 0.5 : 1) * (1 + sum / Double(max(1, train.rowCount))) + network.l2)
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

    public func evaluatorBytes(workers: Int, withGradient: Bool) -> Int {
        let workspaces = Int(gradientBytes(batchSize: DenseEvaluator.blockRows)).multiplied(by: workers)
        return (test == nil ? 1 : 2) * workspaces
            + (withGradient ? DenseEvaluator.gradientBytes(parameters: parameterCount, rowCount: rowCount) : 0)
    }

    public func makeEvaluator(team: WorkerTeam) throws(InputError) -> any ProblemEvaluator {
        func evaluator(_ data: DenseDataset) throws(InputError) -> DenseEvaluator {
            try unsafe DenseEvaluator(objective: network, rows: Self.rows(of: data), name: data.name, team: team)
        }
        let onTest: DenseEvaluator? = if let test { try evaluator(test) } else { nil }
        return DenseFigures(problem: self, train: try evaluator(train), test: onTest)
    }

    public func place(_ ranges: NodeRanges) { train.place(ranges) }

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
        _ parameters: Span<Float>, _ figures: EvaluationFigures, gradient: inout [Double]
    ) throws(InputError) -> (train: Evaluation?, test: Evaluation?, penalty: Double) {
        if figures.contains(.gradient) { try train.gradient(at: parameters, into: &gradient) }
        return (
            figures.contains(.training) ? train.evaluate(parameters, onSample: figures.contains(.sample)) : nil,
            figures.contains(.heldOut) ? test?.evaluate(parameters) : nil, problem.network.penalty(at: parameters)
        )
    }
}
