import Datasets
import Foundation
import Objectives
import Platform
import Testing

@Suite struct DensePredictionTests {
    /// Rows of three columns, one value missing, with labels that are the number of the row, modulo `classes` if given.
    private static func rows(_ count: Int, classes: Int? = nil) throws -> DenseDataset {
        try DenseDataset(
            columns: ["a", "b", "c"].map { DenseColumn(name: $0) },
            classNames: classes.map { (0..<$0).map { "class \($0)" } },
            rows: (0..<count).map { i in
                (Float(i % (classes ?? count)), [Float(i % 7) - 3, i == 5 ? .nan : Float(i % 5) / 2, Float(i) / 100])
            })
    }

    private static func model(_ loss: OutputLoss) throws -> DenseModel {
        let network = try MultilayerPerceptron(
            inputs: 3, hidden: [4], outputs: loss == .softmax ? 3 : 1, activation: .tanh, loss: loss)
        return DenseModel(
            network: network, parameters: PerceptronTests.parameters(network.parameterCount),
            standardisation: Standardisation(offsets: [1, 0.5, 0], scales: [2, 1, 4], fills: [0, 0.25, 0]),
            targetStandardisation: loss == .squared ? Standardisation(offsets: [300], scales: [100]) : nil)
    }

    @Test(arguments: OutputLoss.allCases)
    func `predictions are those of a plain network, whatever the number of workers`(loss: OutputLoss) throws {
        let model = try Self.model(loss)
        let rows = try Self.rows(600)
        let plain = PlainPerceptron(model: model.network)
        let expected = (0..<rows.rowCount).flatMap { r in
            var row = rows.values(ofRow: r)
            if row[1].isNaN { row[1] = 0.25 }
            let scaled = [(row[0] - 1) / 2, row[1] - 0.5, row[2] / 4]
            return plain.scores(model.parameters.map(Double.init), scaled).map {
                loss == .softmax ? $0 : 100 * $0 + 300
            }
        }
        let scaled = try model.standardised(rows)
        let predictions = try [1, 3].map { workers in
            try model.predictions(for: scaled, team: WorkerTeam(placement: .unpinned(workers: workers)))
        }
        #expect(predictions[0] == predictions[1] && predictions[0].count == expected.count)
        #expect(zip(predictions[0], expected).allSatisfy { abs(Double($0) - $1) <= 1e-5 * max(1, abs($1)) })
    }

    @Test func `figures are those of the predictions`() throws {
        let team = try WorkerTeam(placement: .unpinned(workers: 2))
        let rows = try Self.rows(30)
        let regression = try Self.model(.squared)
        let scaled = try regression.standardised(rows)
        let values = try regression.predictions(for: scaled, team: team)
        let evaluation = try regression.evaluate(scaled, team: team)
        let squares = zip(values, 0..<30).map { pow(Double($0) - Double($1), 2) }.reduce(0, +)
        let spread = (0..<30).map { pow(Double($0) - 14.5, 2) }.reduce(0, +)
        #expect(abs(2 * evaluation.loss * 100 * 100 / (squares / 30) - 1) < 1e-4)
        #expect(abs((evaluation.r2 ?? 0) / (1 - squares / spread) - 1) < 1e-4)

        let classifier = try Self.model(.softmax)
        let labelled = try classifier.standardised(Self.rows(30, classes: 3))
        let scores = try classifier.predictions(for: labelled, team: team)
        let right = (0..<30).count { r in scores[3 * r..<3 * r + 3].max() == scores[3 * r + r % 3] }
        #expect(try classifier.evaluate(labelled, team: team).accuracy == Double(right) / 30)
    }

    @Test func `rows of another width are refused`() throws {
        let narrow = try DenseDataset(columns: [DenseColumn(name: "a")], rows: [(0, [1])])
        var model = try Self.model(.squared)
        #expect(throws: InputError.self) { try model.standardised(narrow) }
        model.standardisation = nil
        #expect(throws: InputError.self) { try model.standardised(narrow) }
    }

    @Test func `the rows of a data set are seen with their labels, where there are any`() throws {
        let data = try Self.rows(2)
        withExtendedLifetime(data) {
            let rows = LabelledRows(data)
            #expect(rows.rowCount == 2 && rows.width == 3 && rows.stride == 3 && rows.labelsPerRow == 1)
            #expect(rows.values[3] == -2 && rows.labels?[1] == 1)
        }
    }

    @Test func `a model file is recognised by its first bytes`() throws {
        let path = NSTemporaryDirectory() + "relaxed-model-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: path) }
        let model = try Self.model(.softmax)
        try model.write(to: path)
        guard case .dense(model) = try SavedModel(contentsOf: path) else { return #expect(Bool(false)) }
        let linear = LinearModel(loss: .squared, weights: [1, 2], intercept: 0.5, positiveLabel: 1, negativeLabel: -1)
        try linear.libLinearText().write(toFile: path, atomically: true, encoding: .utf8)
        guard case .linear(linear) = try SavedModel(contentsOf: path) else { return #expect(Bool(false)) }
        for (bytes, expected) in [("x", "LIBLINEAR"), ("", "LIBLINEAR"), ("\u{9}\0\0\0\0\0\0\0{}", "safetensors")] {
            try Data(bytes.utf8).write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: InputError.self) { try SavedModel(contentsOf: path) }
            #expect(error?.expected.contains(expected) == true, "\(bytes)")
        }
    }
}
