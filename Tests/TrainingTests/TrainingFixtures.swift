import Datasets
import Kernels
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

/// Trains and gives back the result and the parameters.
func train(
    _ data: SparseDataset, test: SparseDataset? = nil, workers: Int = 1, stop: StopRequest = StopRequest(),
    _ change: (inout TrainingOptions) -> Void
) throws -> TrainingResult {
    try trainer(data, test: test, workers: workers, stop: stop, change).run()
}

func trainer(
    _ data: SparseDataset, test: SparseDataset? = nil, workers: Int = 1, stop: StopRequest = StopRequest(),
    _ change: (inout TrainingOptions) -> Void
) throws -> Trainer {
    var options = TrainingOptions()
    options.stepSize = StepSize(0.2)
    options.epochs = 2
    change(&options)
    return try Trainer(train: data, test: test, team: team(workers), options: options, stop: stop)
}

extension Algorithm {
    /// What `Trainer` runs.
    static let onSharedParameters = allCases.filter { !$0.isSynchronous || $0 == .minibatchSGD }
}
