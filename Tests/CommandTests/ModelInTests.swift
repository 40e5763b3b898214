import Foundation
import Testing

/// `relaxed train --model-in`: training goes on from a saved model.
struct ModelInTests {
    private struct Run: Decodable {
        let points: [Record.Point]
        let modelIn: String?
        let status: String
    }

    private let workspace = try! Workspace()

    private func run(_ line: String) throws -> Run {
        let outcome = try workspace.relaxed("train \(line) --json -")
        #expect(outcome.code == 0, "\(line): \(outcome.errors)")
        return try decode(outcome.output)
    }

    @Test(arguments: [
        "gd", "sgd", "minibatch-sgd", "asgd --workers 2", "hogwild --workers 2", "gradient-aggregation --workers 2",
        "model-aggregation --workers 2", "global-replica --workers 2 --clock virtual --compute 1ms",
        "csgd --workers 2", "ec-sgd --workers 2", "ssp:bound=0 --workers 2", "ringmaster-asgd:bound=1 --workers 2",
        "rennala-sgd --workers 2", "dc-asgd:adaptive=yes --workers 2",
    ])
    func `a run that goes on from a model starts at its loss`(algorithm: String) throws {
        try workspace.write("data", sampleRows(200))
        let converged = try run("data --algorithm gd --epochs 300 --model-out model")
        let batch = ["gd", "sgd"].contains(algorithm) ? "" : "--batch-size 10"
        let continued = try run("data --algorithm \(algorithm) \(batch) --epochs 1 --model-in model")
        let loss = try #require(converged.points.last?.loss)
        #expect(loss < 0.5 && continued.points[0].loss == loss && converged.points[0].loss != loss)
        #expect(continued.modelIn == "model" && converged.modelIn == nil)
        // It was not thrown away by the first updates either.
        #expect((continued.points.last?.loss ?? 1) < loss + 0.1)
    }

    @Test func `gradient descent in two runs is that of one`() throws {
        try workspace.write("data", sampleRows(100, negative: "0"))
        let options = "data --algorithm gd --step-size 0.5"
        let whole = try run("\(options) --epochs 6")
        _ = try run("\(options) --epochs 3 --model-out model")
        let rest = try run("\(options) --epochs 3 --model-in model --model-out model")
        for (point, reference) in zip(rest.points, whole.points.dropFirst(3)) {
            #expect(abs((point.loss ?? 1) - (reference.loss ?? 0)) < 1e-7)
        }
        #expect(rest.points.count == 4)
    }

    @Test func `what is not said is as in the model`() throws {
        try workspace.write("classes", sampleRows(80, negative: "7").replacing("+1 ", with: "3 "))
        try workspace.write("real", regressionRows(70))
        let hinge = try run(
            "classes --positive 3 --algorithm gd --objective hinge --no-intercept --epochs 50 --model-out hinge")
        #expect(
            try run("classes --positive 3 --algorithm sgd --epochs 1 --model-in hinge").points[0].loss
                == hinge.points.last?.loss)
        let squared = try run("real --algorithm gd --objective squared --epochs 50 --model-out squared")
        #expect(
            try run("real --algorithm sgd --epochs 1 --model-in squared").points[0].loss == squared.points.last?.loss)
        // Of another program: its labels name the classes.
        try workspace.write(
            "other",
            "solver_type L2R_LR\nnr_class 2\nlabel 7 3\nnr_feature 20\nbias -1\nw\n"
                + (1...20).map { "\($0)e-2\n" }.joined())
        let other = try run("classes --algorithm sgd --epochs 1 --model-in other")
        let scores: Scores = try decode(workspace.relaxed("predict other classes --json -").output)
        #expect(abs((other.points[0].loss ?? 0) - scores.evaluation.loss) < 1e-12)
    }

    @Test(arguments: [
        "--label class --ignore price", "--label price --ignore class",
        "--label class --ignore price --hidden 5,4 --activation tanh",
    ])
    func `a network goes on with its own scales, on other rows too`(options: String) throws {
        try workspace.write("data.csv", tableRows(100))
        try workspace.write("more.csv", tableRows(140))
        let algorithm = "--algorithm gradient-aggregation --workers 2 --batch-size 10"
        let first = try run("data.csv \(options) \(algorithm) --epochs 10 --model-out model")
        #expect(try run("data.csv \(algorithm) --epochs 1 --model-in model").points[0].loss == first.points.last?.loss)
        let scores: Scores = try decode(workspace.relaxed("predict model more.csv --json -").output)
        let more = try run("more.csv \(algorithm) --epochs 10 --model-in model --model-out model")
        #expect(abs((more.points[0].loss ?? 0) - scores.evaluation.loss) < 1e-6)
        #expect((more.points.last?.loss ?? 1) < (more.points[0].loss ?? 0))
        let again: Scores = try decode(workspace.relaxed("predict model more.csv --json -").output)
        #expect(abs(again.evaluation.loss - (more.points.last?.loss ?? 0)) < 1e-6)
    }

    @Test func `a model that does not fit is refused before training`() throws {
        try workspace.write("data", sampleRows(40))
        try workspace.write("wide", sampleRows(40) + "1 21:1\n")
        try workspace.write("groups", sampleRows(40, negative: "2"))
        try workspace.write("data.csv", tableRows(40))
        try workspace.write("other.csv", tableRows(40).replacing("cheap", with: "free"))
        _ = try run("data --algorithm sgd --epochs 1 --model-out linear")
        _ = try run(
            "data.csv --label class --ignore price --hidden 3 --algorithm csgd --batch-size 4 --workers 1 "
                + "--epochs 1 --model-out network")
        for (words, fragments) in [
            ("wide --model-in linear", ["--model-in linear: found a model of 20 features, expected 21"]),
            ("groups --model-in linear", ["groups: found labels 1, 2, expected the model's labels 1 and -1"]),
            ("data --model-in linear --objective hinge", ["found a model of the logistic loss, expected hinge"]),
            ("data --model-in linear --no-intercept", ["found a model with an intercept, expected none"]),
            ("data --model-in network", ["--model-in network: found a model of dense rows", "libsvm"]),
            ("data --model-in data", ["data:1: "]), ("data --model-in nosuch", ["nosuch: found no such file"]),
            ("data --model-in linear --gradient-out linear", ["--gradient-out linear: found the file of --model-in"]),
            ("- --model-in -", ["--model-in -: found data from there, too"]),
        ] {
            try expectRefusal("train \(words) --algorithm sgd --json record.json", in: workspace, fragments)
        }
        for (words, fragments) in [
            ("data.csv --model-in linear", ["--model-in linear: found a linear model of sparse rows"]),
            ("data.csv --model-in network --hidden 4", ["hidden layers of the widths 3, expected 4, as --hidden"]),
            ("data.csv --model-in network --activation tanh", ["found a model with relu, expected tanh"]),
            (
                "data.csv --model-in network --objective squared",
                ["found a model of the softmax loss, expected squared"]
            ),
            ("data.csv --model-in network --standardise all", ["--standardise: found it beside --model-in"]),
            ("other.csv --model-in network", ["other.csv", "\"free\""]),
        ] {
            try expectRefusal("train \(words) --algorithm csgd --json record.json", in: workspace, fragments)
        }
    }
}
