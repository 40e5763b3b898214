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
    /// Rows whose losses are added up in one go, at least.
    private static let rowsPerSum = 1_024

    public let data: SparseDataset
    public let objective: LinearObjective
    /// Features of the model; a row's features beyond it count as 0.
    public let features: Int
    /// Parts with a gradient of their own.
    private let slices: Int
    /// Parts whose losses are added up on their own.
    private let parts: Int
    private var sums: PageBuffer<Sums>
    private var scores: PageBuffer<Float>
    private var gradients: PageBuffer<Double>
    /// How many times loss and accuracy were computed.
    private(set) var evaluations = 0
    private let targetMean: Double
    private let targetSumOfSquares: Double

    private static func sliceCount(parameters: Int) -> Int {
        max(1, min(16, gradientBudget / (8 * max(1, parameters))))
    }

    /// About what an evaluator takes, in bytes; of `rowCount` rows; `parameters` counts those of gradients, 0 where none are asked for.
    public static func memoryBytes(rowCount: Int, parameters: Int) -> Int {
        // Scores, the keys by which an AUC sorts them, as an array that grows, and the gradients of all slices.
        4 * rowCount + 12 * rowCount + 8 * parameters.multiplied(by: sliceCount(parameters: parameters))
    }

    /// Of rows with targets, -1 and +1 for classification; `features` are the model's, at least the data's where gradients are asked for.
    public init(data: SparseDataset, objective: LinearObjective, features: Int) throws(InputError) {
        self.data = data
        self.objective = objective
        self.features = features
        slices = Self.sliceCount(parameters: objective.parameterCount(features: features))
        parts = max(1, min(256, data.rowCount / Self.rowsPerSum))
        sums = try PageBuffer(count: parts)
        scores = try PageBuffer(count: data.rowCount)
        gradients = try PageBuffer(count: 0)
        let labels = unsafe UnsafeBufferPointer(start: data.rows.labels, count: data.rowCount)
        let mean = unsafe labels.reduce(0.0) { $0 + Double($1) } / Double(max(1, data.rowCount))
        targetMean = mean
        targetSumOfSquares = unsafe labels.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    }

    /// The figures of `model` on all rows or a sample of them, AUC only where asked for. All workers of `team` take part.
    public func evaluate(
        _ model: SharedParameters, team: WorkerTeam, withAUC: Bool = true, onSample: Bool = false
    ) -> Evaluation {
        let rows = onSample ? ranges.map(SampledRows.head) : ranges
        let isZero = (0..<model.count).allSatisfy { model[$0] == 0 }
        pass(isZero ? nil : model, rows, team: team)
        return figures(rows, withAUC: withAUC)
    }

    /// The rows of each part.
    private var ranges: [Range<Int>] {
        (0..<parts).map { data.rowCount * $0 / parts..<data.rowCount * ($0 + 1) / parts }
    }

    /// Writes the gradient of the objective, penalty included, to `gradient`, which has as many doubles as the model has parameters. All
    /// workers of `team` take part.
    public func gradient(
        of model: SharedParameters, team: WorkerTeam, into gradient: inout [Double]
    ) throws(InputError) {
        precondition(data.featureCount <= features, "\(data.featureCount) features, the model has \(features)")
        precondition(gradient.count == model.count, "\(gradient.count) coordinates for \(model.count)")
        guard model.count > 0 else { return }
        try gradients.resize(to: slices * model.count)
        gradientPass(model, team: team)
        let mean = 1 / Double(max(1, data.rowCount))
        let (slices, features, l2) = (slices, features, objective.l2)
        let partial = unsafe SendablePointer(gradients.pointer)
        unsafe gradient.withUnsafeMutableBufferPointer { gradient in
            let gradient = unsafe SendablePointer(gradient.baseAddress!)
            _ = team.run { rank in
                // Each coordinate's sum is in the order of the slices.
                for j in model.count * rank / team.count..<model.count * (rank + 1) / team.count {
                    var sum = 0.0
                    for slice in 0..<slices { unsafe sum += partial.pointer[slice * model.count + j] }
                    unsafe gradient.pointer[j] = sum * mean + (j < features ? l2 * Double(model[j]) : 0)
                }
            }
        }
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

    /// What one part of the rows adds to the figures.
    private struct Sums: BitwiseCopyable {
        var loss: Double
        var right: Int
    }

    /// Fills `scores` and `sums` of the rows of each part; the model is nil where it is all zeros, whose scores are known.
    private func pass(_ model: SharedParameters?, _ ranges: [Range<Int>], team: WorkerTeam) {
        let rows = unsafe data.rows
        let (features, hasIntercept, loss) = (features, objective.intercept, objective.loss)
        let scores = unsafe SendablePointer(scores.pointer)
        let sums = unsafe SendablePointer(sums.pointer)
        _ = team.run { rank in
            for part in stride(from: rank, to: ranges.count, by: team.count) {
                let range = ranges[part]
                if let model {
                    unsafe score(
                        rows, range, model: model, features: features, hasIntercept: hasIntercept, into: scores.pointer)
                } else {
                    unsafe (scores.pointer + range.lowerBound).update(repeating: 0, count: range.count)
                }
                let own = unsafe UnsafePointer(scores.pointer + range.lowerBound)
                let labels = unsafe rows.labels + range.lowerBound
                let sum =
                    switch loss {
                    case .logistic: unsafe LogisticLoss.sum(own, targets: labels, count: range.count)
                    case .hinge: unsafe HingeLoss.sum(own, targets: labels, count: range.count)
                    case .squared: unsafe SquaredLoss.sum(own, targets: labels, count: range.count)
                    }
                var right = 0
                for i in 0..<range.count { unsafe right += (own[i] > 0) == (labels[i] > 0) ? 1 : 0 }
                unsafe sums.pointer[part] = Sums(loss: sum, right: right)
            }
        }
    }

    /// Fills `gradients`, the sums of each slice.
    private func gradientPass(_ model: SharedParameters, team: WorkerTeam) {
        let rows = unsafe data.rows
        let rowCount = data.rowCount
        let (slices, features, hasIntercept, loss) = (slices, features, objective.intercept, objective.loss)
        let gradients = unsafe SendablePointer(gradients.pointer)
        _ = team.run { rank in
            for slice in stride(from: rank, to: slices, by: team.count) {
                let range = rowCount * slice / slices..<rowCount * (slice + 1) / slices
                let gradient = unsafe gradients.pointer + slice * model.count
                switch loss {
                case .logistic: add(LogisticLoss.self)
                case .hinge: add(HingeLoss.self)
                case .squared: add(SquaredLoss.self)
                }
                func add<L: Loss>(_: L.Type) {
                    unsafe addGradients(
                        L.self, rows: rows, range: range, model: model, features: features, hasIntercept: hasIntercept,
                        to: gradient)
                }
            }
        }
    }

    /// The figures of the scores that the last pass has left.
    private func figures(_ ranges: [Range<Int>], withAUC: Bool) -> Evaluation {
        evaluations += 1
        let count = ranges.reduce(0) { $0 + $1.count }
        let isSample = count < data.rowCount
        var total = Sums(loss: 0, right: 0)
        for part in 0..<parts {
            let sums = unsafe sums.pointer[part]
            total.loss += sums.loss
            total.right += sums.right
        }
        var result = Evaluation(loss: total.loss / Double(max(1, count)))
        if isSample { result.sampledRows = count }
        if objective.loss.isClassification {
            result.accuracy = Double(total.right) / Double(max(1, count))
            if withAUC {
                result.auc =
                    isSample
                    ? areaUnderROC(
                        scores: ranges.joined().map { unsafe scores.pointer[$0] },
                        labels: ranges.joined().map { unsafe data.rows.labels[$0] })
                    : unsafe areaUnderROC(
                        scores: UnsafeBufferPointer(start: scores.pointer, count: count),
                        labels: UnsafeBufferPointer(start: data.rows.labels, count: count))
            }
        } else {
            let squares = isSample ? targetSquares(ranges) : targetSumOfSquares
            if squares > 0 { result.r2 = 1 - 2 * total.loss / squares }
        }
        return result
    }

    /// The sum of squares of the targets of these rows about their mean.
    private func targetSquares(_ ranges: [Range<Int>]) -> Double {
        let targets = ranges.joined().map { unsafe Double(data.rows.labels[$0]) }
        let mean = targets.reduce(0, +) / Double(max(1, targets.count))
        return targets.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    }
}

/// A pointer whose accesses the holder keeps apart: each rank touches its own slices only.
@unsafe struct SendablePointer<Pointee>: @unchecked Sendable {
    // Sendable: slices of different ranks are disjoint, and the coordinator reads after the team is done.
    let pointer: UnsafeMutablePointer<Pointee>
    init(_ pointer: UnsafeMutablePointer<Pointee>) { unsafe self.pointer = pointer }
}

/// The predictions of the rows in `range`.
private func score(
    _ rows: CSRRows, _ range: Range<Int>, model: SharedParameters, features: Int, hasIntercept: Bool,
    into scores: UnsafeMutablePointer<Float>
) {
    let intercept = hasIntercept ? Double(model[features]) : 0
    for row in range {
        let start = unsafe rows.rowOffsets[row]
        let count = unsafe rows.rowOffsets[row + 1] - start
        unsafe scores[row] = Float(
            intercept
                + sparseDotInDouble(
                    model.pointer, dimension: features, rows.indices + start, rows.values + start, count))
    }
}

/// Overwrites `gradient` by the sum of the gradients of the rows in `range`.
private func addGradients<L: Loss>(
    _: L.Type, rows: CSRRows, range: Range<Int>, model: SharedParameters, features: Int, hasIntercept: Bool,
    to gradient: UnsafeMutablePointer<Double>
) {
    unsafe gradient.update(repeating: 0, count: model.count)
    let intercept = hasIntercept ? Double(model[features]) : 0
    for row in range {
        let start = unsafe rows.rowOffsets[row]
        let count = unsafe rows.rowOffsets[row + 1] - start
        let indices = unsafe rows.indices + start
        let values = unsafe rows.values + start
        let z = unsafe intercept + sparseDotInDouble(model.pointer, dimension: features, indices, values, count)
        let derivative = unsafe L.derivative(z, Double(rows.labels[row]))
        unsafe sparseAccumulate(gradient, indices, values, count, scale: derivative)
        if hasIntercept { unsafe gradient[features] += derivative }
    }
}
