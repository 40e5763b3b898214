// `bench-rates theorems`: the rates of chapters 2 and 3, as runs on quadratics whose noise is known.

import ArgumentParser
import BenchSupport
import Platform
import RateExperiments
import Reporting
import Training

struct Theorems: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "theorems",
        abstract:
            "Mean squared gradient norms of sgd, csgd, ec-sgd and delayed-sgd against T and N, with the theorems' step sizes.",
        discussion: """
            f is a quadratic with L = 1 whose gradients have noise of the variance sigma^2, f(x_0) - f* = 1. A figure is (1/T) sum_t \
            norm(f'(x_t))^2, the mean over seeds and its standard error; a slope is that of its logarithm against log T.
            """)

    @Option(help: "Parameters.") var elements = 32
    @Option(help: "Noise of a worker's gradient.") var sigma = 3.0
    @Option(help: "Workers in the tables against T.") var workers = 4
    @Option(help: "Largest T, a power of 4 times 256.") var iterations = 65_536
    @Option(help: "Seeds.") var seeds = 8

    func validate() throws {
        if elements < 1 || !(sigma > 0) || workers < 1 || iterations < 1_024 || seeds < 2 {
            throw ValidationError(
                "expected at least 1 element, sigma above 0, 1 worker, 1024 iterations and 2 seeds")
        }
    }

    /// What one line of a table runs.
    private struct Contestant {
        let name: String
        let algorithm: Algorithm
        let experiment: RateExperiment
    }

    func run() throws {
        let sparse = "random-k:fraction=0.25"
        let unbiased = try RateExperiment(codec: sparse, elements: elements, sigma: sigma)
        let contraction = try RateExperiment(codec: sparse + ",scale=none", elements: elements, sigma: sigma)
        let sign = try RateExperiment(codec: "sign", elements: elements, sigma: sigma)
        let contestants = [
            Contestant(name: "sgd", algorithm: Algorithm(GradientAggregation.self), experiment: unbiased),
            Contestant(name: "csgd \(sparse)", algorithm: Algorithm(CSGD.self), experiment: unbiased),
            Contestant(name: "ec-sgd \(sparse)", algorithm: Algorithm(ECSGD.self), experiment: contraction),
            Contestant(name: "csgd sign (biased)", algorithm: Algorithm(CSGD.self), experiment: sign),
            Contestant(name: "ec-sgd sign", algorithm: Algorithm(ECSGD.self), experiment: sign),
        ]
        let all = Array(sequence(first: 256) { $0 * 4 }.prefix { $0 <= iterations })
        var verdicts = try against(all, contestants, title: "the theorems' step sizes", equalSteps: false)
        verdicts += try against(all, contestants, title: "the step sizes of sgd for all", equalSteps: true)
        verdicts += try speedUp(unbiased)
        verdicts += try DelayRates(elements: elements, sigma: sigma, seeds: seeds).verdicts(iterations)
        for verdict in verdicts { print(verdict) }
    }

    private func means(
        _ one: Contestant, _ iterations: Int, workers: Int, equalSteps: Bool
    ) throws -> [Double] {
        let stepSize =
            equalSteps
            ? one.experiment.stepSize(Algorithm(GradientAggregation.self), iterations: iterations, workers: workers)
            : nil
        return try (1...UInt64(seeds)).map { seed in
            try one.experiment.meanSquaredGradientNorm(
                one.algorithm, iterations: iterations, workers: workers, seed: seed, stepSize: stepSize)
        }
    }

    private func cell(_ estimate: Estimate, decimals: Int) -> String {
        Quantity.fixed(estimate.mean, decimals: decimals) + " +- "
            + Quantity.fixed(estimate.standardError, decimals: decimals)
    }

    /// One table: a line for each contestant, a column for each T.
    private func against(
        _ iterations: [Int], _ contestants: [Contestant], title: String, equalSteps: Bool
    ) throws -> [Verdict] {
        var table = TextTable(
            [.text("algorithm")] + iterations.map { .number("T = \($0)") }
                + [.number("slope"), .number("to sgd, first T"), .number("to sgd, last T")])
        var plain: [[Double]] = []
        var verdicts: [Verdict] = []
        for one in contestants {
            let columns = try iterations.map { try means(one, $0, workers: workers, equalSteps: equalSteps) }
            if plain.isEmpty { plain = columns }
            // Of the larger half, where noise dominates.
            let late = iterations.count / 2..<iterations.count
            let slope = logLogSlope(
                late.map { Double(iterations[$0]) },
                runs: (0..<seeds).map { seed in late.map { columns[$0][seed] } })
            let ratios = [0, iterations.count - 1].map { i in
                Estimate(zip(columns[i], plain[i]).map { $0 / $1 })
            }
            table.append(
                [one.name] + columns.map { cell(Estimate($0), decimals: 5) } + [cell(slope, decimals: 3)]
                    + ratios.map { cell($0, decimals: 3) })
            guard !one.name.contains("sign") else { continue }
            if one.algorithm.name != ECSGD.facts.name {
                verdicts.append(
                    Verdict(
                        "\(one.name), \(title): slope", figure: slope.mean, reference: -0.5, unit: "",
                        .atLeast(0.9 - 2 * slope.standardError / 0.5)))
            }
            switch one.algorithm.name {
            case CSGD.facts.name:
                verdicts.append(
                    Verdict(
                        "\(one.name), \(title): the codec's term stays, last T to first T",
                        figure: ratios[1].mean - 1, reference: ratios[0].mean - 1, unit: "beyond sgd", .atLeast(0.7)))
            case ECSGD.facts.name:
                verdicts.append(
                    Verdict(
                        "\(one.name), \(title): the codec's term fades, last T to first T",
                        figure: ratios[1].mean - 1, reference: ratios[0].mean - 1, unit: "beyond sgd", .atMost(0.7)))
            default: break
            }
        }
        print("\n\(workers) workers, sigma \(sigma), \(elements) parameters, \(title)\n" + table.rendered())
        return verdicts
    }

    /// T at which the mean falls to an accuracy, by N; the serial reference stands for many workers, since its steps are the same.
    private func speedUp(_ experiment: RateExperiment) throws -> [Verdict] {
        let accuracy = 0.1
        let one = Contestant(
            name: "serial-reference", algorithm: Algorithm(SerialReference.self), experiment: experiment)
        var table = TextTable([.number("N"), .number("T"), .number("speed-up"), .number("of N")])
        var alone = 0.0
        var speedUps: [Double] = []
        let counts = [1, 2, 4, 8, 16, 64, 256, 1_024]
        for workers in counts {
            // The first power of 2 with which the mean is reached, and a straight line on logarithms to the one before.
            var iterations = max(1, 128 / workers)
            var last: (x: Double, y: Double)?
            var found = Double(iterations)
            while true {
                let mean = Estimate(try means(one, iterations, workers: workers, equalSteps: false)).mean
                if mean <= accuracy {
                    if let last {
                        found = interpolate(accuracy, from: last, to: (Double(iterations), mean))
                    }
                    break
                }
                last = (Double(iterations), mean)
                iterations *= 2
            }
            if workers == 1 { alone = found }
            speedUps.append(alone / found)
            table.append([
                "\(workers)", Quantity.fixed(found, decimals: 0), Quantity.fixed(alone / found, decimals: 2),
                Quantity.fixed(alone / found / Double(workers), decimals: 3),
            ])
        }
        print("\niterations until (1/T) sum norm(f')^2 is \(accuracy), sigma \(sigma)\n" + table.rendered())
        return [
            Verdict(
                "speed-up of 8 workers in iterations", figure: speedUps[3], reference: 8, unit: "times", .atLeast(0.7)),
            Verdict(
                "speed-up of 1024 workers in iterations: no longer linear", figure: speedUps[7], reference: 1_024,
                unit: "times", .atMost(0.5)),
        ]
    }
}
