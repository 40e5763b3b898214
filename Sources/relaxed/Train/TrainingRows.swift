// What `train` learns from and what it learns: sparse rows and linear models, or dense rows and networks. On the main thread.

import Datasets
import Kernels
import Measurement
import Objectives
import Platform
import Training

/// Rows that were read, of either kind.
enum TrainingRows {
    case sparse(SparseRows)
    case dense(DenseTrainingData)

    struct SparseRows {
        let train: SparseDataset
        let test: SparseDataset?
        let seconds: Double
    }

    var rowCount: Int {
        switch self {
        case .sparse(let rows): rows.train.rowCount
        case .dense(let rows): rows.train.rowCount
        }
    }

    var hasTest: Bool {
        switch self {
        case .sparse(let rows): rows.test != nil
        case .dense(let rows): rows.test != nil
        }
    }

    /// What is printed before the run.
    func description(placement: Placement) -> String {
        switch self {
        case .sparse(let rows):
            TrainingTables.describe(rows.train, test: rows.test) + TrainingTables.reading(rows.seconds, placement)
        case .dense(let rows): rows.describe() + TrainingTables.reading(rows.readSeconds, placement)
        }
    }

    /// What data-parallel SGD minimises; `objective` is for sparse rows.
    func problem(_ objective: LinearObjective) throws(InputError) -> any MinibatchProblem {
        switch self {
        case .sparse(let rows): LinearProblem(objective: objective, train: rows.train, test: rows.test)
        case .dense(let rows): try DenseProblem(network: rows.network, train: rows.train, test: rows.test)
        }
    }
}

/// What a run has come to, and how its model is written.
struct TrainedModel {
    let record: RunRecord
    let updateLog: [UpdateLogEntry]
    /// Writes the model to a path.
    let writeModel: (String) throws -> Void
    /// The gradient over all training rows at the model, in the order of its parameters.
    let gradient: () throws(InputError) -> [Float]

    /// Of an algorithm on shared parameters.
    init(_ result: TrainingResult, _ objective: LinearObjective, on train: SparseDataset, team: WorkerTeam) {
        record = result.record
        updateLog = result.updateLog
        let model = result.model
        writeModel = { try AtomicFile.write(model.libLinearText(), to: $0, option: "--model-out") }
        gradient = { () throws(InputError) in
            let parameters = model.weights + (model.intercept.map { [$0] } ?? [])
            return try Self.gradient(
                of: LinearProblem(objective: objective, train: train), at: parameters, team: team)
        }
    }

    /// Of data-parallel SGD.
    init(_ result: SynchronousResult, of problem: any MinibatchProblem, from rows: TrainingRows, team: WorkerTeam) {
        var record = result.record
        if case .dense(let rows) = rows { record.network = rows.networkRecord }
        self.record = record
        updateLog = []
        writeModel = { path in
            switch rows {
            case .dense(let rows): try rows.model(parameters: result.parameters).write(to: path, option: "--model-out")
            case .sparse:
                guard let problem = problem as? LinearProblem else { return }
                let text = try problem.model(result.parameters).libLinearText()
                try AtomicFile.write(text, to: path, option: "--model-out")
            }
        }
        gradient = { () throws(InputError) in try Self.gradient(of: problem, at: result.parameters, team: team) }
    }

    private static func gradient(
        of problem: any MinibatchProblem, at parameters: [Float], team: WorkerTeam
    ) throws(InputError) -> [Float] {
        var gradient = [Double](repeating: 0, count: problem.parameterCount)
        _ = try problem.makeEvaluator(team: team).evaluate(parameters.span, .gradient, gradient: &gradient)
        return gradient.map(Float.init)
    }
}
