import Compression
import Datasets
import Foundation
import Measurement
import Objectives
import Platform
import Testing

@testable import Training

/// Penalties whose share of a weight is below a float's last place, beside the same in double precision.
@Suite struct SmallPenaltyTests {
    /// A row whose loss is zero once its weight is 2, which the first step makes it: then only the penalty moves it.
    private func data(rows: Int = 100) throws -> SparseDataset {
        let features = (0..<32).map { (UInt32($0), Float(2)) }
        return try SparseDataset(rows: (0..<rows).map { _ in (1, features) })
    }

    /// gamma l2 = 1e-8: a float next to 1 does not show it.
    private static let (gamma, l2) = (1.0, 1e-8)

    private func expectShrunk(_ weights: [Float], updates: UInt64, owed: Double = 0) {
        let mean = weights.reduce(0.0) { $0 + Double($1) } / Double(weights.count)
        let start = 2.0
        let taken = 1 - mean / start
        let expected = 1 - exp(-Self.gamma * Self.l2 * Double(updates - 1))
        // Half a unit in the last place, the error of random rounding, and what minibatch-sgd has yet to take.
        #expect(abs(taken - expected) < 0.05 * expected + 0x1p-23 + owed, "\(taken) taken, not \(expected)")
    }

    @Test(arguments: [Algorithm.gd, .sgd, .minibatchSGD, .asgd, .hogwild])
    func `on shared parameters a small penalty shrinks weights without a gradient`(algorithm: Algorithm) throws {
        let result = try train(data(rows: algorithm == .gd ? 4 : 100)) {
            $0.algorithm = algorithm
            $0.objective = LinearObjective(loss: .hinge, l2: Self.l2, intercept: false)
            $0.stepSize = StepSize(Self.gamma)
            $0.epochs = algorithm == .gd ? 1_000 : 60
            $0.order = .sequential
            $0.staleness = .off
        }
        expectShrunk(
            result.model.weights, updates: result.record.updates, owed: algorithm == .minibatchSGD ? 0x1p-17 : 0)
    }

    @Test(
        arguments: [
            Algorithm.serialReference, .gradientAggregation, .globalReplica, .backupWorkers, .gradientCoding, .csgd,
        ], [0, 0.9])
    func `in data-parallel SGD a small penalty or decay shrinks weights without a gradient`(
        algorithm: Algorithm, momentum: Double
    ) throws {
        for isDecay in [false, true] {
            let objective = LinearObjective(loss: .hinge, l2: isDecay ? 0 : Self.l2, intercept: false)
            let training = try dataParallelRun(
                LinearProblem(objective: objective, train: try data()), algorithm, workers: 2
            ) {
                $0.batchSize = 1
                $0.stepSize = StepSize(Self.gamma)
                $0.epochs = 100
                $0.stepRule.weightDecay = isDecay ? Self.l2 : 0
                $0.stepRule.momentum = momentum
                if algorithm == .csgd { $0.exchange.codec = try? .init(parsing: "identity") }
            }
            let result = try training.run()
            guard momentum == 0 else {
                // The first gradient goes on to push for a while: ten steps' worth, of which the penalty then takes ten times its share.
                let start = 2 / (1 - momentum)
                let taken = 1 - Double(result.parameters[0]) / start
                let expected = Self.l2 / (1 - momentum) * Double(result.record.updates)
                #expect(abs(taken - expected) < 0.02 * expected + 0x1p-21)
                continue
            }
            expectShrunk(result.parameters, updates: result.record.updates)
        }
    }

    @Test func `the automatic step size is at most 1/(L + l2)`() throws {
        func resolved(
            _ problem: any MinibatchProblem, _ algorithm: Algorithm,
            _ change: (inout TrainingOptions) -> Void = { _ in }
        ) throws -> Double? {
            var options = TrainingOptions()
            options.algorithm = algorithm
            change(&options)
            return try RunPlan.checked(problem, workers: 1, options).resolvedStepSize().start
        }
        // The mean squared norm of a row and its intercept is 2.
        let ones = try SparseDataset(rows: [(1, [(0, 1)]), (-1, [(1, 1)])])
        func gamma(_ algorithm: Algorithm, _ l2: Double) throws -> Double? {
            try resolved(LinearProblem(objective: LinearObjective(loss: .logistic, l2: l2), train: ones), algorithm)
        }
        #expect(try gamma(.gd, 0) == 2 && gamma(.gd, 3.5) == 0.25)
        #expect(try gamma(.hogwild, 0) == 0.125 && gamma(.hogwild, 3) == 0.05)
        let data = try classificationRows(50)
        let (without, with) = (
            LinearProblem(objective: LinearObjective(), train: data),
            LinearProblem(objective: LinearObjective(l2: 3), train: data)
        )
        #expect(abs(1 / with.automaticStepSize - 1 / without.automaticStepSize - 3) < 1e-9)
        for hidden in [[], [4]] {
            func automatic(_ l2: Double) throws -> Double {
                try DenseProblem(
                    network: MultilayerPerceptron(inputs: 3, hidden: hidden, outputs: 3, loss: .softmax, l2: l2),
                    train: denseRows(20)
                ).automaticStepSize
            }
            #expect(try abs(1 / automatic(7) - 1 / automatic(0) - 7) < 1e-9)
        }
        // Weight decay is a penalty, too.
        let decayed = try resolved(without, .serialReference) { $0.stepRule.weightDecay = 3 }
        #expect(abs((decayed ?? 0) / with.automaticStepSize - 1) < 1e-3)
    }
}
