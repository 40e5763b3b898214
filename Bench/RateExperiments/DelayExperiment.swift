// Runs of delayed-sgd on quadratics: what a prescribed delay does to the rate and to the largest stable step. The coordinator's thread.

internal import Datasets
internal import Glibc
internal import Measurement
internal import Platform
internal import Training

/// The setting of a family of runs that differ in tau, T, gamma and seed: a quadratic with L = 1.
public struct DelayExperiment: Sendable {
    /// d.
    public var elements = 32
    public var sigma: Double
    /// f(x_0) - f*.
    public var gap = 1.0

    public init(sigma: Double, elements: Int = 32) {
        self.sigma = sigma
        self.elements = elements
    }

    /// gamma of equation 4.10, as corrected: 1 / (2 L (tau + 1) + sqrt(T L) sigma).
    public func stepSize(iterations: Int, delay: Int) -> Double {
        1 / (2 * Double(delay + 1) + Double(iterations).squareRoot() * sigma)
    }

    private static func run(
        _ problem: SampledQuadratic, delay: Int, seed: UInt64, stepSize: Double, gradientNorm: EvaluationTimes
    ) throws -> RunRecord {
        var options = TrainingOptions(Algorithm(DelayedSGD.self, settings: "law=constant:\(delay)"))
        options.order = .withReplacement
        options.epochs = 1
        options.seed = seed
        options.stepSize = StepSize(stepSize)
        // Each x_t is looked at: gradients are of older ones.
        options.evaluationsPerEpoch = problem.rowCount
        options.gradientNorm = gradientNorm
        let team = try WorkerTeam(placement: .unpinned(workers: 1))
        let ranks = try WorkerTeam(placement: .unpinned(workers: 1))
        return try TrainingRun(problem: problem, workers: 1, team: team, ranks: ranks, options: options).run().record
    }

    /// (1/T) sum_t norm(f'(x_t))^2 of one run.
    ///
    /// - Precondition: T is a multiple of 128.
    public func meanSquaredGradientNorm(
        delay: Int, iterations: Int, seed: UInt64, stepSize: Double? = nil
    ) throws -> Double {
        let problem = SampledQuadratic(
            elements: elements, sigma: sigma, gap: gap, rowCount: iterations, seed: seed)
        let record = try Self.run(
            problem, delay: delay, seed: seed,
            stepSize: stepSize ?? self.stepSize(iterations: iterations, delay: delay),
            gradientNorm: .every)
        precondition(record.status == .completed, "\(record.status)")
        return record.points.prefix(iterations).reduce(0) { $0 + ($1.gradientNormSquared ?? .nan) } / Double(iterations)
    }

    /// The largest gamma with which x_(t+1) = x_t - gamma L x_(t - tau) does not grow, found by bisection: within 1/500.
    ///
    /// In theory it is 2 sin(pi / (2 (2 tau + 1))) / L.
    public static func largestStableStep(delay: Int, curvature: Double) throws -> Double {
        // An oscillation at the limit takes 2 (2 tau + 1) steps.
        let iterations = 40 * (2 * delay + 1) + 40
        let problem = SampledQuadratic(
            curvatures: [Float(curvature)], centres: [[0]], start: [1], rowCount: iterations)
        func isStable(_ gamma: Double) throws -> Bool {
            let record = try run(problem, delay: delay, seed: 1, stepSize: gamma, gradientNorm: .never)
            guard record.status == .completed else { return false }
            let losses = record.points.map(\.loss)
            func sum(_ quarter: Int) -> Double {
                losses[quarter * iterations / 4..<(quarter + 1) * iterations / 4].reduce(0, +)
            }
            return sum(3) <= sum(1)
        }
        var (stable, unstable) = (0.0, 4 / curvature)
        while unstable - stable > stable / 500 {
            let middle = (stable + unstable) / 2
            if try isStable(middle) { stable = middle } else { unstable = middle }
        }
        return (stable + unstable) / 2
    }
}
