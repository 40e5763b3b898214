import Collectives
import Compression
import Datasets
import Kernels
import Measurement
import Testing

@testable import Objectives
@testable import Training

/// What the seconds of training hold, by counting instead of timing.
@Suite struct TimedPartTests {
    @Test(arguments: [Algorithm.gd, .sgd, .minibatchSGD, .hogwild])
    func `nothing is evaluated while seconds of training are counted`(
        algorithm: Algorithm
    ) throws {
        let workers = algorithm.isSerial ? 1 : 2
        let training = try linearRun(classificationRows(200), test: classificationRows(50, seed: 3), workers: workers) {
            $0.algorithm = algorithm
            $0.epochs = 3
            $0.batchSize = 4
            ($0.trainLoss, $0.gradientNorm) = (.every, .every)
        }
        let runner = try #require(training.run.runner as? SharedRunner)
        let evaluators = [runner.trainEvaluator, runner.testEvaluator!]
        var counts: [[Int]] = []
        var segments = 0
        training.run.timing = { isTraining in
            counts.append(evaluators.map(\.evaluations))
            segments += isTraining ? 1 : 0
        }
        let record = try training.train().record
        #expect(segments == 3 && counts.count == 6)
        // One evaluation before each segment, none within.
        #expect(counts == (1...3).flatMap { [[$0, $0], [$0, $0]] })
        #expect(evaluators.allSatisfy { $0.evaluations == 4 })
        // Nothing has been counted before the first update.
        #expect(record.points[0].seconds == 0 && record.points[0].updates == 0)
    }

    @Test(
        arguments: Algorithm.dataParallel + [.asgd, .backupWorkers, .gradientCoding, .delayedSGD] + Algorithm.servers)
    func `nor while workers who exchange messages train`(
        algorithm: Algorithm
    ) throws {
        let problem = ObservedProblem(
            LinearProblem(objective: LinearObjective(), train: try classificationRows(200)))
        var options = TrainingOptions()
        options.algorithm = algorithm
        options.batchSize = 10
        options.epochs = 3
        options.order = .shuffled
        if algorithm == .globalReplica { options.exchange.collective = "parameter-server" }
        if algorithm.compresses { options.exchange.codec = try CodecConfiguration(parsing: "quantize:bits=8") }
        let training = try trainingRun(problem, workers: 2, options)
        var isTraining = false
        var (segments, evaluations, misplaced) = (0, 0, 0)
        training.timing = {
            isTraining = $0
            segments += $0 ? 1 : 0
        }
        problem.onEvaluation = { _ in
            evaluations += 1
            misplaced += isTraining ? 1 : 0
        }
        let record = try training.run().record
        #expect(segments == 3 && evaluations == 4 && misplaced == 0)
        #expect(record.points[0].seconds == 0)
    }

    @Test func `the gradient that gd takes is the same for any number of workers, to the bit`() throws {
        let data = try classificationRows(300)
        let objective = LinearObjective(loss: .logistic, l2: 0.1)
        let evaluator = try LinearEvaluator(data: data, objective: objective, features: data.featureCount)
        let model = try SharedParameters(count: objective.parameterCount(features: data.featureCount))
        for j in 0..<model.count { model[j] = Float(j % 7) / 7 }
        var gradients = Array(repeating: [Double](repeating: 0, count: model.count), count: 3)
        try evaluator.gradient(of: model, team: team(1), into: &gradients[0])
        try evaluator.gradient(of: model, team: team(3), into: &gradients[1])
        try evaluator.gradient(of: model, team: team(20), into: &gradients[2])
        #expect(gradients[0] == gradients[1] && gradients[0] == gradients[2])
        #expect(gradients[0].contains { $0 != 0 })
    }

    @Test func `the cost of recording is measured neither after short runs nor once a signal has come`() throws {
        let data = try classificationRows(300)
        for cost in [RecordingCost.never, .whereCheap] {
            let record = try train(data, workers: 2) { $0.recordingCost = cost }.record
            #expect(record.staleness.measurementCost == nil)
        }
        let stop = StopRequest()
        stop.request()
        var options = TrainingOptions()
        options.recordingCost = .always
        let model = try SharedParameters(count: 41)
        let problem = LinearProblem(objective: LinearObjective(), train: data)
        let plan = try RunPlan.checked(problem, workers: 2, options)
        let measurement = RecordingCostMeasurement(
            algorithm: try options.algorithm.make(for: plan) as! any InPlaceAlgorithm, problem: problem,
            team: try team(2), options: options, stop: stop)
        #expect(
            try measurement.run(
                on: model, stepSize: StepSize(0.1).during(epoch: 0), rowsPerSecond: 1e6, seconds: 1) == nil)
    }
}
