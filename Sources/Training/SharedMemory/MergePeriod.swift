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
///
/// Where rows agree they mostly do so in a few coordinates that many of them have, the intercept above all. These are merged on their own as often as
/// that asks for, which costs little, and the rest as often as the rows without them ask for.
struct MergePeriod: Sendable {
    /// s^2 times rows.
    private static let driftRows = 128.0
    /// Below this a merge costs more than the rows before it whatever it is.
    static let fewestRows = 8
    static let mergesPerEpoch = 16

    /// The coordinates that many rows have, ascending.
    let frequent: [Int]
    /// s by gamma.
    private let rowCurvature: Double
    /// What gamma times rows stays below, for the frequent coordinates and for the others.
    private let mostFrequentSteps: Double
    private let mostSteps: Double
    private let mostRows: Int
    /// Two replicas may swing a little where that saves time.
    private let fewestFrequentRows: Int

    /// - Parameter rows: of the replica with the fewest in an epoch.
    init(_ problem: LinearProblem, replicas: Int, rows: Int) throws(InputError) {
        let curvature = problem.objective.loss == .logistic ? 0.25 : 1
        let (data, hasIntercept) = (problem.train, problem.objective.intercept)
        frequent = data.frequentFeatures + (hasIntercept ? [data.featureCount] : [])
        let all = try data.rowSpectrum(intercept: hasIntercept, without: [])
        let others = try data.rowSpectrum(intercept: false, without: frequent)
        rowCurvature = curvature * data.meanRowNormSquared(intercept: hasIntercept)
        func mostSteps(_ spectrum: (trace: Double, largest: Double, mean: Double)) -> Double {
            let most = replicas > 2 ? -log1p(-2 / Double(replicas)) : .infinity
            return min(
                most / max(1e-30, curvature * spectrum.largest),
                1.4 / Double(replicas) / max(1e-30, curvature * spectrum.mean))
        }
        mostFrequentSteps = mostSteps(all)
        self.mostSteps = mostSteps(others)
        fewestFrequentRows = (replicas > 2 ? 1 : 4) * Self.fewestRows
        mostRows = max(1, rows / Self.mergesPerEpoch)
    }

    /// The most rows between two merges of a replica where rows are stepped along by `stepSize` each.
    func rows(stepSize: Double) -> Int {
        let drift = stepSize * rowCurvature
        let most = min(Self.driftRows / max(1e-30, drift * drift), mostSteps / max(1e-30, stepSize))
        return max(Self.fewestRows, Int(min(most, Double(mostRows))))
    }

    /// The most rows between two merges of the frequent coordinates.
    func frequentRows(stepSize: Double) -> Int {
        max(fewestFrequentRows, Int(min(mostFrequentSteps / max(1e-30, stepSize), Double(mostRows))))
    }
}

extension SparseDataset {
    /// Rows of which every pair is compared.
    private static var comparedRows: Int { 256 }

    /// Features that at least one in 4 of some rows have, spread over the data: at most the 32 most frequent ones, ascending.
    var frequentFeatures: [Int] {
        let count = min(rowCount, 2 * Self.comparedRows)
        var found: [UInt32] = []
        for i in 0..<count {
            let row = i * rowCount / count
            for k in unsafe rows.rowOffsets[row]..<rows.rowOffsets[row + 1] { unsafe found.append(rows.indices[k]) }
        }
        found.sort()
        var frequent: [(feature: Int, rows: Int)] = []
        var first = 0
        for place in found.indices where place + 1 == found.count || found[place + 1] != found[place] {
            if 4 * (place + 1 - first) >= count { frequent.append((Int(found[place]), place + 1 - first)) }
            first = place + 1
        }
        return frequent.sorted { $0.rows > $1.rows }.prefix(32).map(\.feature).sorted()
    }

    /// What the inner products of some rows, spread over the data, tell of C, the mean of x x^T, with a 1 in each row for an intercept: tr C, its
    /// largest eigenvalue, and tr(C^2) / tr C, the mean of the eigenvalues weighted by themselves; as if the rows had no features `without`.
    func rowSpectrum(
        intercept: Bool, without: [Int]
    ) throws(InputError) -> (trace: Double, largest: Double, mean: Double) {
        let count = min(rowCount, Self.comparedRows)
        guard count > 1 else { return (0, 0, 0) }
        let chosen = (0..<count).map { $0 * rowCount / count }
        let model = try SharedParameters(count: featureCount)
        let step = unsafe LinearStep(
            objective: LinearObjective(loss: .squared, l2: 0, intercept: false), features: featureCount, rows: rows,
            model: model.pointer, penaltyWeights: nil)
        var products = [[Float]]()
        for row in chosen {
            unsafe step.apply(row, derivative: -1, stepSize: 1)
            for j in without where j < featureCount { model[j] = 0 }
            products.append(chosen.map { unsafe step.prediction($0) + (intercept ? 1 : 0) })
            for k in unsafe rows.rowOffsets[row]..<rows.rowOffsets[row + 1] { unsafe model[Int(rows.indices[k])] = 0 }
        }
        let trace = products.indices.reduce(0) { $0 + Double(products[$1][$1]) } / Double(count)
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
