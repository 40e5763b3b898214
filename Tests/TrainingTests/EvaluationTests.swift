import Datasets
import Measurement
import Objectives
import Platform
import Testing

@testable import Training

/// What is evaluated when, and that it changes nothing of the run.
@Suite struct EvaluationTests {
    private func run(
        _ change: (inout TrainingOptions) -> Void = { _ in }
    ) throws -> (record: RunRecord, parameters: [Float], asked: [EvaluationFigures]) {
        let network = try MultilayerPerceptron(inputs: 3, hidden: [4], outputs: 3, loss: .softmax)
        let problem = ObservedProblem(
            try DenseProblem(network: network, train: denseRows(60), test: denseRows(30, seed: 4)))
        var asked: [EvaluationFigures] = []
        problem.onEvaluation = { asked.append($0) }
        let training = try dataParallelRun(problem, .gradientAggregation, workers: 2) {
            $0.epochs = 4
            change(&$0)
        }
        let result = try training.run()
        return (result.record, result.parameters, asked)
    }

    @Test func `between its ends a run evaluates the held-out rows alone, and no gradient unless asked`() throws {
        let usual = try run()
        let ends: EvaluationFigures = [.heldOut, .training, .auc]
        #expect(usual.asked == [ends, .heldOut, .heldOut, .heldOut, ends])
        #expect(usual.record.points.map { $0.trainLoss != nil } == [true, false, false, false, true])
        #expect(usual.record.points.allSatisfy { $0.gradientNormSquared == nil })
        #expect(usual.record.evaluationSeconds > 0)
        let all = try run {
            $0.trainLoss = .every
            $0.gradientNorm = .every
        }
        #expect(all.asked == Array(repeating: [.heldOut, .training, .gradient, .auc], count: 5))
        #expect(all.record.points.allSatisfy { $0.trainLoss != nil && $0.gradientNormSquared! > 0 })
        let none = try run { $0.trainLoss = .never }
        #expect(none.asked == [[.heldOut, .auc], .heldOut, .heldOut, .heldOut, [.heldOut, .auc]])
        // What is looked at changes neither the course nor the model.
        for other in [all, none] {
            #expect(other.parameters == usual.parameters)
            #expect(other.record.points.map(\.loss) == usual.record.points.map(\.loss))
        }
        #expect(all.record.points[4].trainLoss == usual.record.points[4].trainLoss)
    }

    @Test(arguments: [EvaluationTimes.every, .ends, .never]) func `stop rules are the same whatever is evaluated`(
        times: EvaluationTimes
    ) throws {
        let heldOut = try classificationRows(80, seed: 5)
        func record(_ times: EvaluationTimes, _ step: Double) throws -> LinearResult {
            try train(classificationRows(200), test: heldOut) {
                $0.algorithm = .sgd
                $0.stepSize = StepSize(step)
                $0.objective.l2 = 0.01
                $0.epochs = 40
                $0.patience = 2
                $0.trainLoss = times
                $0.gradientNorm = times
            }
        }
        for step in [0.5, 3, 1e30] {
            let (usual, other) = (try record(.ends, step), try record(times, step))
            #expect(usual.record.status == other.record.status && usual.record.keptPoint == other.record.keptPoint)
            #expect(usual.model == other.model)
            let losses = (usual.record.points.map(\.loss), other.record.points.map(\.loss))
            #expect(losses.0 == losses.1 || step == 1e30)
        }
    }

    @Test func `without evaluations between its ends a run takes the same course`() throws {
        let (usual, silent) = (try run(), try run { $0.evaluationsPerEpoch = 0 })
        #expect(silent.asked == [[.heldOut, .training, .auc], [.heldOut, .training, .auc]])
        #expect(silent.record.points.map(\.epoch) == [0, 4] && silent.parameters == usual.parameters)
        let data = try classificationRows(300)
        let runs = try [0, 1].map { evaluations in
            try train(data) {
                $0.algorithm = .sgd
                $0.epochs = 7
                $0.evaluationsPerEpoch = evaluations
            }
        }
        #expect(runs[0].model == runs[1].model && runs[0].record.points.count == 2)
        // What ends a run is seen all the same.
        let cut = try train(data) {
            $0.algorithm = .sgd
            $0.epochs = 100_000_000
            $0.maxSeconds = 0.01
            $0.evaluationsPerEpoch = 0
        }
        #expect(cut.record.status == .timeLimit && cut.record.points.count == 2)
        let diverged = try train(regressionRows(300)) {
            $0.algorithm = .sgd
            $0.objective.loss = .squared
            $0.stepSize = StepSize(1e30)
            $0.epochs = 1_000
            $0.evaluationsPerEpoch = 0
        }
        #expect(diverged.record.status == .diverged && diverged.record.updates <= 600)
    }

    @Test func `with evaluations every few epochs a run takes the same course, and both ends are evaluated`() throws {
        let usual = try run { $0.epochs = 8 }
        let sparing = try run {
            $0.epochs = 8
            $0.epochsPerEvaluation = 3
        }
        #expect(sparing.record.points.map(\.epoch) == [0, 3, 6, 8] && sparing.parameters == usual.parameters)
        #expect(sparing.record.points.map(\.loss) == [0, 3, 6, 8].map { usual.record.points[$0].loss })
        #expect(sparing.record.epochsPerEvaluation == 3 && usual.record.epochsPerEvaluation == 1)
    }

    @Test func `with early stopping the model that is kept is evaluated in full`() throws {
        let record = try train(classificationRows(200), test: classificationRows(80, seed: 5)) {
            $0.algorithm = .sgd
            $0.stepSize = StepSize(3)
            $0.epochs = 60
            $0.patience = 2
            $0.gradientNorm = .ends
        }.record
        #expect(record.status == .stoppedEarly)
        let full = record.points.indices.filter { record.points[$0].trainLoss != nil }
        #expect(full == [0, record.keptPoint].sorted() || full == [0])
        #expect(record.points.indices.filter { record.points[$0].gradientNormSquared != nil } == full)
        let kept = record.points[record.keptPoint]
        let every = try train(classificationRows(200), test: classificationRows(80, seed: 5)) {
            $0.algorithm = .sgd
            $0.stepSize = StepSize(3)
            $0.epochs = 60
            $0.patience = 2
            $0.trainLoss = .every
            $0.gradientNorm = .every
        }.record.points[record.keptPoint]
        #expect(kept.trainLoss == every.trainLoss && kept.objective == every.objective)
        #expect(kept.auc != nil && kept.auc == every.auc)
        #expect(kept.gradientNormSquared == every.gradientNormSquared)
    }

    @Test(arguments: [Algorithm.minibatchSGD, .hogwild], [RowOrder.shuffled, .blocks])
    func `evaluations cut no minibatch of one worker`(algorithm: Algorithm, order: RowOrder) throws {
        // The last block of 64 is a short one, and stands anywhere in the order.
        let data = try classificationRows(64 * 40 + 11)
        for batch in [7, 64, 100, 5_000] {
            let results = try [1, 2, 7, 1_000].map { evaluations in
                try train(data) {
                    $0.algorithm = algorithm
                    $0.order = order
                    $0.batchSize = batch
                    $0.evaluationsPerEpoch = evaluations
                }
            }
            let updates = UInt64(2 * ((data.rowCount + batch - 1) / batch))
            for result in results {
                #expect(result.model.weights == results[0].model.weights && result.record.updates == updates)
                #expect(result.record.samples == UInt64(2 * data.rowCount))
                #expect(result.record.points.count <= Int(updates) + 1)
            }
        }
    }
}
