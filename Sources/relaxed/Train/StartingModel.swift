// The saved model that `train` starts from, and whether it fits what is to be learned. On the main thread.

import Datasets
import Objectives
import Platform

/// A model of an earlier run, or of another program, as `predict` reads it.
struct StartingModel {
    let path: String
    private let model: SavedModel

    /// Reads it; throws where rows of the format of `input` are none that it takes.
    init(_ path: String, for input: DataInput) throws(InputError) {
        self.path = path
        model = try SavedModel(contentsOf: path)
        if (dense != nil) != input.format.isDense {
            throw InputError(
                at: place, found: dense == nil ? "a linear model of sparse rows" : "a model of dense rows",
                expected:
                    "one of \(input.format.isDense ? "dense" : "sparse") rows, as data in the format \(input.format.rawValue) are"
            )
        }
    }

    private var place: String { "--model-in \(path)" }

    var linear: LinearModel? { if case .linear(let model) = model { model } else { nil } }
    var dense: DenseModel? { if case .dense(let model) = model { model } else { nil } }

    /// In the order of the parameters that are trained.
    var parameters: [Float] {
        switch model {
        case .linear(let model): model.weights + (model.intercept.map { [$0] } ?? [])
        case .dense(let model): model.parameters
        }
    }

    /// Throws where options say that something else is learned; `objective` is that of sparse rows.
    func check(
        _ objective: LinearObjective?, _ run: RunArguments, _ arguments: DenseTrainingArguments
    ) throws(InputError) {
        func require(_ condition: Bool, _ found: String, _ expected: String) throws(InputError) {
            if !condition { throw InputError(at: place, found: found, expected: expected) }
        }
        switch model {
        case .linear(let model):
            guard let objective else { return }
            try require(
                model.loss == objective.loss, "a model of the \(model.loss.rawValue) loss",
                "\(objective.loss.rawValue), as --objective says")
            try require(
                (model.intercept != nil) == objective.intercept,
                model.intercept == nil ? "a model without an intercept" : "a model with an intercept",
                objective.intercept ? "one, as --intercept says" : "none, as --no-intercept says")
        case .dense(let model):
            let (hidden, activation) = try run.layers(like: model.network)
            let loss = try run.training.outputLoss() ?? model.network.loss
            try require(
                model.network.loss == loss, "a model of the \(model.network.loss.rawValue) loss",
                "\(loss.rawValue), as --objective says")
            let own = model.network.hidden.map(String.init).joined(separator: ",")
            try require(
                model.network.hidden == hidden,
                own.isEmpty ? "a model without hidden layers" : "a model with hidden layers of the widths \(own)",
                "\(run.hidden ?? ""), as --hidden says")
            try require(
                hidden.isEmpty || model.network.activation == activation,
                "a model with \(model.network.activation.rawValue)", "\(activation.rawValue), as --activation says")
            if arguments.standardise != nil {
                throw InputError(
                    at: "--standardise", found: "it beside --model-in", expected: "the model's own scales")
            }
        }
    }

    /// Throws where the rows have other columns or outputs than the model; that they have its classes was seen when they were read.
    func check(_ rows: TrainingRows) throws(InputError) {
        switch (model, rows) {
        case (.linear(let model), .sparse(let rows)):
            let (own, found) = (model.weights.count, rows.train.featureCount)
            if own == found { return }
            throw InputError(at: place, found: "a model of \(own) features", expected: "\(found), as the data have")
        case (.dense(let model), .dense(let rows)):
            let (own, found) = (model.network, rows.network)
            if (own.inputs, own.outputs) == (found.inputs, found.outputs) { return }
            throw InputError(
                at: place, found: "a model of \(own.inputs) inputs and \(own.outputs) outputs",
                expected: "\(found.inputs) and \(found.outputs), as the data have")
        default: preconditionFailure("a model of another kind than the rows")
        }
    }
}
