import Collectives
import Compression
import Datasets
import Kernels
import Measurement
import Messaging
import Objectives
import Platform
import SwitchModel
import Testing

@testable import Training

/// What runs say they take, and what they lay out.
@Suite struct MemoryTests {
    /// Bytes in pages that `body` leaves behind on this thread.
    private func pages<Made>(_ body: () throws -> Made) rethrows -> (bytes: Int, made: Made) {
        let before = threadPageBytes()
        let made = try body()
        return (threadPageBytes() - before, made)
    }

    /// Rows of three features each, far apart.
    private func rows(_ count: Int, features: Int) throws -> SparseDataset {
        try SparseDataset(
            featureCount: features,
            rows: (0..<count).map { row in
                let places = [
                    row * 7 % (features / 3), features / 2 + row * 3 % (features / 3), features - 1 - row % 5,
                ]
                return (row.isMultiple(of: 2) ? 1 : -1, places.map { (UInt32($0), Float(1 + row % 3)) })
            })
    }

    @Test(
        arguments: [
            Algorithm.gradientAggregation, .modelAggregation, .globalReplica, .csgd, .ecSGD, .asgd, .serialReference,
            .backupWorkers, .gradientCoding, .delayedSGD,
        ] + Algorithm.servers)
    func `a run lays out what was estimated`(algorithm: Algorithm) throws {
        for workers in [1, 4, 9] {
            for momentum in [0, 0.9] {
                let problem = LinearProblem(
                    objective: LinearObjective(loss: .logistic), train: try rows(2_000, features: 5_000))
                var options = TrainingOptions()
                options.algorithm = algorithm
                options.order = .shuffled
                options.batchSize = 2
                options.stepRule.momentum = momentum
                options.exchange.codec = try CodecConfiguration(parsing: "sign")
                options.exchange.allowsBias = true
                options.exchange.collective = "multi-server"
                options.clock.kind = .virtual(try NetworkCost(latencySeconds: 0, secondsPerMegabyte: 0))
                let plan = try RunPlan.checked(problem, workers: workers, options)
                let made = try algorithm.make(for: plan) as! any MessageAlgorithm
                let ranks = made.ranks(workers: workers)
                let team = try team(ranks)
                let estimate = try FabricRunner.memoryEstimate(made, plan, evaluators: ranks)
                let (bytes, run) = try pages {
                    try TrainingRun(problem: problem, workers: workers, team: team, options: options)
                }
                // Not in pages at this time: threads, the fabric, the vectors of evaluations; and in none, what staleness is written down in.
                let later =
                    ranks * (WorkerTeam.threadBytes + StalenessRecorder.memoryBytes)
                    + Fabric.memoryBytes(
                        ranks: ranks, clock: options.clock.kind, pairs: 0, messages: 0, bytes: 0)
                    + 5 * 4 * problem.parameterCount
                    + problem.evaluatorBytes(workers: ranks, withGradient: options.gradientNorm != .never)
                #expect(bytes <= estimate.bytes && estimate.bytes - bytes <= later + workers * workers * 600 + 100_000)
                withExtendedLifetime(run) {}
            }
        }
    }

    @Test func `what a run keeps of every update is in its estimate, and the matrix of every window`() throws {
        let problem = TargetProblem(rows: 3_000, width: 640)
        func bytes(
            _ name: String, workers: Int, epochs: Int = 10, _ change: (inout TrainingOptions) -> Void = { _ in }
        ) throws -> Int {
            var options = TrainingOptions(try Algorithm(parsing: name))
            options.epochs = epochs
            options.batchSize = 1
            change(&options)
            let plan = try RunPlan.checked(problem, workers: workers, options)
            let made = try options.algorithm.make(for: plan) as! any MessageAlgorithm
            return try FabricRunner.memoryEstimate(made, plan, evaluators: 1).bytes
        }
        let entries = 30_000 * MemoryLayout<UpdateLogEntry>.stride
        for (name, windows) in [("asgd", 1), ("asgd:servers=4", 4), ("rennala-sgd:batch=3", 1)] {
            let plain = try bytes(name, workers: 4)
            // At the end those of the workers, of all and in their order are there at once.
            let logged = try bytes(name, workers: 4) { $0.keepsUpdateLog = true } - plain
            #expect((3 * windows * entries...6 * windows * entries).contains(logged), "\(name): \(logged)")
            let traced = try bytes(name, workers: 4) { $0.keepsComputeTrace = true } - plain
            #expect((30_000 * 30...30_000 * 80).contains(traced), "\(name): \(traced)")
        }
        let more = try bytes("asgd", workers: 4, epochs: 20) { $0.recordsOrder = true }
        let fewer = try bytes("asgd", workers: 4) { $0.recordsOrder = true }
        #expect(more - fewer >= 3 * entries)
        let matrix = 8 * 256 * 256
        let (one, many) = (try bytes("asgd", workers: 256), try bytes("asgd:servers=16", workers: 256))
        #expect(many - one >= 15 * (matrix + 256 * (StalenessRecorder.memoryBytes + 4_096)))
    }

    @Test func `what reading took is part of the peak`() {
        #expect(MemoryEstimate().peakBytes >= peakMemoryBytes() && peakMemoryBytes() >= residentMemoryBytes() / 2)
    }

    @Test func `a linear model takes 12 bytes a feature`() throws {
        let features = 3_000_000
        let train = try rows(100, features: features)
        let team = try team(1)
        for algorithm in [Algorithm.sgd, .hogwild] {
            var options = TrainingOptions()
            options.algorithm = algorithm
            options.epochs = 1
            let before = threadPageBytes()
            let problem = LinearProblem(objective: LinearObjective(), train: train)
            let run = try TrainingRun(problem: problem, workers: 1, team: team, options: options)
            // The model and the one that is kept; the gradient's norm takes 16 MiB at times.
            #expect(threadPageBytes() - before <= 8 * features + 200_000)
            #expect(
                LinearEvaluator.gradientNormBytes(rowCount: 100, features: 100 * features) <= 2 * 100 * features + 8_192
            )
            withExtendedLifetime(run) {}
        }
    }

    @Test func `the norm of the gradient is that of the gradient, for any number of workers`() throws {
        // The first has more features than one window.
        for (loss, features) in [(LossKind.logistic, 2_200_000), (.hinge, 3_000), (.squared, 3_000)] {
            let train = try rows(300, features: features)
            let objective = LinearObjective(loss: loss, l2: 0.01)
            let evaluator = try LinearEvaluator(data: train, objective: objective, features: train.featureCount)
            let model = try SharedParameters(count: train.featureCount + 1)
            for j in stride(from: 0, to: model.count, by: 97) { model[j] = Float(j % 7) - 3 }
            var gradient = [Double](repeating: 0, count: model.count)
            try evaluator.gradient(of: model, team: team(1), into: &gradient)
            let expected = gradient.reduce(0) { $0 + $1 * $1 }
            let found = try [1, 3, 20].map { try evaluator.gradientNormSquared(of: model, team: team($0)) }
            #expect(abs(found[0] - expected) <= 1e-12 * expected && found.allSatisfy { $0 == found[0] })
        }
    }

    @Test func `sums that cannot be counted are the largest number, and are refused`() throws {
        var estimate = MemoryEstimate()
        estimate.add(1 << 62, times: 3)
        estimate.add(1)
        #expect(estimate.bytes == .max && estimate.peakBytes == .max)
        #expect(throws: InputError.self) { try estimate.requireFit(at: "x", "much") }
        try MemoryEstimate().requireFit(at: "x", "nothing")
    }
}
