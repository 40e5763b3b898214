// The norm of the full gradient of a linear model, in less memory than the gradient takes. The coordinator, with all workers of a team.

internal import Datasets
public import Kernels
public import Platform

extension LinearEvaluator {
    /// Features whose gradients are summed at once, at least.
    private static let windowFeatures = 1 << 21
    /// Parts of a window that workers share out.
    private static let shares = 16

    /// Squared norm of the gradient of the objective at `model`, penalty included, in double precision.
    ///
    /// The gradient is summed up in windows of features, at most four: 16 MiB, or for models of more features two bytes each. Every coordinate
    /// is added up in the order of the rows, so that the same model gives the same bits whatever the number of workers.
    public func gradientNormSquared(of model: SharedParameters, team: WorkerTeam) throws(InputError) -> Double {
        precondition(data.featureCount <= features, "\(data.featureCount) features, the model has \(features)")
        let derivatives = try PageBuffer<Double>(count: data.rowCount)
        switch objective.loss {
        case .logistic: fill(LogisticLoss.self)
        case .hinge: fill(HingeLoss.self)
        case .squared: fill(SquaredLoss.self)
        }
        func fill<L: Loss>(_: L.Type) {
            unsafe fillDerivatives(L.self, at: model, team: team, into: SendablePointer(derivatives.pointer))
        }
        let window = max(1, max(min(features, Self.windowFeatures), (features + 3) / 4))
        let sums = try PageBuffer<Double>(count: window)
        let mean = 1 / Double(max(1, data.rowCount))
        var squares = 0.0
        for start in stride(from: 0, to: features, by: window) {
            let range = start..<min(start + window, features)
            unsafe addGradients(
                of: range, SendablePointer(derivatives.pointer), team: team, into: SendablePointer(sums.pointer))
            for j in range {
                let g = unsafe sums.pointer[j - start] * mean + objective.l2 * Double(model[j])
                squares += g * g
            }
        }
        if objective.intercept {
            var sum = 0.0
            for row in 0..<data.rowCount { unsafe sum += derivatives.pointer[row] }
            squares += sum * mean * (sum * mean)
        }
        return squares
    }

    /// Bytes that `gradientNormSquared` takes.
    public static func gradientNormBytes(rowCount: Int, features: Int) -> Int {
        let window = max(min(features, windowFeatures), (features + 3) / 4)
        return PageBuffer<Double>.byteCount(of: rowCount) + PageBuffer<Double>.byteCount(of: window)
    }

    private func fillDerivatives<L: Loss>(
        _: L.Type, at model: SharedParameters, team: WorkerTeam, into derivatives: SendablePointer<Double>
    ) {
        let rows = unsafe data.rows
        let rowCount = data.rowCount
        let (features, hasIntercept) = (features, objective.intercept)
        _ = team.run { rank in
            let intercept = hasIntercept ? Double(model[features]) : 0
            for row in rowCount * rank / team.count..<rowCount * (rank + 1) / team.count {
                let start = unsafe rows.rowOffsets[row]
                let count = unsafe rows.rowOffsets[row + 1] - start
                let z =
                    unsafe intercept
                    + sparseDotInDouble(
                        model.pointer, dimension: features, rows.indices + start, rows.values + start, count)
                unsafe derivatives.pointer[row] = L.derivative(z, Double(rows.labels[row]))
            }
        }
    }

    /// sums[j - start] = sum over rows of derivative times value, for the features of a window.
    private func addGradients(
        of window: Range<Int>, _ derivatives: SendablePointer<Double>, team: WorkerTeam,
        into sums: SendablePointer<Double>
    ) {
        let rows = unsafe data.rows
        let rowCount = data.rowCount
        let shares = Self.shares
        _ = team.run { rank in
            for share in stride(from: rank, to: shares, by: team.count) {
                let lower = window.lowerBound + window.count * share / shares
                let upper = window.lowerBound + window.count * (share + 1) / shares
                unsafe (sums.pointer + (lower - window.lowerBound)).update(repeating: 0, count: upper - lower)
                for row in 0..<rowCount {
                    let derivative = unsafe derivatives.pointer[row]
                    if derivative == 0 { continue }
                    let end = unsafe rows.rowOffsets[row + 1]
                    var k = unsafe firstIndex(atLeast: lower, rows.indices, rows.rowOffsets[row]..<end)
                    while k < end, unsafe Int(rows.indices[k]) < upper {
                        unsafe sums.pointer[Int(rows.indices[k]) - window.lowerBound].addProduct(
                            derivative, Double(rows.values[k]))
                        k += 1
                    }
                }
            }
        }
    }
}

/// Where the rising indices of a row reach `bound`.
private func firstIndex(atLeast bound: Int, _ indices: UnsafePointer<UInt32>, _ range: Range<Int>) -> Int {
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high {
        let middle = (low + high) / 2
        if unsafe Int(indices[middle]) < bound { low = middle + 1 } else { high = middle }
    }
    return low
}
