import Datasets
import Graphs
import Measurement
import Messaging
import Objectives
import Platform
import SwitchModel
import Testing

@testable import Training

/// Algorithms on graphs against their matrix iterations.
@Suite struct GraphTrainingTests {
    private static let network = try! NetworkCost(latencySeconds: 1e-3, secondsPerMegabyte: 2)

    private func run(
        _ name: String, workers: Int, steps: Int, width: Int = 4, _ change: (inout TrainingOptions) -> Void = { _ in }
    ) throws -> (result: TrainingResult, models: [[Float]]) {
        var options = TrainingOptions()
        options.algorithm = try Algorithm(parsing: name)
        options.order = .sequential
        options.batchSize = 1
        options.stepSize = StepSize(0.3)
        options.epochs = steps
        options.evaluationsPerEpoch = 0
        options.clock.kind = .virtual(Self.network)
        options.clock.computeSeconds = 1e-3
        change(&options)
        let run = try TrainingRun(
            problem: TargetProblem(rows: workers, width: width), workers: workers,
            team: WorkerTeam(placement: .unpinned(workers: 1)),
            ranks: options.clock.kind.isVirtual ? nil : WorkerTeam(placement: .unpinned(workers: workers)),
            options: options)
        let result = try run.run()
        return (result, try #require(run.runner as? FabricRunner).workers.map { $0.x.elements })
    }

    /// Which row each worker has.
    private func rows(_ workers: Int) throws -> [Int] {
        try (0..<workers).map { rank in
            try RowSchedule(.sequential, rowCount: workers, rank: rank, workers: workers, seed: 1).partition.chunks[0]
                .first!
        }
    }

    static let graphs = [
        "ring", "path", "complete", "star", "exponential", "one-peer-exponential", "base", "base:k=2", "erdos-renyi",
        "random-regular:degree=2", "torus", "hypercube",
    ]

    @Test(arguments: graphs, ["standard", "lazy"])
    func `dsgd follows its matrix iteration on every graph, in both orders`(graph: String, weights: String) throws {
        let steps = 50
        for count in 2...9 {
            guard let made = try? GraphChoice(parsing: graph).make(workers: count) else { continue }
            let mixing = try Mixing(made, #require(MixingRule(rawValue: weights)))
            let problem = TargetProblem(rows: count, width: 4)
            let rows = try rows(count)
            for order in ["step-mix", "mix-step"] {
                let (_, models) = try run(
                    "dsgd:topology=\(graph),weights=\(weights),order=\(order)", workers: count, steps: steps)
                var x = Array(repeating: problem.start.map(Double.init), count: count)
                for step in 0..<steps {
                    let w = mixing.matrix(round: step % mixing.period)
                    let g = x.indices.map { n in x[n].indices.map { problem.gradient(of: rows[n], at: x[n], $0) } }
                    func mixed(_ y: [[Double]]) -> [[Double]] {
                        y.indices.map { n in y[n].indices.map { i in y.indices.reduce(0) { $0 + w[n, $1] * y[$1][i] } }
                        }
                    }
                    func stepped(_ y: [[Double]]) -> [[Double]] {
                        y.indices.map { n in y[n].indices.map { y[n][$0] - 0.3 * g[n][$0] } }
                    }
                    x = order == "step-mix" ? mixed(stepped(x)) : stepped(mixed(x))
                }
                for (found, expected) in zip(models.joined(), x.joined()) {
                    #expect(abs(Double(found) - expected) < 2e-5, "\(graph) \(order) N = \(count)")
                }
            }
        }
    }

    @Test func `on the complete graph dsgd is gradient aggregation`() throws {
        let (one, _) = try run("dsgd:topology=complete", workers: 6, steps: 30)
        let (other, _) = try run("gradient-aggregation", workers: 6, steps: 30)
        for (a, b) in zip(one.parameters, other.parameters) { #expect(abs(a - b) < 1e-5) }
    }

    @Test(arguments: ["ring", "torus:rows=2", "path"]) func `pure gossip brings models together by rho squared a round`(
        graph: String
    ) throws {
        // Steps along gradients set them apart; then steps too small to be seen mix alone.
        let mixing = try Mixing(GraphChoice(parsing: graph).make(workers: 8))
        let rho = try Spectrum(mixing).rho
        func distance(after rounds: Int) throws -> (distance: Double, mean: [Double]) {
            let (_, models) = try run("dsgd:topology=\(graph)", workers: 8, steps: 1 + rounds, width: 16) {
                $0.stepSize = StepSize(0.5, decay: 1e-9)
            }
            let mean = models[0].indices.map { i in models.reduce(0) { $0 + Double($1[i]) } / 8 }
            return (
                models.reduce(0) { $0 + zip($1, mean).reduce(0) { $0 + ($1.0 - Float($1.1)) * ($1.0 - Float($1.1)) } }
                    .toDouble, mean
            )
        }
        let rounds = rho > 0.9 ? 40 : 12
        let (early, late) = (try distance(after: rounds), try distance(after: rounds + 1))
        #expect(abs(late.distance / early.distance / (rho * rho) - 1) < 0.01)
        for (a, b) in zip(early.mean, late.mean) { #expect(abs(a - b) < 1e-6) }
    }

    @Test
    func `a step costs a message for each neighbour, and the crossover with an AllReduce is where the errata have it`()
        throws
    {
        for (graph, neighbours) in [("torus:rows=3", 4), ("exponential", 4), ("complete", 8)] {
            let (result, _) = try run("dsgd:topology=\(graph)", workers: 9, steps: 5, width: 250)
            let exchange = try #require(result.record.exchange)
            let step = 1e-3 + Double(neighbours) * (1e-3 + 2 * 1e-3)
            #expect(abs(result.record.seconds - 5 * step) < 1e-12, "\(graph)")
            #expect(abs(try #require(exchange.predictedSecondsPerIteration) - step) < 1e-12)
        }
        // Ring exchange 2 (l + t) beside 2 (N - 1) (l + t / N): equal where l / t = 1/(N (N - 2)).
        for workers in 3...9 {
            func difference(_ latency: Double) throws -> Double {
                func seconds(_ name: String) throws -> Double {
                    try run(name, workers: workers, steps: 2, width: 2_520) {
                        $0.clock.kind = .virtual(
                            try! NetworkCost(latencySeconds: latency, secondsPerMegabyte: 1e6 / (4 * 2_520)))
                    }.result.record.seconds
                }
                return try seconds("dsgd") - seconds("gradient-aggregation")
            }
            // With a latency of l times a transfer of the model.
            let crossover = 1 / Double(workers * (workers - 2))
            #expect(try difference(0.999 * crossover) > 0 && difference(1.001 * crossover) < 0, "N = \(workers)")
        }
    }

    @Test func `what is not connected is refused for training unless it is asked for, and then stays apart`() throws {
        for name in ["dsgd:topology=disconnected"] {
            let error = #expect(throws: InputError.self) { try run(name, workers: 5, steps: 2) }
            #expect(error?.expected.contains("rho is below 1") == true)
        }
        let (result, models) = try run("dsgd:topology=disconnected,anyway=yes", workers: 5, steps: 60)
        #expect(result.record.status == .completed)
        // The last one goes to its own minimum, the others to that of the four.
        let problem = TargetProblem(rows: 5, width: 4)
        let own = try rows(5)
        for i in 0..<4 {
            #expect(abs(problem.gradient(of: own[4], at: models[4].map(Double.init), i)) < 1e-4)
            let together = (0..<4).reduce(0) { $0 + problem.gradient(of: own[$1], at: models[0].map(Double.init), i) }
            #expect(abs(together) > -1 && abs(Double(models[0][i]) - Double(models[4][i])) > 1e-6)
        }
    }

    @Test(arguments: ["torus", "one-peer-exponential", "base", "star"])
    func `ranks that are apart end after the same step`(
        graph: String
    ) throws {
        let (result, _) = try run("dsgd:topology=\(graph)", workers: 8, steps: 1_000) {
            $0.clock.straggler = .constant(rank: 1, factor: 10)
            $0.maxSeconds = 0.7654
        }
        #expect(result.record.status == .timeLimit && result.record.updates > 5)
    }
}

extension Float {
    fileprivate var toDouble: Double { Double(self) }
}
