import Kernels
import Objectives
import Platform
import Testing

@Suite struct PerceptronTests {
    struct Case: CustomTestStringConvertible {
        let hidden: [Int]
        let outputs: Int
        let activation: Activation
        let loss: OutputLoss

        var testDescription: String { "\(hidden)-\(outputs) \(activation.rawValue) \(loss.rawValue)" }

        func model(l2: Double = 0.125) throws -> MultilayerPerceptron {
            try MultilayerPerceptron(
                inputs: 5, hidden: hidden, outputs: outputs, activation: activation, loss: loss, l2: l2)
        }
    }

    static let cases: [Case] =
        OutputLoss.allCases.flatMap { loss in
            [Case(hidden: [], outputs: 3, activation: .relu, loss: loss)]
                + Activation.allCases.flatMap { activation in
                    [[9], [4, 8, 3]].map {
                        Case(hidden: $0, outputs: loss == .softmax ? 4 : 2, activation: activation, loss: loss)
                    }
                }
        } + [Case(hidden: [3], outputs: 1, activation: .tanh, loss: .squared)]

    /// Not the initial ones: biases and, without hidden layers, weights would be zero.
    static func parameters(_ count: Int) -> [Float] {
        var stream = RandomStream(seed: 8)
        return (0..<count).map { _ in 1.5 * (stream.nextUnitFloat() - 0.5) }
    }

    @Test(arguments: cases) func `loss and gradient agree with a plain one in double precision`(_ test: Case) throws {
        let model = try test.model()
        let plain = PlainPerceptron(model: model)
        let sample = DenseSample(for: model, rowCount: 13)
        let parameters = Self.parameters(model.parameterCount)
        let exact = parameters.map { Double($0) }
        let chosen = [12, 0, 7, 7, 3, 1]
        try sample.withRows { rows in
            // One block, several, and blocks of one row.
            for maximumRows in [16, 5, 1] {
                let workspace = try model.makeWorkspace(maximumRows: maximumRows)
                for (found, indices) in [
                    (workspace.gradient(parameters, rows, 2..<13), Array(2..<13)),
                    (workspace.gradient(parameters, rows, chosen), chosen),
                ] {
                    let expected = plain.gradient(
                        exact, rows: indices.map(sample.row), labels: indices.map(sample.label))
                    #expect(abs(found.loss - expected.loss) < 2e-6 * max(1, expected.loss))
                    let worst = zip(found.gradient, expected.gradient).map { abs(Double($0) - $1) }.max()!
                    #expect(worst < 4e-6)
                }
            }
        }
    }

    /// The plain gradient that the others are compared with is the slope of the plain loss.
    @Test(arguments: cases) func `the plain gradient agrees with finite differences`(_ test: Case) throws {
        let plain = PlainPerceptron(model: try test.model(l2: 0))
        let sample = DenseSample(for: plain.model, rowCount: 3)
        let rows = (0..<3).map(sample.row)
        let labels = (0..<3).map(sample.label)
        var parameters = Self.parameters(plain.model.parameterCount).map { Double($0) }
        let gradient = plain.gradient(parameters, rows: rows, labels: labels).gradient
        for j in parameters.indices {
            let x = parameters[j]
            parameters[j] = x + 1e-6
            let above = plain.gradient(parameters, rows: rows, labels: labels).loss
            parameters[j] = x - 1e-6
            let below = plain.gradient(parameters, rows: rows, labels: labels).loss
            parameters[j] = x
            #expect(abs((above - below) / 2e-6 - gradient[j]) < 1e-7)
        }
    }

    @Test(arguments: cases) func `predictions are the plain scores, with or without labels`(_ test: Case) throws {
        let model = try test.model()
        let sample = DenseSample(for: model, rowCount: 7)
        let parameters = Self.parameters(model.parameterCount)
        let workspace = try model.makeWorkspace(maximumRows: 3)
        var predictions = [Float](repeating: 0, count: 6 * model.outputs)
        sample.withRows { rows in
            let unlabelled = LabelledRows(
                values: rows.values, rowCount: rows.rowCount, width: rows.width, stride: rows.stride, labels: nil)
            var span = predictions.mutableSpan
            workspace.predict(at: parameters.span, for: unlabelled, in: 1..<7, into: &span)
        }
        let exact = parameters.map { Double($0) }
        let expected = (1..<7).flatMap { PlainPerceptron(model: model).scores(exact, sample.row($0)) }
        #expect(zip(predictions, expected).allSatisfy { abs(Double($0) - $1) < 4e-6 })
    }

    @Test func `the same seed gives the same start, within the limits of He and Glorot`() throws {
        let model = try MultilayerPerceptron(inputs: 30, hidden: [20, 10], outputs: 3, loss: .softmax)
        let start = model.initialParameters(seed: 7)
        #expect(start == model.initialParameters(seed: 7) && start != model.initialParameters(seed: 8))
        // Exact arithmetic on draws of a counter-based stream: the same bits everywhere.
        #expect(start[0].bitPattern == 3_185_313_106)
        let first = start[..<600].map { abs($0) }.max()!
        let he = Float(0.2).squareRoot()
        #expect(first <= he && first > 0.95 * he)
        #expect(start[600..<620].allSatisfy { $0 == 0 })
        #expect(start[830..<860].map { abs($0) }.max()! <= (6 / Float(13)).squareRoot())
        let mean = start[..<600].reduce(0.0) { $0 + Double($1) } / 600
        // 4 standard errors of a uniform variable with this limit.
        #expect(abs(mean) < 4 * (0.2 / 3 / 600).squareRoot())
        let convex = try MultilayerPerceptron(inputs: 3, outputs: 2, loss: .softmax)
        #expect(convex.initialParameters(seed: 7) == [Float](repeating: 0, count: 8))
    }

    @Test func `models and rows that cannot be are refused`() throws {
        #expect(throws: InputError.self) { try MultilayerPerceptron(inputs: 0, outputs: 2, loss: .squared) }
        #expect(throws: InputError.self) { try MultilayerPerceptron(inputs: 3, outputs: 1, loss: .softmax) }
        #expect(throws: InputError.self) { try MultilayerPerceptron(inputs: 3, outputs: 1, loss: .squared, l2: -1) }
        let huge = Int(Int32.max)
        #expect(throws: InputError.self) {
            try MultilayerPerceptron(inputs: huge, hidden: [huge, huge], outputs: 1, loss: .squared)
        }
        let model = try MultilayerPerceptron(inputs: 2, outputs: 3, loss: .softmax)
        let regression = try MultilayerPerceptron(inputs: 2, outputs: 1, loss: .squared)
        func refusal(_ labels: [Float], width: Int = 2, of model: MultilayerPerceptron) -> String? {
            let values = [Float](repeating: 0, count: 16)
            do {
                try values.withUnsafeBufferPointer { values in
                    try labels.withUnsafeBufferPointer { labels in
                        try model.check(
                            LabelledRows(
                                values: values.baseAddress!, rowCount: labels.count, width: width,
                                labels: labels.baseAddress!), name: "d")
                    }
                }
                return nil
            } catch { return "\(error)" }
        }
        #expect(refusal([0, 2, 1], of: model) == nil && refusal([0, -7.5], of: regression) == nil)
        #expect(refusal([0, 3], of: model) == "d, row 2: found the label 3.0, expected a class, 0 to 2")
        for label in [-1, 0.5, .nan, .infinity] as [Float] { #expect(refusal([label], of: model) != nil) }
        #expect(refusal([.nan], of: regression) == "d, row 1: found the label nan, expected a finite number")
        #expect(refusal([0], width: 3, of: model) == "d: found 3 features, expected 2, as the model has")
    }
}
