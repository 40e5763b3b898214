// `bench-rates uneven`: workers of very different speeds, and what each method takes to the gradient norm of minibatch SGD.

import ArgumentParser
import BenchSupport
import Platform
import RateExperiments
import Reporting
import Training

struct Uneven: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Virtual seconds to the gradient norm that minibatch SGD ends with, workers being unequal.",
        discussion: """
            Worker i of N takes sqrt(i) seconds for a gradient, and messages take no time. f is a quadratic with L = 1 whose gradients \
            have noise of the variance sigma^2, f(x_0) - f* = 1. Each method has its own best step size of a grid of powers of 2; \
            norm(f')^2 is the mean of ten iterations of minibatch SGD, and a time the mean over seeds with its standard error.
            """)

    @Option(help: "N.") var workers = 40
    @Option(help: "Parameters.") var elements = 32
    @Option(help: "Noise of a gradient.") var sigma = 4.0
    @Option(help: "Iterations of minibatch SGD.") var iterations = 150
    @Option(help: "Seeds.") var seeds = 5
    @Option(help: "Bound of ringmaster-asgd; N where it is not said.") var bound: Int?
    @Option(help: "Batch of rennala-sgd; N where it is not said.") var batch: Int?

    func validate() throws {
        if !(2...12_800).contains(workers) || elements < 1 || !(sigma > 0) || iterations < 10 || seeds < 2 {
            throw ValidationError("expected 2 workers, 1 element, sigma above 0, 10 iterations and 2 seeds, or more")
        }
    }

    func run() throws {
        var experiment = UnevenWorkers()
        experiment.workers = workers
        experiment.elements = elements
        experiment.sigma = sigma
        experiment.iterations = iterations
        experiment.seeds = (1...UInt64(seeds)).map { $0 }
        let adaptive = "asgd:step=delay-adaptive"
        let others = [
            adaptive, "asgd", "asgd:step=inverse", "ringmaster-asgd:bound=\(bound ?? workers)",
            "rennala-sgd:batch=\(batch ?? workers)", "ssp:bound=4", "dc-asgd:adaptive=yes,lambda=0.5",
        ]
        let target = try experiment.target()
        print("norm(f')^2 of \(Quantity.number(target)), which minibatch SGD ends with after \(iterations) iterations")
        var table = TextTable([
            .text("algorithm"), .number("best step"), .number("seconds"), .number("to minibatch"), .number("reached"),
        ])
        let plain = try experiment.time(to: target, UnevenWorkers.minibatch)
        var verdicts: [Verdict] = []
        for name in [UnevenWorkers.minibatch.name] + others {
            let found =
                name == UnevenWorkers.minibatch.name
                ? plain : try experiment.time(to: target, Algorithm(parsing: name))
            table.append([
                name, "\(found.stepSize)",
                "\(Quantity.fixed(found.seconds.mean, decimals: 1)) +- \(Quantity.fixed(found.seconds.standardError, decimals: 1))",
                Quantity.fixed(found.seconds.mean / plain.seconds.mean, decimals: 3), "\(found.reached)/\(seeds)",
            ])
            guard name == adaptive else { continue }
            // The worse end of both error bars.
            let ratio =
                (found.seconds.mean + found.seconds.standardError) / (plain.seconds.mean - plain.seconds.standardError)
            verdicts.append(
                Verdict(
                    "\(name): time to what minibatch SGD ends with, with error bars", figure: found.seconds.mean,
                    reference: plain.seconds.mean, unit: "s", ratio: ratio, .atMost(1)))
        }
        print(table.rendered())
        for verdict in verdicts { print(verdict) }
    }
}
