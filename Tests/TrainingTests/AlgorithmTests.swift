import Datasets
import Kernels
import Measurement
import Objectives
import Testing

@testable import Training

@Suite struct AlgorithmTests {
    static let objectives = [
        LinearObjective(loss: .logistic, l2: 0, intercept: true),
        LinearObjective(loss: .hinge, l2: 0.01, intercept: false),
        LinearObjective(loss: .logistic, l2: 0.02, intercept: true),
        LinearObjective(loss: .squared, l2: 0, intercept: true),
    ]

    @Test(arguments: AlgorithmTests.objectives, RowOrder.allCases)
    func `asgd and hogwild with one worker equal sgd bit for bit`(objective: LinearObjective, order: RowOrder) throws {
        let data = try classificationRows(300)
        let results = try [Algorithm.sgd, .asgd, .hogwild].map { algorithm in
            try trained(data, algorithm, objective, order)
        }
        #expect(results[0].model.weights.contains { $0 != 0 })
        for result in results.dropFirst() {
            #expect(result.model == results[0].model)
            #expect(result.record.points.map(\.loss) == results[0].record.points.map(\.loss))
        }
    }

    private func trained(
        _ data: SparseDataset, _ algorithm: Algorithm, _ objective: LinearObjective, _ order: RowOrder
    ) throws -> LinearResult {
        try train(data) {
            $0.algorithm = algorithm
            $0.objective = objective
            $0.order = order
            $0.stepSize = StepSize(0.2, power: .inverseSquareRoot, growth: 0.01)
        }
    }

    @Test(arguments: Algorithm.onSharedParameters) func `one worker has staleness exactly 0`(algorithm: Algorithm)
        throws
    {
        for recording in [StalenessRecording.sampled(every: 3), .exact] {
            let record = try train(classificationRows(200)) {
                $0.algorithm = algorithm
                $0.staleness = recording
                $0.batchSize = 4
            }.record
            #expect(record.staleness.all.count > 0)
            #expect(record.staleness.all.max == 0)
            #expect(record.staleness.all.mean == 0)
            #expect(record.staleness.lostUpdateRate ?? 0 == 0)
            #expect(record.staleness.readSpan?.max ?? 0 == 0)
            #expect(record.deterministic)
        }
    }

    @Test(arguments: Algorithm.onSharedParameters, RowOrder.allCases)
    func `the same seed gives the same bits and another seed gives others`(algorithm: Algorithm, order: RowOrder) throws
    {
        let data = try classificationRows(300)
        func model(_ seed: UInt64) throws -> LinearModel {
            try train(data) {
                $0.algorithm = algorithm
                $0.order = order
                $0.seed = seed
                $0.batchSize = 8
            }.model
        }
        let first = try model(1)
        #expect(try model(1) == first)
        if order != .sequential && algorithm != .gd { #expect(try model(2) != first) }
    }

    @Test func `sgd follows its definition on a row by row reference in double precision`() throws {
        let data = try classificationRows(64)
        let result = try train(data) {
            $0.algorithm = .sgd
            $0.order = .sequential
            $0.epochs = 1
        }
        var w = [Double](repeating: 0, count: data.featureCount)
        var b = 0.0
        for row in 0..<data.rowCount {
            let features = data.features(ofRow: row)
            let y = Double(data.label(ofRow: row))
            let z = features.reduce(b) { $0 + w[Int($1.index)] * Double($1.value) }
            let g = LogisticLoss.derivative(z, y)
            for (j, x) in features { w[Int(j)] -= 0.2 * g * Double(x) }
            b -= 0.2 * g
        }
        #expect(zip(w, result.model.weights).allSatisfy { abs($0 - Double($1)) < 1e-5 })
        #expect(abs(b - Double(result.model.intercept!)) < 1e-5)
    }

    @Test func `minibatch sgd follows its definition, penalty included`() throws {
        let data = try classificationRows(70)
        let (gamma, lambda, batch) = (0.3, 0.05, 16)
        let result = try train(data) {
            $0.algorithm = .minibatchSGD
            $0.order = .sequential
            $0.epochs = 1
            $0.batchSize = batch
            $0.stepSize = StepSize(gamma)
            $0.objective = LinearObjective(loss: .logistic, l2: lambda, intercept: true)
        }
        var w = [Double](repeating: 0, count: data.featureCount)
        var b = 0.0
        for start in stride(from: 0, to: data.rowCount, by: batch) {
            let rows = start..<min(start + batch, data.rowCount)
            // The last batch is short, and its step with it.
            let share = Double(rows.count) / Double(batch)
            var gradient = w.map { share * lambda * $0 }
            var gradientB = 0.0
            for row in rows {
                let features = data.features(ofRow: row)
                let z = features.reduce(b) { $0 + w[Int($1.index)] * Double($1.value) }
                let g = LogisticLoss.derivative(z, Double(data.label(ofRow: row))) / Double(batch)
                for (j, x) in features { gradient[Int(j)] += g * Double(x) }
                gradientB += g
            }
            for j in w.indices { w[j] -= gamma * gradient[j] }
            b -= gamma * gradientB
        }
        #expect(zip(w, result.model.weights).allSatisfy { abs($0 - Double($1)) < 1e-5 })
        #expect(abs(b - Double(result.model.intercept!)) < 1e-5)
        #expect(result.record.updates == 5)
    }

    @Test func `minibatches without a penalty are those of hogwild with one worker`() throws {
        let data = try classificationRows(130)
        let models = try [Algorithm.minibatchSGD, .hogwild, .asgd].map { algorithm in
            try train(data) {
                $0.algorithm = algorithm
                $0.batchSize = 10
            }.model
        }
        #expect(models[1] == models[0] && models[2] == models[0])
    }

    @Test func `gradient descent with step 1 over L never increases the objective and does not depend on the workers`()
        throws
    {
        let data = try classificationRows(200)
        // L <= max norm(x)^2 / 4 + l2, with at most 6 features below 1.5 and the intercept.
        let lipschitz = (6 * 2.25 + 1) / 4 + 0.01
        let results = try [1, 3].map { workers in
            try train(data, workers: workers) {
                $0.algorithm = .gd
                $0.epochs = 30
                $0.stepSize = StepSize(1 / lipschitz)
                $0.objective.l2 = 0.01
                $0.gradientNorm = .every
            }
        }
        let points = results[0].record.points
        let objective = points.compactMap(\.objective)
        #expect(zip(objective, objective.dropFirst()).allSatisfy { $0 > $1 })
        // The descent lemma, summed: each step takes at least norm(f')^2 / (2L) off the objective (section 1.1.2).
        let descent = points.dropLast().reduce(0) { $0 + $1.gradientNormSquared! } / (2 * lipschitz)
        #expect(descent <= objective[0] - objective.last! + 1e-6)
        #expect(results[0].model == results[1].model)
    }

    @Test(arguments: [Algorithm.sgd, .asgd, .hogwild, .minibatchSGD])
    func `the penalised optimum is the one that gradient descent finds`(algorithm: Algorithm) throws {
        let data = try classificationRows(400, features: 12)
        let objective = LinearObjective(loss: .logistic, l2: 0.05, intercept: true)
        let exact = try train(data) {
            $0.algorithm = .gd
            $0.epochs = 900
            $0.stepSize = StepSize(0.3)
            $0.objective = objective
        }.record.points.last!.objective!
        let found = try train(data) {
            $0.algorithm = algorithm
            $0.epochs = 20
            $0.stepSize = StepSize(0.5, power: .inverse, growth: 0.01)
            $0.objective = objective
        }.record.points.last!.objective!
        #expect(found >= exact - 1e-6)
        #expect(found - exact < 2e-3)
    }

    @Test(arguments: [Algorithm.sgd, .asgd, .hogwild]) func `regression explains what is not noise`(
        algorithm: Algorithm
    ) throws {
        let record = try train(regressionRows(500), workers: algorithm == .sgd ? 1 : 3) {
            $0.algorithm = algorithm
            $0.objective.loss = .squared
            $0.epochs = 15
        }.record
        #expect(record.points.last!.r2! > 0.97)
        #expect(record.points.last!.accuracy == nil)
    }
}
