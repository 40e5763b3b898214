// What is minimised: gradients of minibatches at a flat vector of parameters, and evaluations. Shared by all workers.

public import Measurement
public import Objectives
public import Platform

/// f(x) = (1/M) sum_m F(x; row m) + a penalty over training rows (equation 1.1), with rows held out where there are any.
public protocol MinibatchProblem: Sendable {
    /// d, the length of x; at least 1.
    var parameterCount: Int { get }
    /// M; at least 1.
    var rowCount: Int { get }
    /// Whether the gradient of a minibatch may be mostly zeros: it may then travel without them. No, where nothing is said.
    var hasSparseGradients: Bool { get }
    /// The step size that `auto` stands for where a step is along the gradient of many rows, before rounding: at most 1/L.
    var automaticStepSize: Double { get }
    /// And where it is along those of single rows; the same, where nothing is said.
    var automaticRowStepSize: Double { get }
    /// Whether a step has a share of x in it; by default where `summary` has an l2.
    var hasPenalty: Bool { get }

    /// x_0, d floats, the same bits for the same seed; zeros, where nothing is said.
    func initialParameters(seed: UInt64) -> [Float]
    /// Whether those are zeros at which an evaluation takes no products: so much the more often may it evaluate. No, where nothing is said.
    var startsAtZero: Bool { get }
    /// What one worker needs to compute gradients of up to `batchSize` rows; throws where memory is refused.
    func makeGradients(batchSize: Int) throws(InputError) -> any MinibatchGradients
    /// About what that takes, in bytes.
    func gradientBytes(batchSize: Int) -> Double
    /// About what an evaluator takes with so many workers, in bytes.
    func evaluatorBytes(workers: Int, withGradient: Bool) -> Int
    /// What evaluates, with all threads of `team` where it has a use for them.
    func makeEvaluator(team: WorkerTeam) throws(InputError) -> any ProblemEvaluator
    /// Moves ranges of rows to the memory nodes of those that visit them; nothing, where nothing is said.
    func place(_ ranges: NodeRanges)
    /// Names and sizes for the record.
    var summary: ProblemSummary { get }
    /// A checksum of the training rows, by which a replay knows them; 0 where nothing is said.
    var dataChecksum: UInt64 { get }
}

extension MinibatchProblem {
    public var hasSparseGradients: Bool { false }
    public var automaticRowStepSize: Double { automaticStepSize }
    public var hasPenalty: Bool { summary.l2 > 0 }
    public var dataChecksum: UInt64 { 0 }
    public var startsAtZero: Bool { false }

    public func initialParameters(seed: UInt64) -> [Float] { [Float](repeating: 0, count: parameterCount) }

    public func place(_ ranges: NodeRanges) {}

    /// Nothing that counts.
    public func gradientBytes(batchSize: Int) -> Double { 0 }

    /// Nothing that counts.
    public func evaluatorBytes(workers: Int, withGradient: Bool) -> Int { 0 }
}

/// One worker's memory for gradients. One thread at a time.
public protocol MinibatchGradients: AnyObject, Sendable {
    /// Writes (1/B) sum_i grad F(x; row chosen[i]), penalty included, over all d floats of `gradient`; false where it came out as not finite.
    ///
    /// `parameters` is x, of d floats; `chosen` are B rows in 0 ..< M, of which one may stand there twice.
    func gradient(at parameters: Span<Float>, chosen: Span<Int>, into gradient: inout MutableSpan<Float>) -> Bool
}

/// Figures at some parameters, computed between the segments of a run.
public protocol ProblemEvaluator: AnyObject {
    /// Computes at x what `figures` names, and the penalty.
    ///
    /// `train` and `test` are nil where they were not asked for, or there are no rows held out. The gradient of f over all training rows,
    /// penalty included, goes to `gradient`, which has d elements where `figures` has it, and otherwise may have none.
    func evaluate(
        _ parameters: Span<Float>, _ figures: EvaluationFigures, gradient: inout [Double]
    ) throws(InputError) -> (train: Evaluation?, test: Evaluation?, penalty: Double)
}

/// How a problem names itself and its rows in records and tables.
public struct ProblemSummary: Sendable {
    /// One data set.
    public typealias Rows = RunRecord.Data

    /// Such as `logistic` or `softmax 784-256-128-10 relu`.
    public let objective: String
    /// The penalty is l2/2 norm(x)^2; at least 0.
    public let l2: Double
    /// Whether one parameter belongs to no feature.
    public let intercept: Bool
    public let train: Rows
    /// Rows held out: the loss of the tables is then theirs.
    public let test: Rows?

    public init(objective: String, l2: Double, intercept: Bool, train: Rows, test: Rows? = nil) {
        self.objective = objective
        self.l2 = l2
        self.intercept = intercept
        self.train = train
        self.test = test
    }
}
