import Datasets
import Kernels
import Measurement
import Objectives
import Platform

@testable import Training

/// A small sparse classification problem: rows of 1 to 6 of `features` features with labels from a hidden model, 10 percent flipped.
func classificationRows(_ rows: Int, features: Int = 40, seed: UInt64 = 11) throws -> SparseDataset {
    var stream = RandomStream(seed: seed)
    let hidden = (0..<features).map { _ in stream.nextUnitFloat() * 2 - 1 }
    return try SparseDataset(
        featureCount: features,
        rows: (0..<rows).map { _ in
            let count = 1 + Int(stream.next(upperBound: 6))
            let indices = (0..<features).shuffled(using: &stream).prefix(count).sorted()
            let row = indices.map { (UInt32($0), stream.nextUnitFloat() + 0.5) }
            let score = row.reduce(Float(0)) { $0 + hidden[Int($1.0)] * $1.1 }
            let flipped = stream.nextUnitFloat() < 0.1
            return ((score > 0) != flipped ? 1 : -1, row)
        })
}

/// A small sparse regression problem: y = <w, x> + 0.5 + noise of a twentieth.
func regressionRows(_ rows: Int, features: Int = 10, seed: UInt64 = 12) throws -> SparseDataset {
    var stream = RandomStream(seed: seed)
    let hidden = (0..<features).map { _ in stream.nextUnitFloat() * 2 - 1 }
    return try SparseDataset(
        featureCount: features,
        rows: (0..<rows).map { _ in
            let row = (0..<features).filter { _ in stream.nextUnitFloat() < 0.5 }.map {
                (UInt32($0), stream.nextUnitFloat() * 2 - 1)
            }
            let mean = row.reduce(Float(0.5)) { $0 + hidden[Int($1.0)] * $1.1 }
            return (mean + (stream.nextUnitFloat() - 0.5) / 10, row)
        })
}

func team(_ workers: Int) throws -> WorkerTeam { try WorkerTeam(placement: .unpinned(workers: workers)) }

/// What a run on sparse rows is asked for.
@dynamicMemberLookup struct RunSetup {
    var options = TrainingOptions()
    var objective = LinearObjective()

    subscript<Value>(dynamicMember path: WritableKeyPath<TrainingOptions, Value>) -> Value {
        get { options[keyPath: path] }
        set { options[keyPath: path] = newValue }
    }
}

/// What such a run came to.
struct LinearResult {
    let record: RunRecord
    let model: LinearModel
    let updateLog: [UpdateLogEntry]
}

/// A run on sparse rows that has not begun.
struct LinearRun {
    let run: TrainingRun
    let problem: LinearProblem
    let options: TrainingOptions

    /// What workers on shared parameters share.
    var engine: Engine { (run.runner as! SharedRunner).engine! }

    func train() throws -> LinearResult {
        let result = try run.run()
        return LinearResult(
            record: result.record, model: problem.model(result.parameters), updateLog: result.updateLog)
    }
}

/// Trains a linear model.
func train(
    _ data: SparseDataset, test: SparseDataset? = nil, workers: Int = 1, stop: StopRequest = StopRequest(),
    _ change: (inout RunSetup) -> Void
) throws -> LinearResult {
    try linearRun(data, test: test, workers: workers, stop: stop, change).train()
}

func linearRun(
    _ data: SparseDataset, test: SparseDataset? = nil, workers: Int = 1, stop: StopRequest = StopRequest(),
    _ change: (inout RunSetup) -> Void
) throws -> LinearRun {
    var setup = RunSetup()
    setup.stepSize = StepSize(0.2)
    setup.epochs = 2
    change(&setup)
    let problem = LinearProblem(objective: setup.objective, train: data, test: test)
    return LinearRun(
        run: try trainingRun(problem, workers: workers, setup.options, stop: stop), problem: problem,
        options: setup.options)
}

/// A run with threads for its ranks where it needs more than those of the workers.
func trainingRun(
    _ problem: any MinibatchProblem, workers: Int, _ options: TrainingOptions, stop: StopRequest = StopRequest()
) throws -> TrainingRun {
    let ranks = try TrainingRun.rankCount(problem: problem, workers: workers, options: options)
    return try TrainingRun(
        problem: problem, workers: workers, team: team(workers), ranks: ranks.map(team), options: options, stop: stop)
}

extension Algorithm {
    static let gd = Algorithm(GradientDescent.self)
    static let sgd = Algorithm(StochasticGradientDescent.self)
    static let minibatchSGD = Algorithm(MinibatchSGD.self)
    static let hogwild = Algorithm(Hogwild.self)
    static let asgd = Algorithm(ASGD.self)
    static let serialReference = Algorithm(SerialReference.self)
    static let gradientAggregation = Algorithm(GradientAggregation.self)
    static let modelAggregation = Algorithm(ModelAggregation.self)
    static let globalReplica = Algorithm(GlobalReplica.self)
    static let backupWorkers = Algorithm(BackupWorkers.self)
    static let gradientCoding = Algorithm(GradientCoding.self)
    static let delayedSGD = Algorithm(DelayedSGD.self)
    static let csgd = Algorithm(CSGD.self)
    static let ecSGD = Algorithm(ECSGD.self)

    /// Those beside asgd whose workers meet at a server, with settings that hold something back, drop or keep something.
    static let servers = [
        Algorithm(SSP.self, settings: "bound=1"), Algorithm(RingmasterASGD.self, settings: "bound=2"),
        Algorithm(RennalaSGD.self, settings: "batch=2"), Algorithm(DelayCompensatedASGD.self, settings: "adaptive=yes"),
    ]

    /// Those that have one model in shared memory, natively.
    static let onSharedParameters = [gd, sgd, minibatchSGD, asgd, hogwild]
    /// Those whose workers step together, and what stands for them.
    static let dataParallel = [serialReference, gradientAggregation, modelAggregation, globalReplica, csgd, ecSGD]

    var isSerial: Bool { facts.isSerial }
    var compresses: Bool { facts.options.contains(.codec) }
}
