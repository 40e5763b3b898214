// How many rows a replica may train on between two merges without drifting from the others. Pure arithmetic but for a look at some rows;
// the coordinator, before a run.

internal import Datasets
internal import Glibc
internal import Kernels
internal import Objectives
internal import Platform

/// The longest periods of replicas that are merged by the sums of their changes.
///
/// With s the step size times the curvature of a mean row, what two replicas do to the same coordinates between two merges grows with s^2 a
/// row: periods grow as 1/s^2 (on W1 the loss after 5 epochs is then that of one worker at steps from 0.3 to 3). More than two replicas
/// overshoot together along the direction in which most rows agree, with curvature h: one that has gone 1 - exp(-gamma h R) of the way alone
/// is N times as far after the merge, and more than twice the way leads nowhere. So R stays below -log(1 - 2/N) / (gamma h).
struct MergePeriod: Sendable {
    /// s^2 times rows.
    private static let driftRows = 192.0
    /// Below this a merge costs more than the rows before it whatever it is.
    static let fewestRows = 16
    private static let mergesPerEpoch = 16

    private let rowCurvature: Double
    /// What gamma times rows must stay below; infinite for two replicas.
    private let mostSteps: Double
    private let mostRows: Int

    /// - Parameter rows: of the replica with the fewest in an epoch.
    init(_ problem: LinearProblem, replicas: Int, rows: Int) throws(InputError) {
        let curvature = problem.objective.loss == .logistic ? 0.25 : 1
        let data = problem.train
        rowCurvature = curvature * data.meanRowNormSquared(intercept: problem.objective.intercept)
        mostSteps =
            replicas <= 2
            ? .infinity
            : -log1p(-2 / Double(replicas)) / max(1e-30, curvature * (try data.largestEigenvalue(problem.objective)))
        mostRows = max(1, rows / Self.mergesPerEpoch)
    }

    /// The most rows between two merges of a replica where rows are stepped along by `stepSize` each.
    func rows(stepSize: Double) -> Int {
        let drift = stepSize * rowCurvature
        let most = min(Self.driftRows / max(1e-30, drift * drift), mostSteps / max(1e-30, stepSize))
        return max(Self.fewestRows, Int(min(most, Double(mostRows))))
    }
}

extension SparseDataset {
    /// Rows that are looked at.
    private static var sampledRows: Int { 1_024 }

    /// About the largest eigenvalue of the mean of x x^T over the rows, with 1 for an intercept: that of some rows spread over the data, by
    /// power iteration on what the rows come to along a vector that is a sum of them.
    func largestEigenvalue(_ objective: LinearObjective) throws(InputError) -> Double {
        let sum = try SharedParameters(count: objective.parameterCount(features: featureCount))
        let count = min(rowCount, Self.sampledRows)
        guard count > 0 else { return 0 }
        let chosen = (0..<count).map { $0 * rowCount / count }
        let step = unsafe LinearStep(
            objective: objective, features: featureCount, rows: rows, model: sum.pointer, penaltyWeights: nil)
        var stream = RandomStream(seed: 1, for: .madeUpData)
        // Neither all alike nor at right angles to rows that are.
        var weights = chosen.map { _ in stream.nextUnitFloat() - 0.25 }
        var eigenvalue = 0.0
        for _ in 0..<6 {
            for (row, weight) in zip(chosen, weights) {
                unsafe step.apply(row, derivative: -weight, stepSize: 1 / Float(count))
            }
            let along = chosen.map { unsafe step.prediction($0) }
            let square = zip(weights, along).reduce(0) { $0 + Double($1.0) * Double($1.1) }
            guard square > 0 else { return eigenvalue }
            eigenvalue = along.reduce(0) { $0 + Double($1) * Double($1) } / square
            for row in chosen {
                for k in unsafe rows.rowOffsets[row]..<rows.rowOffsets[row + 1] {
                    unsafe sum[Int(rows.indices[k])] = 0
                }
            }
            if objective.intercept { sum[featureCount] = 0 }
            weights = along.map { $0 / Float(eigenvalue) }
        }
        return eigenvalue
    }
}
