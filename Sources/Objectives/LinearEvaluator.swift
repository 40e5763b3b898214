// Evaluates linear models on one data set with all workers of a team. Used by one coordinator at a time.

public import Datasets
public import Kernels
public import Platform

/// Loss, accuracy, AUC or R2, and the full gradient, of a linear model on one data set.
///
/// The rows are cut into slices that depend on the data alone, and partial sums are added in the order of the slices, so that the
/// same model gives the same bits whatever the number of workers.
public final class LinearEvaluator {
    /// Bytes that the partial gradients of all slices may take together.
    private static let gradientBudget = 16 << 20

    public let data: SparseDataset
    public let objective: LinearObjective
    /// Features of the model; a row's features beyond it count as 0.
    public let features: Int
    private let slices: Int
    private var scores: PageBuffer<Float>
    private var gradients: PageBuffer<Double>
    private let targetMean: Double
    private let targetSumOfSquares: Double

    /// Of rows with targets, -1 and +1 for classification; `features` are the model's, at least the data's where gradients are asked for.
    public init(data: SparseDataset, objective: LinearObjective, features: Int) throws(InputError) {
        self.data = data
        self.objective = objective
        self.features = features
        slices = max(1, min(16, Self.gradientBudget / (8 * max(1, objective.parameterCount(features: features)))))
        scores = try PageBuffer(count: data.rowCount)
        gradients = try PageBuffer(count: 0)
        let labels = unsafe UnsafeBufferPointer(start: data.rows.labels, count: data.rowCount)
        let mean = unsafe labels.reduce(0.0) { $0 + Double($1) } / Double(max(1, data.rowCount))
        targetMean = mean
        targetSumOfSquares = unsafe labels.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    }

    /// The figures of `model` on all rows. All workers of `team` take part.
    public func evaluate(_ model: SharedParameters, team: WorkerTeam) -> Evaluation {
        pass(model, team: team, gradient: false)
        return figures()
    }

    /// As `evaluate`, and the gradient of the objective, penalty included, written to `gradient`.
    ///
    /// It takes as many doubles as the model has parameters.
    public func evaluate(
        _ model: SharedParameters, team: WorkerTeam, gradient: inout [Double]
    ) throws(InputError) -> Evaluation {
        precondition(data.featureCount <= features, "\(data.featureCount) features, the model has \(features)")
        precondition(gradient.count == model.count, "\(gradient.count) coordinates for \(model.count)")
        try gradients.resize(to: slices * model.count)
        pass(model, team: team, gradient: true)
        let partial = unsafe gradients.pointer
        let mean = 1 / Double(max(1, data.rowCount))
        for j in 0..<model.count {
            var sum = 0.0
            for slice in 0..<slices { unsafe sum += partial[slice * model.count + j] }
            gradient[j] = sum * mean
            if j < features { gradient[j] += objective.l2 * Double(model[j]) }
        }
        return figures()
    }

    /// (l2 / 2) norm(w)^2 of a model.
    public func penalty(_ model: SharedParameters) -> Double {
        guard objective.l2 > 0 else { return 0 }
        var sum = 0.0
        for j in 0..<features { sum += Double(model[j]) * Double(model[j]) }
        return objective.l2 / 2 * sum
    }

    /// The prediction for each row, as the last evaluation left it.
    public var predictions: [Float] { (0..<data.rowCount).map { unsafe scores.pointer[$0] } }

    private func pass(_ model: SharedParameters, team: WorkerTeam, gradient: Bool) {
        let rows = unsafe data.rows
        let rowCount = data.rowCount
        let slices = slices
        let features = features
        let hasIntercept = objective.intercept
        let loss = objective.loss
        let scores = unsafe SendablePointer(scores.pointer)
        let gradients = unsafe gradient ? SendablePointer(gradients.pointer) : nil
        _ = team.run { rank in
            for slice in stride(from: rank, to: slices, by: team.count) {
                let range = rowCount * slice / slices..<rowCount * (slice + 1) / slices
                let partial = unsafe gradients.map { unsafe $0.pointer + slice * model.count }
                switch loss {
                case .logistic: slicePass(LogisticLoss.self)
                case .hinge: slicePass(HingeLoss.self)
                case .squared: slicePass(SquaredLoss.self)
                }
                func slicePass<L: Loss>(_: L.Type) {
                    unsafe evaluateSlice(
                        L.self, rows: rows, range: range, model: model, features: features,
                        hasIntercept: hasIntercept, scores: scores.pointer, gradient: partial)
                }
            }
        }
    }

    private func figures() -> Evaluation {
        let count = data.rowCount
        let labels = unsafe UnsafeBufferPointer(start: data.rows.labels, count: count)
        let scores = unsafe UnsafeBufferPointer(start: scores.pointer, count: count)
        var result =
            switch objective.loss {
            case .logistic: unsafe sums(LogisticLoss.self, scores, labels)
            case .hinge: unsafe sums(HingeLoss.self, scores, labels)
            case .squared: unsafe sums(SquaredLoss.self, scores, labels)
            }
        if objective.loss.isClassification {
            result.auc = unsafe areaUnderROC(scores: scores, labels: labels)
        } else if targetSumOfSquares > 0 {
            result.r2 = 1 - 2 * result.loss * Double(count) / targetSumOfSquares
        }
        return result
    }

    private func sums<L: Loss>(
        _: L.Type, _ scores: UnsafeBufferPointer<Float>, _ labels: UnsafeBufferPointer<Float>
    ) -> Evaluation {
        var loss = 0.0
        var right = 0
        for r in 0..<scores.count {
            let score = unsafe scores[r]
            let label = unsafe labels[r]
            loss += L.value(Double(score), Double(label))
            right += (score > 0) == (label > 0) ? 1 : 0
        }
        let rows = Double(max(1, scores.count))
        return Evaluation(
            loss: loss / rows, accuracy: objective.loss.isClassification ? Double(right) / rows : nil)
    }
}

/// A pointer whose accesses the holder keeps apart: each rank touches its own slices only.
@unsafe struct SendablePointer<Pointee>: @unchecked Sendable {
    // Sendable: slices of different ranks are disjoint, and the coordinator reads after the team is done.
    let pointer: UnsafeMutablePointer<Pointee>
    init(_ pointer: UnsafeMutablePointer<Pointee>) { unsafe self.pointer = pointer }
}

/// Predictions of the rows in `range`, and, where asked for, the sum of their gradients.
private func evaluateSlice<L: Loss>(
    _: L.Type, rows: CSRRows, range: Range<Int>, model: SharedParameters, features: Int, hasIntercept: Bool,
    scores: UnsafeMutablePointer<Float>, gradient: UnsafeMutablePointer<Double>?
) {
    if let gradient = unsafe gradient { unsafe gradient.update(repeating: 0, count: model.count) }
    let intercept = hasIntercept ? Double(model[features]) : 0
    for row in range {
        let start = unsafe rows.rowOffsets[row]
        let count = unsafe rows.rowOffsets[row + 1] - start
        let indices = unsafe rows.indices + start
        let values = unsafe rows.values + start
        let z = unsafe intercept + sparseDotInDouble(model.pointer, dimension: features, indices, values, count)
        unsafe scores[row] = Float(z)
        if let gradient = unsafe gradient {
            let derivative = unsafe L.derivative(z, Double(rows.labels[row]))
            unsafe sparseAccumulate(gradient, indices, values, count, scale: derivative)
            if hasIntercept { unsafe gradient[features] += derivative }
        }
    }
}
