import Collectives
import Datasets
import Kernels
import Measurement
import Messaging
import Objectives
import Platform

@testable import Training

/// Another problem as it is, and what the workers of the first run saw: the model of every iteration, and where asked for rows and
/// gradients.
final class ObservedProblem: MinibatchProblem, @unchecked Sendable {
    // Sendable: the list grows while a run prepares; each observer belongs to its worker's thread, and to the test when that is idle.

    private let problem: any MinibatchProblem
    private(set) var observers: [Observer] = []
    /// Called with what every evaluation is to compute.
    var onEvaluation: (EvaluationFigures) -> Void = { _ in }

    private let keepsAll: Bool

    init(_ problem: any MinibatchProblem, keepsAll: Bool = false) {
        self.problem = problem
        self.keepsAll = keepsAll
    }

    /// x_0, x_1, … as the first worker saw them.
    var iterates: [[Float]] { observers[0].iterates }

    var parameterCount: Int { problem.parameterCount }
    var rowCount: Int { problem.rowCount }
    var hasSparseGradients: Bool { problem.hasSparseGradients }
    var automaticStepSize: Double { problem.automaticStepSize }
    var automaticRowStepSize: Double { problem.automaticRowStepSize }
    var hasPenalty: Bool { problem.hasPenalty }
    var summary: ProblemSummary { problem.summary }
    func initialParameters(seed: UInt64) -> [Float] { problem.initialParameters(seed: seed) }
    func place(_ ranges: NodeRanges) { problem.place(ranges) }
    func gradientBytes(batchSize: Int) -> Double { problem.gradientBytes(batchSize: batchSize) }

    func makeGradients(batchSize: Int) throws(InputError) -> any MinibatchGradients {
        let observer = Observer(
            try problem.makeGradients(batchSize: batchSize), keepsAll: keepsAll, keepsModels: observers.isEmpty)
        observers.append(observer)
        return observer
    }

    func makeEvaluator(team: WorkerTeam) throws(InputError) -> any ProblemEvaluator {
        Evaluator(inner: try problem.makeEvaluator(team: team), problem: self)
    }

    /// One worker's gradients, with a memory, and with a fault where a test asks for one.
    final class Observer: MinibatchGradients, @unchecked Sendable {
        private let inner: any MinibatchGradients
        private let keepsAll: Bool
        private let keepsModels: Bool
        /// Gradients so far.
        private(set) var count = 0
        private(set) var iterates: [[Float]] = []
        private(set) var gradients: [[Float]] = []
        private(set) var rows: [[Int]] = []
        /// Before a gradient is computed, with its number, from 0.
        var beforeGradient: (Int) -> Void = { _ in }
        /// Number of the gradient that comes out as not finite.
        var faultyGradient: Int?
        /// Whether that is said, or left to be found.
        var hidesFault = false

        init(_ inner: any MinibatchGradients, keepsAll: Bool, keepsModels: Bool) {
            self.inner = inner
            self.keepsAll = keepsAll
            self.keepsModels = keepsModels
        }

        func gradient(at parameters: Span<Float>, chosen: Span<Int>, into gradient: inout MutableSpan<Float>) -> Bool {
            let t = count
            count += 1
            beforeGradient(t)
            let isFinite = inner.gradient(at: parameters, chosen: chosen, into: &gradient)
            if keepsModels { iterates.append(parameters.indices.map { parameters[$0] }) }
            if keepsAll {
                rows.append(chosen.indices.map { chosen[$0] })
                gradients.append(gradient.indices.map { gradient[$0] })
            }
            guard t == faultyGradient else { return isFinite }
            for i in gradient.indices { gradient[i] = .infinity }
            return hidesFault
        }
    }

    private final class Evaluator: ProblemEvaluator {
        private let inner: any ProblemEvaluator
        private let problem: ObservedProblem

        init(inner: any ProblemEvaluator, problem: ObservedProblem) {
            self.inner = inner
            self.problem = problem
        }

        func evaluate(
            _ parameters: Span<Float>, _ figures: EvaluationFigures, gradient: inout [Double]
        ) throws(InputError) -> (train: Evaluation?, test: Evaluation?, penalty: Double) {
            problem.onEvaluation(figures)
            return try inner.evaluate(parameters, figures, gradient: &gradient)
        }
    }
}

/// A run of a data-parallel algorithm; T iterations are `epochs` times the rows over N B.
func dataParallelRun(
    _ problem: any MinibatchProblem, _ algorithm: Algorithm, workers: Int, stop: StopRequest = StopRequest(),
    _ change: (inout TrainingOptions) -> Void = { _ in }
) throws -> TrainingRun {
    var options = TrainingOptions()
    options.algorithm = algorithm
    options.order = .shuffled
    options.batchSize = 2
    options.stepSize = StepSize(0.2)
    options.epochs = 1
    options.exchange.collective = AllReduceAlgorithm.multiServer.rawValue
    change(&options)
    return try trainingRun(problem, workers: workers, options, stop: stop)
}

/// Sparse rows with two features each and two classes.
func fewRows(_ count: Int, features: Int) throws -> SparseDataset {
    try SparseDataset(
        featureCount: features,
        rows: (0..<count).map { row -> (label: Float, features: [(UInt32, Float)]) in
            let half = features / 2
            return (row % 3 == 0 ? 1 : -1, [(UInt32(row % half), 1), (UInt32(half + row % 7), Float(row % 4 + 1))])
        })
}

/// Small rows for dense models: classes that a linear model tells apart, most of them.
func denseRows(_ rows: Int, width: Int = 3, classes: Int = 3, seed: UInt64 = 21) throws -> DenseDataset {
    var stream = RandomStream(seed: seed)
    return try DenseDataset(
        columns: (0..<width).map { DenseColumn(name: "\($0)") },
        rows: (0..<rows).map { _ in
            let label = Int(stream.next(upperBound: UInt64(classes)))
            return (Float(label), (0..<width).map { ($0 == label ? 1 : 0) + stream.nextUnitFloat() - 0.5 })
        })
}

extension TrainingRun {
    /// The ranks of a run whose workers exchange messages.
    var ranks: [RankWorker] { (runner as! FabricRunner).workers }
    /// The models of all ranks.
    var replicas: [[Float]] { ranks.map(\.x.elements) }
}
