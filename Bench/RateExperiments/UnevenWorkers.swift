// Workers of very different speeds, in virtual time: who reaches a gradient norm first. The coordinator's thread.

internal import Datasets
internal import Kernels
internal import Measurement
internal import Messaging
internal import Platform
internal import SwitchModel
public import Training

/// A noisy quadratic with L = 1 and N workers, of whom worker i takes sqrt(i) seconds for a gradient; messages take none.
public struct UnevenWorkers: Sendable {
    /// N.
    public var workers = 40
    /// d.
    public var elements = 32
    /// sigma of one gradient.
    public var sigma = 4.0
    /// How long minibatch SGD runs, in its iterations of sqrt(N) seconds; the others may take twice as long.
    public var iterations = 150
    /// Step sizes of the grid, rising.
    public var stepSizes = (2...10).reversed().map { 1 / Double(1 << $0) } + [0.5, 1]
    public var seeds: [UInt64] = [1, 2, 3, 4, 5]

    public init() {}

    /// The others wait for the slowest.
    public static let minibatch = Algorithm(GradientAggregation.self)

    private var slowest: Double { Double(workers).squareRoot() }
    /// Of the means that stand for the gradient norm at an instant, so that noise does not reach anything by chance.
    private var windowSeconds: Double { 10 * slowest }

    /// One run: norm(f')^2, as the mean of the last `windowSeconds`, at each evaluation.
    private func curve(
        _ algorithm: Algorithm, stepSize: Double, seed: UInt64, seconds: Double
    ) throws -> [(seconds: Double, square: Double)] {
        let rows = 12_800
        let problem = SampledQuadratic(elements: elements, sigma: sigma, gap: 1, rowCount: rows, seed: seed)
        var options = TrainingOptions(algorithm)
        options.order = .withReplacement
        // Messages being free, that with the fewest.
        if algorithm == Self.minibatch { options.exchange.collective = "parameter-server" }
        options.batchSize = 1
        options.epochs = 1_000_000
        options.maxSeconds = seconds
        options.seed = seed
        options.stepSize = StepSize(stepSize)
        // One for each N gradients.
        options.evaluationsPerEpoch = rows / workers
        options.gradientNorm = .every
        options.clock.kind = .virtual(try NetworkCost(latencySeconds: 0, secondsPerMegabyte: 0))
        options.clock.computeSeconds = 1
        options.clock.straggler = .factors((1...workers).map { Double($0).squareRoot() })
        let record = try TrainingRun(
            problem: problem, workers: workers, team: WorkerTeam(placement: .unpinned(workers: 1)), options: options
        ).run().record
        var first = 0
        return record.points.indices.map { i in
            let now = record.points[i].seconds
            while record.points[first].seconds < now - windowSeconds { first += 1 }
            let sum = record.points[first...i].reduce(0) { $0 + ($1.gradientNormSquared ?? .infinity) }
            return (now, sum / Double(i - first + 1))
        }
    }

    /// norm(f')^2 that minibatch SGD ends with at the best step size of the grid, the mean over seeds.
    public func target() throws -> Double {
        try stepSizes.map { size in
            try seeds.map { seed in
                try curve(
                    Self.minibatch, stepSize: size, seed: seed, seconds: Double(iterations) * slowest
                ).last!.square
            }.reduce(0, +) / Double(seeds.count)
        }.filter(\.isFinite).min()!
    }

    /// What an algorithm takes to a target at its own best step size of the grid.
    public struct Result: Sendable {
        public let stepSize: Double
        public let seconds: Estimate
        /// Seeds with which it came so far; the others count with all the time that they had.
        public let reached: Int
    }

    /// Seconds until norm(f')^2 is at most `target`.
    public func time(to target: Double, _ algorithm: Algorithm) throws -> Result {
        let limit = 2 * Double(iterations) * slowest
        let results = try stepSizes.map { size in
            let times = try seeds.map { seed in
                try curve(algorithm, stepSize: size, seed: seed, seconds: limit).first { $0.square <= target }?.seconds
            }
            return Result(
                stepSize: size, seconds: Estimate(times.map { $0 ?? limit }), reached: times.count { $0 != nil })
        }
        return results.min { $0.seconds.mean < $1.seconds.mean }!
    }
}
