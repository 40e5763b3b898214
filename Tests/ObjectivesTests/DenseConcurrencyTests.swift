import Objectives
import Platform
import Testing

/// Also run under ThreadSanitizer, by the name of the suite.
@Suite struct DenseConcurrencyTests {
    @Test func `workers that compute at the same time get the bits that one alone gets`() throws {
        let model = try MultilayerPerceptron(
            inputs: 40, hidden: [24, 8], outputs: 5, activation: .gelu, loss: .softmax)
        let sample = DenseSample(for: model, rowCount: 96)
        let parameters = model.initialParameters(seed: 1)
        let workspaces = try (0..<6).map { _ in try model.makeWorkspace(maximumRows: 32) }
        let team = try WorkerTeam(placement: .unpinned(workers: 6))
        sample.withRows { rows in
            let expected = (0..<3).map { workspaces[0].gradient(parameters, rows, 32 * $0..<32 * $0 + 32) }
            let wrong = Locked(0)
            team.run { rank in
                for round in 0..<30 {
                    let block = (rank + round) % 3
                    let found = workspaces[rank].gradient(parameters, rows, 32 * block..<32 * block + 32)
                    if found.loss != expected[block].loss || found.gradient != expected[block].gradient {
                        wrong.withLock { $0 += 1 }
                    }
                }
            }
            #expect(wrong.withLock { $0 } == 0)
        }
    }

    @Test(arguments: [OutputLoss.softmax, .squared])
    func `an evaluation gives the plain figures, and the same bits for any number of workers`(
        loss: OutputLoss
    ) throws {
        let model = try MultilayerPerceptron(inputs: 4, hidden: [5], outputs: 2, loss: loss, l2: 0.5)
        let rowCount = 1_100
        let sample = DenseSample(for: model, rowCount: rowCount)
        let parameters = PerceptronTests.parameters(model.parameterCount)
        let exact = parameters.map { Double($0) }
        let plain = PlainPerceptron(model: model)
        let labels = (0..<rowCount).map(sample.label)
        let expected = plain.gradient(exact, rows: (0..<rowCount).map(sample.row), labels: labels)

        var all: [(figures: Evaluation, gradient: [Double])] = []
        try sample.withRows { rows in
            for workers in [1, 3, 7] {
                let team = try WorkerTeam(placement: .unpinned(workers: workers))
                let evaluator = try DenseEvaluator(objective: model, rows: rows, name: "rows", team: team)
                var gradient = [Double](repeating: .nan, count: parameters.count)
                try evaluator.gradient(at: parameters.span, into: &gradient)
                let figures = evaluator.evaluate(parameters.span)
                all.append((figures, gradient))
            }
        }
        let figures = all[0].figures
        #expect(all.allSatisfy { $0.figures == figures && $0.gradient == all[0].gradient })
        #expect(abs(figures.loss - expected.loss) < 1e-6)
        #expect(zip(all[0].gradient, expected.gradient).allSatisfy { abs($0 - $1) < 2e-6 })
        switch loss {
        case .softmax:
            let right = (0..<rowCount).filter {
                let scores = plain.scores(exact, sample.row($0))
                return (scores[1] > scores[0]) == (labels[$0][0] == 1)
            }
            #expect(figures.accuracy == Double(right.count) / Double(rowCount) && figures.r2 == nil)
        case .squared:
            let total = (0..<2).reduce(0.0) { sum, k in
                let mean = labels.reduce(0.0) { $0 + $1[k] } / Double(rowCount)
                return labels.reduce(sum) { $0 + ($1[k] - mean) * ($1[k] - mean) }
            }
            let r2 = 1 - 2 * expected.loss * Double(rowCount) / total
            #expect(abs(figures.r2! - r2) < 1e-5 && figures.accuracy == nil)
        }
    }
}
