import Foundation
import Testing

/// The record of `relaxed predict`.
struct Scores: Decodable {
    struct Evaluation: Decodable {
        let loss: Double
        let accuracy: Double?
        let auc: Double?
        let r2: Double?
    }

    let schema: Int
    let rows: Int
    let evaluation: Evaluation
}

/// Saved models and what is made of them, here and by LIBLINEAR.
struct PredictTests {
    private static let libLinear = "/usr/bin/liblinear-predict"

    private static let objectives = [
        ("logistic", "-1"), ("logistic --no-intercept", "-1"), ("hinge", "-1"), ("logistic", "0"),
    ]

    @Test(arguments: objectives)
    func `a saved model scores as its record says`(objective: String, negative: String) throws {
        _ = try predicted(objective, negative)
    }

    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: libLinear), "liblinear-predict is not installed"),
        arguments: objectives)
    func `LIBLINEAR predicts the same from a saved model`(objective: String, negative: String) throws {
        let (workspace, right) = try predicted(objective, negative)
        let peer = try workspace.run(URL(fileURLWithPath: Self.libLinear), ["test", "model", "peer"], input: nil)
        #expect(peer.code == 0 && peer.output.contains("(\(right)/200)"))
        #expect(try workspace.text("peer") == workspace.text("labels"))
    }

    /// Trains, predicts, and counts the rows whose label was found.
    private func predicted(_ objective: String, _ negative: String) throws -> (workspace: Workspace, right: Int) {
        let workspace = try Workspace()
        try workspace.write("train", sampleRows(300, negative: negative))
        try workspace.write("test", sampleRows(200, seed: 8, negative: negative))
        let training = try workspace.relaxed(
            "train train --test test --objective \(objective) --algorithm hogwild --workers 2 --model-out model --json -"
        )
        let last = try #require(try decode(Record.self, training.output).points.last)
        let prediction = try workspace.relaxed("predict model test --out labels --json -")
        #expect(prediction.code == 0)
        let scores: Scores = try decode(prediction.output)
        #expect(scores.schema == 1 && scores.rows == 200)
        #expect(scores.evaluation.accuracy == last.accuracy && scores.evaluation.auc == last.auc)
        #expect(abs(scores.evaluation.loss - (last.loss ?? 0)) < 1e-6)

        let labels = try workspace.text("labels").split(separator: "\n")
        let truth = try workspace.text("test").split(separator: "\n").map { $0.prefix { $0 != " " } }
        let right = zip(labels, truth).count { Int($0) == Int($1) }
        #expect(labels.count == 200 && Double(right) / 200 == last.accuracy)
        return (workspace, right)
    }

    @Test func `scores, probabilities and labels are one line per row`() throws {
        let workspace = try Workspace()
        try workspace.write(
            "model", "solver_type L2R_LR\nnr_class 2\nlabel 4 9\nnr_feature 2\nbias 1\nw\n2\n-1\n0.5\n")
        // The third row has a feature that the model lacks: it counts as 0.
        try workspace.write("data", "4 1:1\n9 2:2\n9 2:0.5 3:7\n")
        func lines(_ form: String) throws -> [Substring] {
            let outcome = try workspace.relaxed("predict model data --write \(form) --out -")
            #expect(outcome.code == 0)
            return outcome.output.split(separator: "\n")
        }
        #expect(try lines("scores") == ["2.5", "-1.5", "0.0"])
        #expect(try lines("labels") == ["4", "9", "9"])
        let expected = [2.5, -1.5, 0].map { 1 / (1 + exp(-$0)) }
        for (line, value) in zip(try lines("probabilities"), expected) {
            #expect(abs((Double(line) ?? 0) - value) < 1e-6)
        }
        let scores: Scores = try decode(workspace.relaxed("predict model data --json -").output)
        #expect(scores.evaluation.accuracy == 1)
    }

    @Test func `rows with other labels than the model's are scored, but not evaluated`() throws {
        let workspace = try Workspace()
        try workspace.write(
            "model", "solver_type L2R_LR\nnr_class 2\nlabel 4 9\nnr_feature 2\nbias 1\nw\n2\n-1\n0.5\n")
        for labels in [[0, 0], [4, 7]] {
            try workspace.write("data", "\(labels[0]) 1:1\n\(labels[1]) 2:2\n")
            let refused = try workspace.relaxed("predict model data")
            #expect(refused.code == 2 && refused.errorLines.count == 1)
            #expect(refused.errors.hasSuffix("expected the model's labels 4 and 9\n"))
            let scored = try workspace.relaxed("predict model data --out - --json record")
            #expect(scored.code == 0 && scored.output == "4\n9\n")
            #expect(scored.errorLines.count == 1 && scored.errors.hasPrefix("note: data: found labels"))
            #expect(try !workspace.text("record").contains("evaluation"))
        }
        // One class alone is enough.
        try workspace.write("data", "9 2:2\n")
        let scores: Scores = try decode(workspace.relaxed("predict model data --json -").output)
        #expect(scores.evaluation.accuracy == 1)
    }

    @Test func `a regression model predicts values`() throws {
        let workspace = try Workspace()
        try workspace.write("data", regressionRows(70))
        let training = try workspace.relaxed(
            "train data --objective squared --algorithm sgd --step-size 0.3 --epochs 20 --model-out model --quiet")
        #expect(training.code == 0)
        let prediction = try workspace.relaxed("predict model data --out values --json -")
        #expect((try decode(Scores.self, prediction.output).evaluation.r2 ?? 0) > 0.99)
        let values = try workspace.text("values").split(separator: "\n").compactMap { Double($0) }
        #expect(values.count == 70 && abs(values[0] - 1) < 0.05)
    }
}
