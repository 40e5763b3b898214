import Collectives
import Compression
import Datasets
import Measurement
import Messaging
import Objectives
import Platform
import SwitchModel
import Testing

@testable import Training

/// Runs that cannot learn, and numbers that no run can follow, are refused or named, and trap nowhere.
@Suite struct UnusableRunTests {
    private func rows(_ value: Float) throws -> SparseDataset {
        try SparseDataset(rows: (0..<8).map { ($0 % 2 == 0 ? 1 : -1, [(0, $0 % 2 == 0 ? value : -value), (1, 1)]) })
    }

    @Test(arguments: Algorithm.onSharedParameters, [1e20, 1e30, 3e38] as [Float])
    func `values for which the automatic step is zero as a float are refused`(algorithm: Algorithm, value: Float) throws
    {
        let error = #expect(throws: InputError.self) {
            try train(rows(value)) {
                $0.algorithm = algorithm
                $0.stepSize = StepSize(nil)
            }
        }
        #expect(error?.place == "memory" && error?.found.contains("so large that --step-size auto") == true)
    }

    @Test func `values for which the automatic step is small, but a float, are learnt from`() throws {
        let result = try train(rows(1e17)) {
            $0.algorithm = .sgd
            $0.stepSize = StepSize(nil)
        }
        #expect(result.record.status == .completed && (result.record.points.last?.loss ?? 1) < 0.6)
    }

    @Test func `data-parallel SGD refuses them, too, on sparse and dense rows`() throws {
        let sparse = LinearProblem(objective: LinearObjective(), train: try rows(1e30))
        let dense = try DenseProblem(
            network: MultilayerPerceptron(inputs: 1, outputs: 2, loss: .softmax),
            train: DenseDataset(
                columns: [DenseColumn(name: "x")], rows: (0..<8).map { (Float($0 % 2), [$0 % 2 == 0 ? 1e30 : -1e30]) }))
        for problem in [sparse, dense] as [any MinibatchProblem] {
            let error = #expect(throws: InputError.self) {
                _ = try dataParallelRun(problem, .gradientAggregation, workers: 2) { $0.stepSize = StepSize(nil) }
            }
            #expect(error?.found.contains("so large that --step-size auto") == true)
        }
    }

    @Test(arguments: Algorithm.onSharedParameters)
    func `a run whose steps change nothing does not end as completed`(algorithm: Algorithm) throws {
        func status(_ gamma: Double, _ value: Float) throws -> RunStatus {
            try train(rows(value)) {
                $0.algorithm = algorithm
                $0.stepSize = StepSize(gamma)
                $0.objective.intercept = false
            }.record.status
        }
        #expect(try status(1e-45, 0.25) == .unchanged)
        #expect(try status(1e-3, 0.25) == .completed)
        // At a stationary point nothing is to change: the two rows of each pair are one row with both labels.
        let balanced = try SparseDataset(rows: (0..<8).map { ($0 % 2 == 0 ? 1 : -1, [(0, 0)]) })
        let result = try train(balanced) {
            $0.algorithm = algorithm
            $0.objective.intercept = false
        }
        #expect(result.record.status == .completed)
    }

    @Test func `data-parallel runs whose steps change nothing say so, also from a start that is not zero`() throws {
        func status(_ problem: any MinibatchProblem, _ gamma: Double) throws -> RunStatus {
            try dataParallelRun(problem, .gradientAggregation, workers: 2) {
                $0.stepSize = StepSize(gamma)
                $0.batchSize = 1
            }.run().record.status
        }
        let dense = try DenseProblem(
            network: MultilayerPerceptron(inputs: 3, hidden: [4], outputs: 3, activation: .tanh, loss: .softmax),
            train: denseRows(12))
        #expect(try status(dense, 1e-2) == .completed)
        let sparse = LinearProblem(objective: LinearObjective(intercept: false), train: try rows(0.25))
        #expect(try status(sparse, 1e-2) == .completed)
        let clipped = try dataParallelRun(sparse, .gradientAggregation, workers: 2) {
            $0.stepSize = StepSize(1e-38)
            $0.stepRule.clipNorm = 1e-30
        }
        #expect(try clipped.run().record.status == .unchanged)
    }

    @Test func `numbers that cannot be meant are refused by their option`() throws {
        let changes: [(String, (inout RunSetup) -> Void)] = [
            ("--batch-size", { $0.batchSize = 0 }), ("--batch-size", { $0.batchSize = -1 }),
            ("--batch-size", { $0.batchSize = .max }), ("--epochs", { $0.epochs = 0 }),
            ("--epochs", { $0.epochs = .max }), ("--evaluations-per-epoch", { $0.evaluationsPerEpoch = -1 }),
            ("--evaluations-per-epoch", { $0.evaluationsPerEpoch = .max }), ("--max-seconds", { $0.maxSeconds = 0 }),
            ("--max-seconds", { $0.maxSeconds = .nan }), ("--max-seconds", { $0.maxSeconds = .infinity }),
            ("--max-seconds", { $0.maxSeconds = -1 }),
            ("--target-loss", { $0.targetLoss = .nan }), ("--early-stop", { $0.patience = 0 }),
            ("--staleness-every", { $0.staleness = .sampled(every: 0) }), ("--l2", { $0.objective.l2 = -1 }),
            ("--l2", { $0.objective.l2 = .nan }), ("--l2", { $0.objective.l2 = 1e300 }),
            ("--momentum", { $0.stepRule.momentum = 1 }), ("--momentum", { $0.stepRule.momentum = .nan }),
            ("--weight-decay", { $0.stepRule.weightDecay = .infinity }),
            ("--clip-gradient", { $0.stepRule.clipNorm = 0 }), ("--warm-up", { $0.stepRule.warmUpEpochs = -1 }),
            ("--compute", { $0.clock.computeSeconds = .infinity }),
            ("--compute", { $0.clock.computeSeconds = 1e308 }),
            ("--codec-time", { $0.clock.codecTime = .perMegabyte(seconds: 1e308) }),
            (
                "--latency",
                { $0.clock.kind = .virtual(try! NetworkCost(latencySeconds: 1e10, secondsPerMegabyte: 0)) }
            ),
            (
                "--transfer-per-mb",
                { $0.clock.kind = .virtual(try! NetworkCost(latencySeconds: 0, secondsPerMegabyte: 1e10)) }
            ),
        ]
        let data = try rows(1)
        for (option, change) in changes {
            let own = #expect(throws: InputError.self) { try train(data, change) }
            #expect(own?.place == option)
            let parallel = #expect(throws: InputError.self) {
                var setup = RunSetup()
                setup.algorithm = .gradientAggregation
                setup.batchSize = 2
                change(&setup)
                _ = try trainingRun(
                    LinearProblem(objective: setup.objective, train: data), workers: 2, setup.options)
            }
            #expect(parallel?.place == option)
        }
    }

    @Test(arguments: [Algorithm.hogwild, .gd, .asgd] + Algorithm.servers, [1e12, 1e300])
    func `a limit of time beyond what can be counted is none`(algorithm: Algorithm, seconds: Double) throws {
        let result = try train(rows(1)) {
            $0.algorithm = algorithm
            $0.maxSeconds = seconds
        }
        #expect(result.record.status == .completed)
        let problem = LinearProblem(objective: LinearObjective(), train: try rows(1))
        let parallel = try dataParallelRun(problem, .gradientAggregation, workers: 2) { $0.maxSeconds = seconds }
        #expect(try parallel.run().record.status == .completed)
    }

    @Test func `a wait on the wall clock of more than an hour is refused, whoever causes it`() throws {
        let cost = try NetworkCost(latencySeconds: 0, secondsPerMegabyte: 0)
        for (seconds, straggler, option) in [
            (1_801.0, .none, "--compute"), (1e-3, .exponential(mean: 1e8, seed: 1), "--straggler"),
            (1, .constant(rank: 1, factor: 10_000), "--straggler"),
        ] as [(Double, Straggler, String)] {
            let error = #expect(throws: InputError.self) {
                let problem = LinearProblem(objective: LinearObjective(), train: try rows(1))
                _ = try dataParallelRun(problem, .gradientAggregation, workers: 2) {
                    $0.clock.kind = .wall(cost)
                    $0.clock.computeSeconds = seconds
                    $0.clock.straggler = straggler
                }
            }
            #expect(error?.place == option)
        }
        for (algorithm, latency, secondsPerMegabyte, option) in [
            (Algorithm.gradientAggregation, 1_801.0, 0.0, "--latency"), (.csgd, 1_801, 0, "--latency"),
            (.modelAggregation, 0, 1e9, "--bandwidth"),
        ] {
            let cost = try NetworkCost(latencySeconds: latency, secondsPerMegabyte: secondsPerMegabyte)
            let error = #expect(throws: InputError.self) {
                let problem = LinearProblem(objective: LinearObjective(), train: try rows(1))
                _ = try dataParallelRun(problem, algorithm, workers: 2) {
                    $0.clock.kind = .wall(cost)
                    $0.clock.computeSeconds = 1e-3
                    $0.exchange.codec = try! CodecConfiguration(parsing: "quantize:bits=4")
                }
            }
            #expect(error?.place == option)
        }
    }

    @Test func `a batch larger than the data takes the mean over them`() throws {
        let data = try rows(0.5)
        let result = try train(data) {
            $0.algorithm = .minibatchSGD
            $0.batchSize = Int(Int32.max) / 1_024
            $0.epochs = 1
        }
        #expect(result.record.updates == 1 && result.record.status == .completed)
    }

    @Test(arguments: [RowOrder.shuffled, .blocks, .sequential, .withReplacement])
    func `a batch of asgd may hold rows of its worker's partition many times`(order: RowOrder) throws {
        // One row has most of the coordinates, so that one order after the other has it at its end and at its beginning.
        let rows: [(Float, [(UInt32, Float)])] = (0..<9).map { row in
            (row % 2 == 0 ? 1 : -1, (0..<(row == 4 ? 3_000 : 1)).map { (UInt32($0), 0.01) })
        }
        let data = try SparseDataset(featureCount: 3_000, rows: rows)
        for (workers, batch) in [(1, 1_000), (3, 1_000), (2, 5), (12, 40), (1, 2)] {
            let result = try train(data, workers: workers) {
                $0.algorithm = .asgd
                $0.order = order
                $0.batchSize = batch
                $0.epochs = 3
            }
            #expect(result.record.status == .completed && result.record.updates > 0)
        }
    }
}
