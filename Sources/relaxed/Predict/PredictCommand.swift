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
        abstract: "Scores data with a saved model, of this project or of LIBLINEAR.",
        discussion: """
            Loss and accuracy need rows that have the model's labels; with --out, rows with any others are scored without \
            them. A table must have the columns that were learned from, in any order, by their names where it has a header; \
            without --label, its column called as that of the labels then has the labels.
            """)

    /// What is written for each row.
    enum Form: String, CaseIterable {
        /// The predicted label, or for regression the predicted value.
        case labels
        /// <w, x> + b; of a softmax the scores of all classes, in the order of the model.
        case scores
        /// The probability of the positive label; of a softmax those of all classes.
        case probabilities
    }

    @Argument(help: .init("A model that `train` saved, or one in LIBLINEAR's text format.", valueName: "model"))
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

    @Option(help: .init("What the lines say: labels, scores or probabilities.", valueName: "what"))
    var write = Form.labels.rawValue

    @Option(parsing: .unconditional, help: .init("Workers; by default one per usable core.", valueName: "count"))
    var workers: Int?

    @OptionGroup var dense: DenseArguments
    @OptionGroup var output: OutputArguments

    /// What is told about the rows.
    struct Prediction {
        let rows: Int
        let lossName: String
        /// nil where the labels are not the model's.
        let evaluation: Evaluation?
        /// In the square of the unit of the targets; for regression.
        var meanSquaredError: Double?
        /// Of a softmax, in the order of its scores.
        var classes: [String]?
        /// Nothing where there is no --out.
        let lines: [String]
    }

    func run() throws {
        try output.check()
        if let outputPath { try AtomicFile.check(outputPath, option: "--out") }
        let form: Form = try choice(named: write, at: "--write")
        let model = try SavedModel(contentsOf: model)
        if form == .probabilities, let loss = model.lossWithoutProbabilities {
            throw InputError(at: "--write", found: "probabilities for a \(loss) model", expected: "labels or scores")
        }
        let topology = try Topology.ofThisMachine()
        let placement = try Placement(.physicalFirst, workers: workers, on: topology)
        let input = try dense.open(data)
        let team = try WorkerTeam(placement: placement)
        let prediction =
            switch model {
            case .linear(let model): try predict(input, by: model, form, team)
            case .dense(let model): try predict(input, by: model, form, team)
            }
        if let outputPath {
            try AtomicFile.write(prediction.lines.joined(), to: outputPath, option: "--out")
        }
        if output.showsTables && outputPath != "-" { print(table(prediction).rendered(), terminator: "") }
        if let json = output.json {
            let body = Scores(
                model: self.model, data: data, rows: prediction.rows, evaluation: prediction.evaluation,
                meanSquaredError: prediction.meanSquaredError, classes: prediction.classes)
            try JSONOutput.write(HeadedRecord(environment: RunEnvironment(seed: nil), body: body), to: json)
        }
    }

    private func table(_ prediction: Prediction) -> TextTable {
        var table = TextTable([.text("rows"), .number(Quantity.grouped(prediction.rows))])
        let figures = prediction.evaluation
        for (name, figure) in [
            (prediction.lossName, figures?.loss), ("accuracy", figures?.accuracy), ("AUC", figures?.auc),
            ("R2", figures?.r2),
        ] {
            if let figure { table.append([name, Quantity.fixed(figure, decimals: 5)]) }
        }
        if let error = prediction.meanSquaredError {
            table.append(["mean squared error", Quantity.number(error, digits: 6)])
        }
        return table
    }

    private func predict(_ input: DataInput, by model: LinearModel, _ form: Form, _ team: WorkerTeam) throws
        -> Prediction
    {
        if input.format.isDense {
            throw InputError(
                at: data, found: "data in the format \(input.format.rawValue)",
                expected: "sparse rows, libsvm, as those that were learned from")
        }
        let rule = try rule(for: model)
        let raw = try DatasetFile(input.path, cache: .none).load(team: team, from: input).dataset
        let (rows, hasTargets) = try targets(of: raw, rule)
        let objective = LinearObjective(loss: model.loss, intercept: model.intercept != nil)
        let evaluator = try LinearEvaluator(data: rows, objective: objective, features: model.weights.count)
        let evaluation = evaluator.evaluate(try SharedParameters(model), team: team)
        return Prediction(
            rows: rows.rowCount, lossName: "\(model.loss.rawValue) loss", evaluation: hasTargets ? evaluation : nil,
            // The loss is half of it.
            meanSquaredError: hasTargets && model.loss == .squared ? 2 * evaluation.loss : nil,
            lines: outputPath == nil ? [] : evaluator.predictions.map { line($0, model, form) + "\n" })
    }

    /// How the labels of the data map to the classes of the model; nil for regression.
    private func rule(for model: LinearModel) throws(InputError) -> PositiveRule? {
        if !model.loss.isClassification { return nil }
        if let positive { return try PositiveRule(parsing: positive) }
        return .model(positive: model.positiveLabel, negative: model.negativeLabel)
    }

    /// The rows with their targets, or, where they are to be scored all the same, with labels that are none.
    private func targets(
        of rows: SparseDataset, _ rule: PositiveRule?
    ) throws(InputError) -> (rows: SparseDataset, hasTargets: Bool) {
        guard let rule else { return (rows, true) }
        do {
            return (try rows.binary(positive: rule), true)
        } catch {
            if outputPath == nil { throw error }
            output.note("\(error); scores without loss and accuracy")
            return (rows, false)
        }
    }

    private func line(_ score: Float, _ model: LinearModel, _ form: Form) -> String {
        switch form {
        case .scores: return "\(score)"
        case .probabilities: return "\(sigmoid(Double(score)))"
        case .labels:
            guard model.loss.isClassification else { return "\(score)" }
            let label = score > 0 ? model.positiveLabel : model.negativeLabel
            return label.text
        }
    }
}

extension SavedModel {
    /// The loss of a model that gives no probabilities; nil for one that does.
    fileprivate var lossWithoutProbabilities: String? {
        switch self {
        case .linear(let model): model.loss == .logistic ? nil : model.loss.rawValue
        case .dense(let model): model.network.loss == .softmax ? nil : model.network.loss.rawValue
        }
    }
}

private struct Scores: Encodable {
    let model: String
    let data: String
    let rows: Int
    /// Absent where the labels are not the model's.
    let evaluation: Evaluation?
    let meanSquaredError: Double?
    let classes: [String]?
}
