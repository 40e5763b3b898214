// Quadratics whose gradients, noise and minimum are known exactly, as a problem of a run. Each worker has gradients of its own.

internal import Kernels
internal import Measurement
internal import Objectives
public import Platform
public import Training

/// f(x) = (1/C) sum_c 1/2 sum_i a_i (x_i - centre_(c,i))^2; row m of M is the term of centre m C / M.
///
/// L is the largest a_i. Rows drawn with replacement give gradients with noise of the variance sigma^2 = (1/C) sum_c sum_i
/// (a_i (centre_(c,i) - mean_i))^2 wherever x is. With N centres, in any other order, and so few rows that each of N workers has one chunk of
/// them, worker n always has the gradient of centre n: data that differ, without noise.
public final class SampledQuadratic: MinibatchProblem, @unchecked Sendable {
    // Sendable: `watcher` is set while a run prepares, one thread; the rest never changes.

    /// a, positive.
    public let curvatures: [Float]
    public let rowCount: Int
    public let hasSparseGradients = false
    private let centreCount: Int
    private let start: [Float]
    private let centres: [Float]
    private let mean: [Double]
    private var watcher: QuadraticGradients?

    /// - Precondition: every centre and `start` have as many numbers as `curvatures`, and `rowCount` is a multiple of the centres' count.
    public init(curvatures: [Float], centres: [[Float]], start: [Float], rowCount: Int) {
        precondition(rowCount % centres.count == 0, "\(rowCount) rows for \(centres.count) centres")
        precondition((centres + [start]).allSatisfy { $0.count == curvatures.count }, "vectors of different lengths")
        self.curvatures = curvatures
        self.start = start
        self.rowCount = rowCount
        self.centres = Array(centres.joined())
        centreCount = centres.count
        mean = curvatures.indices.map { i in centres.reduce(0) { $0 + Double($1[i]) } / Double(centres.count) }
    }

    /// Centres of mean exactly 0 in pairs that differ in sign, uniform, such that the noise of a gradient has the variance `sigma`^2;
    /// a_i from 1 down to `smallestCurvature`; f(start) - f* = `gap`, the same in each coordinate.
    public convenience init(
        elements: Int, sigma: Double, smallestCurvature: Double = 0.25, gap: Double, pairs: Int = 64, rowCount: Int,
        seed: UInt64
    ) {
        let curvatures = (0..<elements).map { 1 - (1 - smallestCurvature) * Double($0) / Double(max(1, elements - 1)) }
        var stream = RandomStream(seed: seed)
        let raw = (0..<pairs).map { _ in curvatures.map { _ in 2 * stream.nextUnitDouble() - 1 } }
        let variance = raw.reduce(0) { $0 + zip($1, curvatures).reduce(0) { $0 + $1.0 * $1.0 * $1.1 * $1.1 } }
        let factor = sigma / (variance / Double(pairs)).squareRoot()
        let centres = raw.flatMap { centre in [factor, -factor].map { f in centre.map { Float(f * $0) } } }
        self.init(
            curvatures: curvatures.map { Float($0) }, centres: centres,
            start: curvatures.map { Float((2 * gap / Double(elements) / $0).squareRoot()) }, rowCount: rowCount)
    }

    public var parameterCount: Int { curvatures.count }
    public func gradientBytes(batchSize: Int) -> Double { 0 }
    public var automaticStepSize: Double { 1 / Double(curvatures.max() ?? 1) }

    /// The variance of each element of a gradient of one row drawn at random.
    public var noise: [Double] {
        curvatures.indices.map { i in
            let sum = (0..<centreCount).reduce(0) { sum, c in
                let distance = Double(centres[c * curvatures.count + i]) - mean[i]
                return sum + distance * distance
            }
            return Double(curvatures[i]) * Double(curvatures[i]) * sum / Double(centreCount)
        }
    }

    /// What SGD gives on the mean: the expectation of `meanSquaredGradientNorm` after T iterations with gradients of N rows each.
    public func expectedMean(iterations: Int, workers: Int, stepSize: Double) -> Double {
        let noise = noise
        var total = 0.0
        for (i, a) in curvatures.map({ Double($0) }).enumerated() {
            var square = Double(start[i]) - mean[i]
            square *= square
            for _ in 0..<iterations {
                total += a * a * square
                square = (1 - stepSize * a) * (1 - stepSize * a) * square
                square += stepSize * stepSize * noise[i] / Double(workers)
            }
        }
        return total / Double(iterations)
    }

    /// (1/T) sum_t norm(f'(x_t))^2 over the iterations of the last run, as its first worker saw them; when the ranks are idle.
    public var meanSquaredGradientNorm: Double { watcher.map { $0.sum / Double(max(1, $0.count)) } ?? 0 }

    public func initialParameters(seed: UInt64) -> [Float] { start }

    public func makeGradients(batchSize: Int) throws(InputError) -> any MinibatchGradients {
        let gradients = QuadraticGradients(self, watches: watcher == nil)
        watcher = watcher ?? gradients
        return gradients
    }

    public func makeEvaluator(team: WorkerTeam) throws(InputError) -> any ProblemEvaluator {
        // A run begins with it; its first worker is the one to watch.
        watcher = nil
        return QuadraticFigures(self)
    }

    public func place(_ ranges: NodeRanges) {}

    public var summary: ProblemSummary {
        ProblemSummary(
            objective: "quadratic", l2: 0, intercept: false,
            train: ProblemSummary.Rows(
                name: "centres", rows: rowCount, features: curvatures.count, nonzeros: rowCount * curvatures.count),
            test: nil)
    }

    /// f'(x)_i.
    fileprivate func derivative(_ i: Int, at x: Float) -> Double { Double(curvatures[i]) * (Double(x) - mean[i]) }

    /// gradient = a (x - the mean of the rows' centres).
    fileprivate func gradient(at x: Span<Float>, chosen: Span<Int>, into gradient: inout MutableSpan<Float>) {
        let share = 1 / Float(chosen.count)
        let rowsPerCentre = rowCount / centreCount
        for i in x.indices {
            var centre: Float = 0
            for k in chosen.indices { centre += centres[chosen[k] / rowsPerCentre * curvatures.count + i] }
            gradient[i] = curvatures[i] * (x[i] - share * centre)
        }
    }
}

private final class QuadraticGradients: MinibatchGradients, @unchecked Sendable {
    // Sendable: one worker's thread uses it, and the coordinator when that is idle.

    private let problem: SampledQuadratic
    private let watches: Bool
    private(set) var sum = 0.0
    private(set) var count = 0

    init(_ problem: SampledQuadratic, watches: Bool) {
        self.problem = problem
        self.watches = watches
    }

    func gradient(at parameters: Span<Float>, chosen: Span<Int>, into gradient: inout MutableSpan<Float>) -> Bool {
        problem.gradient(at: parameters, chosen: chosen, into: &gradient)
        guard watches else { return true }
        count += 1
        for i in parameters.indices {
            let derivative = problem.derivative(i, at: parameters[i])
            sum += derivative * derivative
        }
        return sum.isFinite
    }
}

private final class QuadraticFigures: ProblemEvaluator {
    private let problem: SampledQuadratic

    init(_ problem: SampledQuadratic) { self.problem = problem }

    /// The loss is f - f*.
    func evaluate(
        _ parameters: Span<Float>, _ figures: EvaluationFigures, gradient: inout [Double]
    ) throws(InputError) -> (train: Evaluation?, test: Evaluation?, penalty: Double) {
        var loss = 0.0
        for i in parameters.indices {
            let derivative = problem.derivative(i, at: parameters[i])
            if figures.contains(.gradient) { gradient[i] = derivative }
            loss += derivative * derivative / Double(problem.curvatures[i]) / 2
        }
        return (Evaluation(loss: loss, accuracy: nil, auc: nil, r2: nil), nil, 0)
    }
}
