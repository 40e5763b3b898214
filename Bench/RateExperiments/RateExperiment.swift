// Mean squared gradient norms of data-parallel SGD on noisy quadratics, with the step sizes of the theorems. The coordinator's thread.

public import Compression
internal import Datasets
internal import Glibc
internal import Kernels
internal import Measurement
internal import Platform
public import Training

/// The setting of a family of runs that differ in algorithm, T, N and seed: a quadratic with L = 1 and a codec.
public struct RateExperiment: Sendable {
    /// d.
    public var elements = 32
    /// sigma of one worker's gradient.
    public var sigma = 4.0
    /// f(x_0) - f*.
    public var gap = 1.0
    /// The codec of csgd and ec-sgd.
    public var codec: CodecConfiguration
    /// sigma' of the theorems, the error of one compression of a gradient.
    public let codecNoise: Double

    /// Measures sigma'^2 as E norm(Q(g) - g)^2 for the problem's noise g, by many draws.
    public init(codec: String, elements: Int = 32, sigma: Double = 4, gap: Double = 1) throws {
        self.elements = elements
        self.sigma = sigma
        self.gap = gap
        self.codec = try CodecConfiguration(parsing: codec)
        codecNoise = try Self.noise(of: self.codec, elements: elements, sigma: sigma)
    }

    private static func noise(of configuration: CodecConfiguration, elements: Int, sigma: Double) throws -> Double {
        let codec = try configuration.makeCodec(count: elements)
        let problem = SampledQuadratic(elements: elements, sigma: sigma, gap: 0, rowCount: 128, seed: 1)
        let gradients = try problem.makeGradients(batchSize: 1)
        let start = problem.initialParameters(seed: 1)
        var bytes = [UInt8](repeating: 0, count: codec.maximumEncodedBytes)
        var gradient = [Float](repeating: 0, count: elements)
        var sum = 0.0
        for row in 0..<128 {
            var target = gradient.mutableSpan
            _ = gradients.gradient(at: start.span, chosen: [row].span, into: &target)
            var space = bytes.mutableSpan
            var raw = unsafe space.mutableBytes
            let length = try codec.encode(gradient.span, draw: CodecDraw(seed: 1, step: UInt64(row)), into: &raw)
            var rest = gradient
            var error = rest.mutableSpan
            try unsafe codec.decode(bytes.span.bytes.extracting(first: length), adding: -1, to: &error)
            sum += rest.reduce(0) { $0 + Double($1) * Double($1) }
        }
        return (sum / 128).squareRoot()
    }

    /// gamma: of section 2.2 for SGD, of 3.2 for csgd, of Theorem 3.4.2 as corrected for ec-sgd. L is 1.
    public func stepSize(_ algorithm: Algorithm, iterations: Int, workers: Int) -> Double {
        let (t, n) = (Double(iterations), Double(workers))
        let spread = sigma * sigma / n
        switch algorithm.name {
        case CSGD.facts.name:
            return 1 / (1 + ((spread + (1 + 1 / n) * codecNoise * codecNoise) * t).squareRoot())
        case ECSGD.facts.name:
            return 1 / (4 + (spread * t).squareRoot() + cbrt(t * codecNoise * codecNoise))
        default:
            return 1 / (1 + (spread * t).squareRoot())
        }
    }

    /// (1/T) sum_t norm(f'(x_t))^2 of one run.
    ///
    /// - Precondition: T N is a multiple of 128, so that all terms of the noise are equally likely.
    public func meanSquaredGradientNorm(
        _ algorithm: Algorithm, iterations: Int, workers: Int, seed: UInt64, stepSize: Double? = nil
    ) throws -> Double {
        let problem = SampledQuadratic(
            elements: elements, sigma: sigma, gap: gap, rowCount: iterations * workers, seed: seed)
        var options = TrainingOptions()
        options.algorithm = algorithm
        options.order = .withReplacement
        options.epochs = 1
        options.batchSize = 1
        options.seed = seed
        options.stepSize = StepSize(
            stepSize ?? self.stepSize(algorithm, iterations: iterations, workers: workers))
        options.exchange.codec = codec
        options.exchange.allowsBias = true
        let ranks = try TrainingRun.rankCount(problem: problem, workers: workers, options: options)
        func team(_ count: Int) throws -> WorkerTeam { try WorkerTeam(placement: .unpinned(workers: count)) }
        let training = try TrainingRun(
            problem: problem, workers: workers, team: team(1), ranks: ranks.map(team), options: options)
        let record = try training.run().record
        precondition(record.updates == UInt64(iterations) && record.status == .completed, "\(record.status)")
        return problem.meanSquaredGradientNorm
    }
}
