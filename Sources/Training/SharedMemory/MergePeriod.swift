// How many rows a replica may train on between two merges without drifting from the others. Pure arithmetic but for a look at some rows;
// the coordinator, before a run.

internal import Datasets
internal import Glibc
internal import Kernels
internal import Objectives
internal import Platform

/// The longest periods of replicas that are merged by the sums of their changes.
///
/// Let c be the curvature of the loss, C the mean of x x^T over the rows and s = gamma c tr C, the step along a mean row. What two replicas do to
/// the same coordinates between two merges grows with s^2 a row, hence periods as 1/s^2: on W1 the loss after 5 epochs is then that of
/// one worker at steps from 0.3 to 3.
///
/// Along a direction of curvature h a replica goes 1 - exp(-gamma h R) of the way in R rows, and after the merge all are N times as far: more
/// than twice the way leads ever farther off. So gamma h R stays below -log(1 - 2/N) for the largest h, c times the largest eigenvalue of C. Two
/// replicas at most swing to and fro, which matters where most of what is learned is of such directions: for their mean, c tr(C^2) / tr C,
/// gamma h R stays below 1.4/N.
struct MergePeriod: Sendable {
    /// s^2 times rows.
    private static let driftRows = 128.0
    /// Below this a merge costs more than the rows before it whatever it is.
    static let fewestRows = 8
    private static let mergesPerEpoch = 16

    /// s by gamma.
    private let rowCurvature: Double
    /// What gamma times rows stays below.
    private let mostSteps: Double
    private let mostRows: Int

    /// - Parameter rows: of the replica with the fewest in an epoch.
    init(_ problem: LinearProblem, replicas: Int, rows: Int) throws(InputError) {
        let curvature = problem.objective.loss == .logistic ? 0.25 : 1
        let spectrum = try problem.train.rowSpectrum(intercept: problem.objective.intercept)
        rowCurvature = curvature * spectrum.trace
        let most = replicas > 2 ? -log1p(-2 / Double(replicas)) : .infinity
        mostSteps = min(
            most / max(1e-30, curvature * spectrum.largest),
            1.4 / Double(replicas) / max(1e-30, curvature * spectrum.mean))
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
    /// Rows of which every pair is compared.
    private static var comparedRows: Int { 256 }

    /// What the inner products of some rows, spread over the data, tell of C, the mean of x x^T, with a 1 in each row for an intercept: tr C, its
    /// largest eigenvalue, and tr(C^2) / tr C, the mean of the eigenvalues weighted by themselves.
    func rowSpectrum(intercept: Bool) throws(InputError) -> (trace: Double, largest: Double, mean: Double) {
        let count = min(rowCount, Self.comparedRows)
        guard count > 1 else { return (meanRowNormSquared(intercept: intercept), 0, 0) }
        let chosen = (0..<count).map { $0 * rowCount / count }
        let model = try SharedParameters(count: featureCount)
        let step = unsafe LinearStep(
            objective: LinearObjective(loss: .squared, l2: 0, intercept: false), features: featureCount, rows: rows,
            model: model.pointer, penaltyWeights: nil)
        var products = [[Float]]()
        for row in chosen {
            unsafe step.apply(row, derivative: -1, stepSize: 1)
            products.append(chosen.map { unsafe step.prediction($0) + (intercept ? 1 : 0) })
            for k in unsafe rows.rowOffsets[row]..<rows.rowOffsets[row + 1] { unsafe model[Int(rows.indices[k])] = 0 }
        }
        let trace = meanRowNormSquared(intercept: intercept)
        var squares = 0.0
        for (i, row) in products.enumerated() {
            for (j, product) in row.enumerated() where i != j { squares += Double(product) * Double(product) }
        }
        squares /= Double(count * (count - 1))

        // By power iteration, which begins neither with all alike nor at right angles to rows that are.
        var stream = RandomStream(seed: 1, for: .madeUpData)
        var weights = chosen.map { _ in stream.nextUnitFloat() - 0.25 }
        var largest: Float = 0
        for _ in 0..<8 {
            let next = products.map { row in zip(row, weights).reduce(0) { $0 + $1.0 * $1.1 } / Float(count) }
            largest = next.reduce(0) { max($0, abs($1)) } / max(1e-30, weights.reduce(0) { max($0, abs($1)) })
            weights = next.map { $0 / max(1e-30, largest) }
        }
        return (trace, Double(largest), squares / max(1e-30, trace))
    }
}
