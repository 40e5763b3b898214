import Datasets
import Foundation
import Objectives
import Testing

/// `relaxed predict` with models of dense data.
struct DensePredictTests {
    private struct DenseScores: Decodable {
        let schema: Int
        let rows: Int
        let evaluation: Scores.Evaluation?
        let meanSquaredError: Double?
        let classes: [String]?
    }

    private let workspace = try! Workspace()

    private func save(_ model: DenseModel) throws {
        try model.write(to: workspace.folder.appendingPathComponent("model").path)
    }

    /// price = 100 (1 + 2 (x - 3) / 2 + 0.5 [kind = b]) + 50
    private func saveRegression() throws {
        try save(
            DenseModel(
                network: MultilayerPerceptron(inputs: 3, outputs: 1, loss: .squared), parameters: [2, 0, 0.5, 1],
                standardisation: Standardisation(offsets: [3, 0, 0], scales: [2, 1, 1], fills: [3, 0.5, 0.5]),
                targetStandardisation: Standardisation(offsets: [50], scales: [100]),
                columns: [
                    DenseColumn(name: "x"), DenseColumn(column: "kind", category: "a"),
                    DenseColumn(column: "kind", category: "b"),
                ], labelName: "price"))
    }

    /// Scores x0, 2 x1, 0.
    private func saveClassifier(_ names: [String]) throws {
        try save(
            DenseModel(
                network: MultilayerPerceptron(inputs: 2, outputs: 3, loss: .softmax),
                parameters: [1, 0, 0, 2, 0, 0, 0, 0, 0], classNames: names))
    }

    @Test func `a regression is judged in the unit of its targets, its columns found by name`() throws {
        try saveRegression()
        try workspace.write("data.csv", "kind,price,more,x\nb,200,u,3\na,160,v,\n,175,w,3\nnew,250,,4\n")
        let outcome = try workspace.relaxed("predict model data.csv --out values --json -")
        #expect(outcome.code == 0 && outcome.errors == "")
        #expect(try workspace.text("values") == "200.0\n150.0\n175.0\n250.0\n")
        let scores: DenseScores = try decode(outcome.output)
        #expect(scores.schema == 1 && scores.rows == 4 && scores.classes == nil)
        #expect(abs((scores.meanSquaredError ?? 0) - 25) < 1e-3)
        #expect(abs((scores.evaluation?.loss ?? 0) - 25 / 2e4) < 1e-6)
        let r2 = 1 - 100 / 4_668.75
        #expect(abs((scores.evaluation?.r2 ?? 0) - r2) < 1e-5)
        let table = try workspace.relaxed("predict model data.csv").output
        #expect(table.contains("mean squared error") && table.contains("R2"))
        let piped = try workspace.relaxed("predict model - --out -", input: workspace.text("data.csv"))
        #expect(piped.output == "200.0\n150.0\n175.0\n250.0\n")
    }

    @Test func `rows without labels are scored, but not judged`() throws {
        try saveRegression()
        try workspace.write("data.csv", "kind,x\nb,3\n")
        let refused = try workspace.relaxed("predict model data.csv")
        #expect(refused.code == 2 && refused.errorLines.count == 1)
        #expect(refused.errors.contains("data.csv: found rows without labels, expected --label"))
        let scored = try workspace.relaxed("predict model data.csv --out - --json record")
        #expect(scored.code == 0 && scored.output == "200.0\n" && scored.errorLines.count == 1)
        #expect(scored.errors.hasPrefix("note: data.csv: found rows without labels"))
        let scores: DenseScores = try decode(workspace.text("record"))
        #expect(scores.evaluation == nil && scores.meanSquaredError == nil && scores.rows == 1)
    }

    @Test func `a softmax names classes, and gives scores and probabilities in their order`() throws {
        try saveClassifier(["ankle boot", "bag", "7"])
        try workspace.write("data.csv", "class,x0,x1\nbag,1,2\n7,-1,-1\nankle boot,1,1\n")
        let outcome = try workspace.relaxed("predict model data.csv --label class --out labels --json -")
        #expect(outcome.code == 0)
        #expect(try workspace.text("labels") == "bag\n7\nbag\n")
        let scores: DenseScores = try decode(outcome.output)
        #expect(scores.classes == ["ankle boot", "bag", "7"] && scores.evaluation?.accuracy == 2.0 / 3)
        func lines(_ form: String) throws -> [[Double]] {
            let outcome = try workspace.relaxed("predict model data.csv --label class --write \(form) --out -")
            return outcome.output.split(separator: "\n").map { $0.split(separator: " ").compactMap { Double($0) } }
        }
        #expect(try lines("scores") == [[1, 4, 0], [-1, -2, 0], [1, 2, 0]])
        let rows = try lines("probabilities")
        let expected = [[1.0, 4, 0], [-1, -2, 0], [1, 2, 0]].map { row in
            row.map { exp($0) / row.reduce(0) { $0 + exp($1) } }
        }
        #expect(zip(rows.joined(), expected.joined()).allSatisfy { abs($0 - $1) < 1e-9 } && rows.count == 3)
        let logLoss = -(log(expected[0][1]) + log(expected[1][2]) + log(expected[2][0])) / 3
        #expect(abs((scores.evaluation?.loss ?? 0) - logLoss) < 1e-6)
        #expect(try workspace.relaxed("predict model data.csv --label class").output.contains("log-loss"))
    }

    @Test(arguments: [
        ("table.csv", "table.csv: found the columns x, price, expected a column \"kind\""),
        ("pixels.npy", "pixels.npy: found 2 columns, expected 3"), ("sparse", "sparse: found sparse rows"),
        ("text.csv", "text.csv:3: found \"z\", expected a number"), ("data.csv --positive 1", "--positive: found"),
        ("data.csv --write probabilities", "--write: found probabilities for a squared model"),
        ("data.csv --label y", "--label: found \"y\", expected one of the 3 columns"),
        ("data.csv --label kind", "--label: found \"kind\", which was learned from"),
        ("named.csv", "named.csv: found labels that are texts"), ("missing.csv", "missing.csv: found no such file"),
        ("ragged.csv", "ragged.csv:3: found 2 fields, expected 3"),
    ])
    func `what does not match the model is refused in one line`(words: String, expected: String) throws {
        try saveRegression()
        try workspace.write("data.csv", "x,kind,price\n1,a,3\n")
        try workspace.write("table.csv", "x,price\n1,2\n")
        try workspace.write("text.csv", "x,kind,price\n1,a,2\nz,b,3\n")
        try workspace.write("named.csv", "x,kind,price\n1,a,cheap\n")
        try workspace.write("ragged.csv", "x,kind,price\n1,a,3\n1,a\n")
        try workspace.write("sparse", "1 1:1\n")
        let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }"
        try workspace.write(
            "pixels.npy", [0x93] + "NUMPY".utf8 + [1, 0, UInt8(header.utf8.count), 0] + header.utf8 + [1, 2])
        let outcome = try workspace.relaxed("predict model \(words) --json record")
        #expect(outcome.code == 2 && outcome.output == "" && outcome.errorLines.count == 1)
        #expect(outcome.errors.hasPrefix("error: \(expected)"), "\(outcome.errors)")
        #expect(try !workspace.files().contains("record"))
    }

    @Test func `a class that the model lacks, and dense data for a sparse model, are refused`() throws {
        try saveClassifier(["1", "2", "3"])
        try workspace.write("data.csv", "1,1,2\n4,1,2\n")
        let outcome = try workspace.relaxed("predict model data.csv --label 1")
        #expect(
            outcome.code == 2 && outcome.errors.contains("found label \"4\", expected one of the model's 3 classes"))
        try workspace.write("linear", "solver_type L2R_L2LOSS_SVR\nnr_class 2\nnr_feature 1\nbias -1\nw\n1\n")
        let other = try workspace.relaxed("predict linear data.csv")
        #expect(other.code == 2 && other.errors.hasPrefix("error: data.csv: found data in the format csv"))
    }
}
