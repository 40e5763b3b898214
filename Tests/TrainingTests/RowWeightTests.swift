import Compression
import Datasets
import Messaging
import Objectives
import Platform
import SwitchModel
import Testing

@testable import Training

/// The mean of the workers' minibatch means is f': every row counts alike, whatever N, M, the order and B.
@Suite struct RowWeightTests {
    private static let passes: [RowOrder] = [.shuffled, .blocks, .sequential]

    private func gcd(_ a: Int, _ b: Int) -> Int { b == 0 ? a : gcd(b, a % b) }

    /// How much each row weighs in the mean over the workers of the means of their first `iterations` minibatches.
    private func shares(
        _ order: RowOrder, rows: Int, workers: Int, batchSize: Int, iterations: Int, seed: UInt64
    ) throws -> [Double] {
        var shares = [Double](repeating: 0, count: rows)
        for rank in 0..<workers {
            let sampler = try RowSampler(
                order, rowCount: rows, rank: rank, workers: workers, seed: seed, batchSize: batchSize, name: "rows")
            for _ in 0..<iterations {
                sampler.advance()
                let share = sampler.weight / Double(workers * batchSize * iterations)
                for row in sampler.chosen { shares[row] += share }
            }
        }
        return shares
    }

    @Test(arguments: 1...5, [1, 2, 3, 7]) func `over whole passes every row weighs 1/M, in all small cases`(
        workers: Int, batchSize: Int
    ) throws {
        for rows in workers...12 {
            // A multiple of all sizes of partitions.
            let (small, large) = (rows / workers, (rows + workers - 1) / workers)
            let iterations = small / gcd(small, large) * large
            for order in [RowOrder.shuffled, .sequential] {
                for seed in 0..<3 {
                    let shares = try shares(
                        order, rows: rows, workers: workers, batchSize: batchSize, iterations: iterations,
                        seed: UInt64(seed))
                    #expect(shares.allSatisfy { abs($0 * Double(rows) - 1) < 1e-12 }, "\(rows) rows, \(order)")
                }
            }
        }
    }

    @Test(arguments: [(1, 70), (2, 129), (3, 193), (3, 320)]) func `short and uneven blocks weigh what their rows do`(
        workers: Int, rows: Int
    ) throws {
        let sizes = (0..<workers).map {
            Partition(rowCount: rows, blockLength: 64, rank: $0, workers: workers).rowCount
        }
        let iterations = sizes.reduce(1) { $0 / gcd($0, $1) * $1 }
        let shares = try shares(
            .blocks, rows: rows, workers: workers, batchSize: 1, iterations: iterations, seed: 4)
        #expect(shares.allSatisfy { abs($0 * Double(rows) - 1) < 1e-9 })
    }

    @Test(arguments: [RowOrder.shuffled, .blocks, .withReplacement], [1, 3])
    func `at every iteration every row is as likely as any other`(order: RowOrder, batchSize: Int) throws {
        // One pass is cut by batches and by a short block; the mean is over seeds.
        let (rows, workers) = (order == .blocks ? 70 : 7, order == .blocks ? 1 : 2)
        let draws = order == .blocks ? 4_000 : 2_000
        for iterations in [1, 2] {
            var sums = [Double](repeating: 0, count: rows)
            for seed in 0..<UInt64(draws) {
                for rank in 0..<workers {
                    let sampler = try RowSampler(
                        order, rowCount: rows, rank: rank, workers: workers, seed: seed, batchSize: batchSize,
                        name: "rows")
                    for _ in 0..<iterations { sampler.advance() }
                    let share = sampler.weight / Double(workers * batchSize * draws)
                    for row in sampler.chosen { sums[row] += share }
                }
            }
            // A share is the mean of at least `draws` weights of at most 1.15, which are there with probability 1/M or so.
            let standardError = 1.15 * (1 / Double(rows) / Double(draws)).squareRoot()
            #expect(sums.allSatisfy { abs($0 - 1 / Double(rows)) < 4.5 * standardError })
        }
    }

    /// One feature a row, with labels +1 and -1: the gradient of the hinge loss at small weights does not depend on them, so that training
    /// adds up how often each row counted.
    private func oneHot(_ rows: Int) throws -> SparseDataset {
        var all: [(label: Float, features: [(UInt32, Float)])] = []
        for row in 0..<rows { all.append((row % 2 == 0 ? 1 : -1, [(UInt32(row), Float(row + 1))])) }
        return try SparseDataset(rows: all)
    }

    /// For each row how far training has moved its weight, over its value, against the mean over all rows.
    private func moves(_ weights: [Float]) -> [Double] {
        let moves = weights.enumerated().map { Double(abs($1)) / Double($0 + 1) }
        let mean = moves.reduce(0, +) / Double(moves.count)
        return moves.map { $0 / mean }
    }

    @Test(arguments: [Algorithm.sgd, .minibatchSGD, .hogwild], passes)
    func `in an epoch on shared parameters every row counts alike`(algorithm: Algorithm, order: RowOrder) throws {
        for workers in algorithm.isSerial ? [1] : [1, 2, 3] {
            for (rows, batchSize) in [(5, 2), (7, 3), (10, 4), (7, 100), (64 * 3 + 5, 10)] {
                let result = try train(oneHot(rows), workers: workers) {
                    $0.algorithm = algorithm
                    $0.order = order
                    $0.batchSize = batchSize
                    $0.objective = LinearObjective(loss: .hinge, intercept: false)
                    $0.stepSize = StepSize(1e-7)
                    $0.epochs = 2
                    $0.evaluationsPerEpoch = 2
                    $0.staleness = .off
                }
                #expect(
                    moves(result.model.weights).allSatisfy { abs($0 - 1) < 1e-5 },
                    "\(rows) rows, \(workers) workers, B = \(batchSize)")
            }
        }
    }

    @Test(
        arguments: [
            Algorithm.serialReference, .gradientAggregation, .modelAggregation, .globalReplica, .backupWorkers,
            .gradientCoding, .csgd,
        ], passes)
    func `over whole passes of data-parallel SGD every row counts alike`(algorithm: Algorithm, order: RowOrder) throws {
        for (rows, workers) in order == .blocks ? [(129, 2), (150, 1)] : [(7, 3), (9, 2), (5, 4), (12, 5)] {
            let sizes = (0..<workers).map {
                Partition(rowCount: rows, blockLength: order == .blocks ? 64 : 1, rank: $0, workers: workers).rowCount
            }
            let problem = LinearProblem(
                objective: LinearObjective(loss: .hinge, intercept: false), train: try oneHot(rows))
            let training = try dataParallelRun(problem, algorithm, workers: workers) {
                $0.order = order
                $0.batchSize = 1
                $0.stepSize = StepSize(1e-9)
                // Iterations that are whole passes of all workers, one after the other.
                let iterations = sizes.reduce(1) { $0 / gcd($0, $1) * $1 }
                $0.epochs = iterations / gcd(iterations, Int((Double(rows) / Double(workers)).rounded()))
                if algorithm == .csgd { $0.exchange.codec = try? .init(parsing: "identity") }
            }
            let found = moves(try training.run().parameters)
            #expect(found.allSatisfy { abs($0 - 1) < 1e-4 }, "\(rows) rows, \(workers) workers: \(found)")
        }
    }

    @Test(arguments: passes) func `over whole passes of asgd by workers that are equally fast every row counts alike`(
        order: RowOrder
    ) throws {
        for (rows, workers) in order == .blocks ? [(192, 2), (150, 1)] : [(7, 3), (9, 2), (5, 4), (7, 1), (3, 6)] {
            // Six workers share three rows.
            let partitions = min(workers, rows)
            let sizes = (0..<partitions).map {
                Partition(
                    rowCount: rows, blockLength: order == .blocks ? 64 : 1, rank: $0, workers: partitions
                ).rowCount
            }
            let problem = LinearProblem(
                objective: LinearObjective(loss: .hinge, intercept: false), train: try oneHot(rows))
            let training = try dataParallelRun(problem, .asgd, workers: workers) {
                $0.order = order
                $0.batchSize = 1
                $0.stepSize = StepSize(1e-9)
                $0.clock.kind = .virtual(try! NetworkCost(latencySeconds: 0, secondsPerMegabyte: 0))
                $0.clock.computeSeconds = 1
                // Rounds of all workers that are whole passes of each.
                let rounds = sizes.reduce(1) { $0 / gcd($0, $1) * $1 }
                $0.epochs = workers * rounds / gcd(workers * rounds, rows)
            }
            let found = moves(try training.run().parameters)
            #expect(found.allSatisfy { abs($0 - 1) < 1e-4 }, "\(rows) rows, \(workers) workers: \(found)")
        }
    }
}

/// Gradients of minibatches so large that single precision would lose the small rows.
@Suite struct LargeBatchTests {
    @Test func `the gradient of a large minibatch is that in double precision`() throws {
        let rows = 6_000
        // One row of a large residual, then many of a small one; least squares at 0.
        let data = try SparseDataset(rows: (0..<rows).map { ($0 == 0 ? 1e8 : 1, [(0, 1)]) })
        let problem = LinearProblem(objective: LinearObjective(loss: .squared), train: data)
        let source = try problem.makeGradients(batchSize: rows)
        let (parameters, chosen) = ([Float](repeating: 0, count: 2), Array(0..<rows))
        var gradient: [Float] = [0, 0]
        var span = gradient.mutableSpan
        #expect(source.gradient(at: parameters.span, chosen: chosen.span, into: &span))
        let expected = -(1e8 + Double(rows - 1)) / Double(rows)
        for found in gradient { #expect(abs(Double(found) / expected - 1) < 1e-7) }
    }
}
