// What a constant delay does: the slopes of Theorem 4.2.2, and the largest stable steps. The main thread.

import BenchSupport
import Foundation
import RateExperiments
import Reporting

/// delayed-sgd on quadratics with L = 1.
struct DelayRates {
    let elements: Int
    let sigma: Double
    let seeds: Int

    private static let delays = [0, 4, 16, 64]

    func verdicts(_ iterations: Int) throws -> [Verdict] {
        // From where a delay of 64 is over soon.
        let all = Array(sequence(first: 1_024) { $0 * 2 }.prefix { $0 <= max(4_096, min(iterations, 16_384)) })
        return try slopes(all) + stableSteps()
    }

    /// Tables against T: without noise, where L tau / T is left, and with it at the step sizes of equation 4.10, as corrected.
    private func slopes(_ iterations: [Int]) throws -> [Verdict] {
        let times = iterations.map { Double($0) }
        var verdicts: [Verdict] = []
        for (noise, slope) in [(1e-9, -1.0), (sigma, -0.5)] {
            let experiment = DelayExperiment(sigma: noise, elements: elements)
            let isStill = noise != sigma
            var table = TextTable(
                [.number("tau")] + iterations.map { .number("T = \($0)") } + [
                    .number("slope"), .number("to tau = 0, last T"),
                ])
            var plain: [Double] = []
            for delay in Self.delays {
                let runs = try (1...UInt64(isStill ? 2 : seeds)).map { seed in
                    try iterations.map { t in
                        try experiment.meanSquaredGradientNorm(delay: delay, iterations: t, seed: seed)
                    }
                }
                if delay == 0 { plain = runs.map { $0.last! } }
                let found = logLogSlope(times, runs: runs)
                let ratio = Estimate(zip(runs, plain).map { $0.last! / $1 })
                table.append(
                    ["\(delay)"]
                        + iterations.indices.map { i in cell(Estimate(runs.map { $0[i] }), decimals: 5) }
                        + [cell(found, decimals: 3), cell(ratio, decimals: 3)])
                // Where noise is the larger term, the delay's fades beside it.
                if isStill || delay == 0 {
                    verdicts.append(
                        Verdict(
                            "delayed-sgd constant:\(delay), \(isStill ? "no noise" : "noise"): slope",
                            figure: found.mean,
                            reference: slope, unit: "", .atLeast(0.9 - 2 * found.standardError / abs(slope))))
                }
            }
            print("\ndelayed-sgd, sigma \(isStill ? "0" : "\(sigma)"), \(elements) parameters\n" + table.rendered())
        }
        return verdicts
    }

    private func cell(_ estimate: Estimate, decimals: Int) -> String {
        Quantity.fixed(estimate.mean, decimals: decimals) + " +- "
            + Quantity.fixed(estimate.standardError, decimals: decimals)
    }

    private func stableSteps() throws -> [Verdict] {
        var worst = (delay: 0, error: 0.0)
        for delay in 0...64 {
            let expected = 2 * sin(Double.pi / Double(2 * (2 * delay + 1)))
            let error = abs(try DelayExperiment.largestStableStep(delay: delay, curvature: 1) / expected - 1)
            if error > worst.error { worst = (delay, error) }
        }
        return [
            Verdict(
                "largest stable step, tau = 0 to 64: largest error, at tau = \(worst.delay)", figure: worst.error,
                reference: 0.01, unit: "", .atMost(1))
        ]
    }
}
