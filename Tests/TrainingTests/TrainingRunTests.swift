import Datasets
import Kernels
import Measurement
import Objectives
import Platform
import Testing

@testable import Training

@Suite struct TrainingRunTests {
    @Test func `a run records its points, its updates and its settings`() throws {
        let record = try train(classificationRows(250), test: classificationRows(100, seed: 5), workers: 2) {
            $0.algorithm = .hogwild
            $0.epochs = 3
            $0.evaluationsPerEpoch = 2
            $0.trainLoss = .every
        }.record
        #expect(record.points.map(\.epoch).first == 0 && record.points.last!.epoch == 3)
        #expect(record.points.count == 7)
        #expect(record.updates == 750 && record.samples == 750)
        #expect(record.points.map(\.updates) == record.points.map(\.updates).sorted())
        #expect(record.points.map(\.seconds) == record.points.map(\.seconds).sorted())
        #expect(record.points.allSatisfy { $0.trainLoss != nil && $0.auc != nil })
        #expect(record.settings.workers == 2 && record.settings.algorithm == "hogwild")
        #expect(record.status == .completed)
    }

    @Test func `a target ends the run at the first loss that reaches it`() throws {
        let data = try classificationRows(300)
        let record = try train(data) {
            $0.algorithm = .sgd
            $0.epochs = 50
            $0.targetLoss = 0.6
        }.record
        #expect(record.status == .targetReached)
        #expect(record.points.last!.loss <= 0.6 && record.points.dropLast().allSatisfy { $0.loss > 0.6 })
        #expect(record.epochsToTarget == record.points.last!.epoch)
        #expect(record.secondsToTarget == record.points.last!.seconds)
    }

    @Test func `a run that hits its time limit says so`() throws {
        let record = try train(classificationRows(300)) {
            $0.algorithm = .sgd
            $0.epochs = 1_000_000
            $0.maxSeconds = 0.001
        }.record
        #expect(record.status == .timeLimit && record.seconds >= 0.001)
    }

    @Test func `early stopping keeps the best model on the held-out rows`() throws {
        let (data, heldOut) = (try classificationRows(60), try classificationRows(200, seed: 99))
        let result = try train(data, test: heldOut) {
            $0.algorithm = .sgd
            $0.epochs = 200
            $0.stepSize = StepSize(2)
            $0.patience = 3
        }
        let losses = result.record.points.map(\.loss)
        #expect(result.record.status == .stoppedEarly)
        #expect(losses[result.record.keptPoint] == losses.min())
        #expect(result.record.points.count - 1 == result.record.keptPoint + 3)
        // The kept model is the one of that point.
        let evaluator = try LinearEvaluator(
            data: heldOut, objective: LinearObjective(), features: data.featureCount)
        let model = try SharedParameters(result.model)
        #expect(evaluator.evaluate(model, team: try team(1)).loss == losses.min())
    }

    @Test(arguments: [Algorithm.sgd, .hogwild, .gd]) func `divergence ends the run with a record`(algorithm: Algorithm)
        throws
    {
        let record = try train(regressionRows(300), workers: 2) {
            $0.algorithm = algorithm
            $0.objective.loss = .squared
            $0.stepSize = StepSize(1e4)
            $0.epochs = 100
        }.record
        #expect(record.status == .diverged)
        #expect(record.points.count < 100)
    }

    @Test(arguments: [Algorithm.sgd, .minibatchSGD, .asgd, .hogwild] + Algorithm.servers)
    func `weights that overflow end the run as diverged`(
        algorithm: Algorithm
    ) throws {
        let record = try train(classificationRows(300), workers: 2) {
            $0.algorithm = algorithm
            $0.stepSize = StepSize(3e38)
            $0.epochs = 3
        }.record
        #expect(record.status == .diverged)
    }

    @Test func `a stop request ends the run at the next safe point`() throws {
        let stop = StopRequest()
        stop.request()
        let record = try train(classificationRows(300), stop: stop) { $0.epochs = 1_000 }.record
        #expect(record.status == .interrupted && record.points.count == 2)
    }

    @Test(arguments: LossKind.allCases, [Algorithm.sgd, .asgd, .hogwild, .minibatchSGD] + Algorithm.servers)
    func `steps beyond all bounds are called divergence, and a finite model is kept`(
        loss: LossKind, algorithm: Algorithm
    ) throws {
        let result = try train(classificationRows(300), test: classificationRows(50, seed: 3)) {
            $0.algorithm = algorithm
            $0.objective.loss = loss
            $0.stepSize = StepSize(1e30)
            $0.targetLoss = 0.01
            $0.patience = 2
        }
        #expect(result.record.status == .diverged)
        #expect(result.record.keptPoint < result.record.points.count - 1)
        #expect(result.model.weights.allSatisfy { $0.isFinite })
    }

    @Test func `more evaluations than blocks evaluate after every block and no oftener`() throws {
        let record = try train(classificationRows(300), test: classificationRows(50, seed: 3)) {
            $0.algorithm = .sgd
            $0.epochs = 1
            $0.evaluationsPerEpoch = 1_000_000
            $0.patience = 100
        }.record
        // The short block has its place in the new order.
        let updates = record.points.map(\.updates)
        #expect(zip(updates.dropFirst(), updates).map { $0 - $1 }.sorted() == [44, 64, 64, 64, 64])
    }

    @Test func `a target that is met at the start ends the run there`() throws {
        let record = try train(classificationRows(100)) { $0.targetLoss = 10 }.record
        #expect(record.status == .targetReached && record.updates == 0 && record.points.count == 1)
    }

    @Test func `a run cut off by the clock or by a signal does not claim to be repeatable`() throws {
        let stop = StopRequest()
        stop.request()
        let data = try classificationRows(300)
        let stopped = try train(data, stop: stop) { $0.algorithm = .sgd }
        #expect(!stopped.record.deterministic)
        let timed = try train(data) {
            $0.algorithm = .sgd
            $0.epochs = 1_000_000
            $0.maxSeconds = 0.001
        }
        #expect(!timed.record.deterministic)
    }

    @Test func `gd with the step size auto never increases the objective`() throws {
        for loss in [LossKind.logistic, .squared] {
            let points = try train(classificationRows(200)) {
                $0.algorithm = .gd
                $0.objective.loss = loss
                $0.stepSize = StepSize(nil)
                $0.epochs = 10
            }.record.points
            #expect(zip(points, points.dropFirst()).allSatisfy { $0.objective! > $1.objective! })
        }
    }

    @Test func `step sizes follow their formulas`() throws {
        func gamma(_ text: String, _ t: UInt64, _ epoch: Int) throws -> Float {
            try StepSize(parsing: text).during(epoch: epoch).value(t)
        }
        #expect(try gamma("0.5", 1_000, 7) == 0.5)
        #expect(try gamma("0.5*0.5^epoch", 3, 2) == 0.125)
        #expect(try gamma("2/t", 3, 0) == 0.5)
        #expect(try gamma("2/(1+0.5t)", 2, 9) == 1)
        #expect(try gamma("2/sqrt(t)", 3, 0) == 1)
        #expect(try gamma("3/sqrt(1+0.04t)", 200, 0) == 1)
        let auto = try StepSize(parsing: "auto*0.5^epoch")
        func resolved(_ algorithm: Algorithm, _ mean: Double) throws -> StepSize {
            // Of rows of so much for their squared norm, the intercept's 1 included.
            let data = try SparseDataset(
                rows: mean == 1 ? [(1, []), (-1, [])] : [(1, [(0, 1)]), (-1, [(1, 1)])])
            var options = TrainingOptions()
            options.algorithm = algorithm
            options.stepSize = auto
            let problem = LinearProblem(objective: LinearObjective(), train: data)
            return try RunPlan.checked(problem, workers: 1, options).resolvedStepSize()
        }
        #expect(try resolved(.sgd, 1).during(epoch: 1).value(0) == 0.125)
        #expect(try resolved(.gd, 2).during(epoch: 0).value(0) == 2)
    }

    @Test(arguments: ["", "x", "0", "-1", "nan", "1/", "1/u", "1*2^epoch", "1*0.5", "1/(2+t)", "1/sqrt(1+0t)", "inf"])
    func `a step size that is none is refused by name`(text: String) {
        #expect { try StepSize(parsing: text) } throws: { ($0 as? InputError)?.place == "--step-size" }
    }

    @Test(arguments: ["0.5", "0.5*0.8^epoch", "2.0/t", "2.0/sqrt(t)", "auto"])
    func `a step size is written as it is read`(
        text: String
    ) throws {
        #expect(try StepSize(parsing: text).description == text)
        #expect(try StepSize(parsing: StepSize(parsing: text).description) == StepSize(parsing: text))
    }
}
