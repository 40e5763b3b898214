import Measurement
import RateExperiments
import Testing

@testable import Training

/// The rates of chapters 2 and 3 as slopes and ratios on a quadratic whose noise is known; `bench-rates` shows more of them.
@Suite struct RateTests {
    static let seeds: [UInt64] = [1, 2, 3, 4, 5, 6]

    private func runs(
        _ experiment: RateExperiment, _ algorithm: Algorithm, _ iterations: [Int], workers: Int,
        stepSize: (Int) -> Double? = { _ in nil }
    ) throws -> [[Double]] {
        try Self.seeds.map { seed in
            try iterations.map { t in
                try experiment.meanSquaredGradientNorm(
                    algorithm, iterations: t, workers: workers, seed: seed, stepSize: stepSize(t))
            }
        }
    }

    @Test func `the mean squared gradient norm of SGD is what the recursion of its second moment gives`() throws {
        let experiment = try RateExperiment(codec: "quantize:bits=2", elements: 8)
        let iterations = 256
        for workers in [2, 4] {
            let gamma = experiment.stepSize(.gradientAggregation, iterations: iterations, workers: workers)
            let found = try runs(experiment, .gradientAggregation, [iterations], workers: workers).map { $0[0] }
            let expected = Self.seeds.map { seed in
                SampledQuadratic(
                    elements: 8, sigma: experiment.sigma, gap: experiment.gap, rowCount: 128, seed: seed
                ).expectedMean(iterations: iterations, workers: workers, stepSize: gamma)
            }
            let ratio = Estimate(zip(found, expected).map { $0 / $1 })
            #expect(abs(ratio.mean - 1) < 4 * ratio.standardError && ratio.standardError < 0.1, "\(ratio)")
        }
    }

    @Test func `with the theorems' step sizes the slopes against T are -1/2`() throws {
        let experiment = try RateExperiment(codec: "random-k:fraction=0.5", elements: 8, sigma: 3)
        let iterations = [256, 512, 1_024]
        for algorithm in [Algorithm.gradientAggregation, .csgd] {
            let slope = logLogSlope(
                iterations.map { Double($0) }, runs: try runs(experiment, algorithm, iterations, workers: 2))
            #expect(abs(slope.mean + 0.5) < 0.05 + 3 * slope.standardError && slope.standardError < 0.1)
        }
    }

    @Test func `the codec's term stays with CSGD and fades with EC-SGD`() throws {
        // Half of the elements, twice as large where that must be unbiased.
        let unbiased = try RateExperiment(codec: "random-k:fraction=0.5", elements: 8, sigma: 3)
        let contraction = try RateExperiment(codec: "random-k:fraction=0.5,scale=none", elements: 8, sigma: 3)
        let iterations = [64, 1_024]
        func gamma(_ t: Int) -> Double { unbiased.stepSize(.gradientAggregation, iterations: t, workers: 2) }
        let plain = try runs(unbiased, .gradientAggregation, iterations, workers: 2, stepSize: gamma)
        /// By how much compression makes the mean larger, as a share.
        func excess(_ experiment: RateExperiment, _ algorithm: Algorithm) throws -> [Estimate] {
            let found = try runs(experiment, algorithm, iterations, workers: 2, stepSize: gamma)
            return iterations.indices.map { i in Estimate(zip(found, plain).map { $0[i] / $1[i] - 1 }) }
        }
        let (csgd, feedback) = (try excess(unbiased, .csgd), try excess(contraction, .ecSGD))
        #expect(csgd[1].mean - 3 * csgd[1].standardError > 0.25 && csgd[1].mean > 0.5 * csgd[0].mean, "\(csgd)")
        // The excess of a perturbed iterate falls with gamma, here to a quarter.
        #expect(feedback[0].mean - 3 * feedback[0].standardError > 0)
        #expect(feedback[1].mean < 0.5 * feedback[0].mean && feedback[1].mean < 0.1 * csgd[1].mean)
    }

    @Test func `as many gradients by more workers go as far, until iterations get few`() throws {
        let experiment = try RateExperiment(codec: "sign", elements: 8)
        func mean(_ iterations: Int, _ workers: Int) throws -> Double {
            // Of the serial reference, which takes the same steps.
            try Estimate(runs(experiment, .serialReference, [iterations], workers: workers).map { $0[0] }).mean
        }
        let alone = try mean(1_024, 1)
        let (four, sixteen, many) = (try mean(256, 4), try mean(64, 16), try mean(4, 256))
        #expect(abs(four / alone - 1) < 0.15)
        #expect(abs(sixteen / alone - 1) < 0.3)
        #expect(many / alone > 2)
    }
}
