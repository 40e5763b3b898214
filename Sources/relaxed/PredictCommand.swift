// `relaxed predict`: scores rows with a saved model.

import ArgumentParser
import Datasets
import Kernels
import Objectives
import Platform
import Reporting

struct PredictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "Scores data with a saved model, of this project or of LIBLINEAR.")

    /// What is written for each row.
    enum Form: String, CaseIterable, ExpressibleByArgument {
        /// The predicted label, or for regression the predicted value.
        case labels
        /// <w, x> + b.
        case scores
        /// The probability of the positive label; for logistic models.
        case probabilities
    }

    @Argument(help: .init("A model in LIBLINEAR's text format.", valueName: "model"))
    var model: String

    @Argument(help: .init("Rows to score, as `train` takes them.", valueName: "data"))
    var data: String

    @Option(
        parsing: .unconditional,
        help: .init("Labels of the positive class in the data; the rest is negative.", valueName: "labels"))
    var positive: String?

    @Option(
        name: .customLong("out"),
        help: .init("Write one line per row to this file, or - for standard output.", valueName: "file"))
    var outputPath: String?

    @Option(help: "What the lines say: labels, scores or probabilities.")
    var write = Form.labels

    @Option(parsing: .unconditional, help: .init("Workers; by default one per usable core.", valueName: "count"))
    var workers: Int?

    @OptionGroup var output: OutputArguments

    func run() throws {
        try output.check()
        if let outputPath { try AtomicFile.check(outputPath, option: "--out") }
        let model = try LinearModel(contentsOf: model)
        if write == .probabilities && model.loss != .logistic {
            throw InputError(
                at: "--write", found: "probabilities for a \(model.loss.rawValue) model", expected: "labels or scores")
        }
        let topology = try Topology.ofThisMachine()
        let placement = try Placement(.physicalFirst, workers: workers ?? topology.usableCoreCount, on: topology)
        let team = try WorkerTeam(placement: placement)
        var rows = try LIBSVMReader(team: team).read(data).dataset
        if model.loss.isClassification { rows = try rows.binary(positive: rule(for: model)) }

        let objective = LinearObjective(loss: model.loss, intercept: model.intercept != nil)
        let evaluator = try LinearEvaluator(data: rows, objective: objective, features: model.weights.count)
        let figures = evaluator.evaluate(try SharedParameters(model), team: team)
        if let outputPath {
            var text = ""
            for score in evaluator.predictions { text += line(score, model) + "\n" }
            try AtomicFile.write(text, to: outputPath, option: "--out")
        }
        if output.showsTables && outputPath != "-" {
            var table = TextTable([.text("rows"), .number(Quantity.grouped(rows.rowCount))])
            table.append([objective.loss.rawValue + " loss", Quantity.fixed(figures.loss, decimals: 5)])
            if let accuracy = figures.accuracy { table.append(["accuracy", Quantity.fixed(accuracy, decimals: 5)]) }
            if let auc = figures.auc { table.append(["AUC", Quantity.fixed(auc, decimals: 5)]) }
            if let r2 = figures.r2 { table.append(["R2", Quantity.fixed(r2, decimals: 5)]) }
            print(table.rendered(), terminator: "")
        }
        if let json = output.json {
            let body = Scores(model: self.model, data: data, rows: rows.rowCount, evaluation: figures)
            try JSONOutput.write(HeadedRecord(environment: RunEnvironment(seed: nil), body: body), to: json)
        }
    }

    /// How the labels of the data map to the classes of the model.
    private func rule(for model: LinearModel) throws(InputError) -> PositiveRule {
        if let positive { return try PositiveRule(parsing: positive) }
        let isConventional = model.positiveLabel == 1 && (model.negativeLabel == -1 || model.negativeLabel == 0)
        return isConventional ? .conventional : .labels([model.positiveLabel])
    }

    private func line(_ score: Float, _ model: LinearModel) -> String {
        switch write {
        case .scores: return "\(score)"
        case .probabilities: return "\(sigmoid(Double(score)))"
        case .labels:
            guard model.loss.isClassification else { return "\(score)" }
            let label = score > 0 ? model.positiveLabel : model.negativeLabel
            return label == label.rounded() ? "\(Int(label))" : "\(label)"
        }
    }
}

private struct Scores: Encodable {
    let model: String
    let data: String
    let rows: Int
    let evaluation: Evaluation
}
