// What is minimised: gradients of minibatches at a flat vector of parameters, and evaluations. Shared by all workers.

public import Measurement
public import Objectives
public import Platform

/// f(x) = (1/M) sum_m F(x; row m) + a penalty over training rows (equation 1.1), with rows held out where there are any.
public protocol MinibatchProblem: Sendable {
    /// d, the length of x.
    var parameterCount: Int { get }
    /// M.
    var rowCount: Int { get }
    /// Whether the gradient of a minibatch may be mostly zeros.
    var hasSparseGradients: Bool { get }
    /// The step size that `auto` stands for where a step is along the gradient of many rows, before rounding.
    var automaticStepSize: Double { get }
    /// And where it is along those of single rows.
    var automaticRowStepSize: Double { get }
    /// Whether a step has a share of x in it.
    var hasPenalty: Bool { get }

    /// Where training starts: the same bits for the same seed.
    func initialParameters(seed: UInt64) -> [Float]
    /// What one worker needs to compute gradients of `batchSize` rows.
    func makeGradients(batchSize: Int) throws(InputError) -> any MinibatchGradients
    /// About what that takes, in bytes.
    func gradientBytes(batchSize: Int) -> Double
    /// About what an evaluator takes with so many workers, in bytes.
    func evaluatorBytes(workers: Int, withGradient: Bool) -> Int
    /// Evaluates with all workers of `team`.
    func makeEvaluator(team: WorkerTeam) throws(InputError) -> any ProblemEvaluator
    /// Moves ranges of rows to memory nodes.
    func place(_ ranges: NodeRanges)
    /// Names and sizes for the record.
    var summary: ProblemSummary { get }
}

extension MinibatchProblem {
    public var automaticRowStepSize: Double { automaticStepSize }
    public var hasPenalty: Bool { summary.l2 > 0 }

    /// Nothing that counts.
    public func gradientBytes(batchSize: Int) -> Double { 0 }

    /// Nothing that counts.
    public func evaluatorBytes(workers: Int, withGradient: Bool) -> Int { 0 }
}

/// One worker's memory for gradients. One thread at a time.
public protocol MinibatchGradients: AnyObject, Sendable {
    /// Writes the gradient of the mean loss over the rows `chosen`, penalty included, over all of `gradient`; false where it came out as
    /// not finite.
    func gradient(at parameters: Span<Float>, chosen: Span<Int>, into gradient: inout MutableSpan<Float>) -> Bool
}

/// Figures at some parameters, computed between the segments of a run.
public protocol ProblemEvaluator: AnyObject {
    /// Computes what `figures` names; the gradient of f goes to `gradient`, which then has d elements and otherwise may have none.
    func evaluate(
        _ parameters: Span<Float>, _ figures: EvaluationFigures, gradient: inout [Double]
    ) throws(InputError) -> (train: Evaluation?, test: Evaluation?, penalty: Double)
}

/// How a problem names itself in records.
public struct ProblemSummary: Sendable {
    /// One data set.
    public typealias Rows = RunRecord.Data

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
