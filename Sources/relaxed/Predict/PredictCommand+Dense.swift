// `relaxed predict` with a dense model: rows laid out and standardised as those that were learned from. The main thread.

import Datasets
import Glibc
import Objectives
import Platform

extension PredictCommand {
    func predict(_ input: DataInput, by model: DenseModel, _ form: Form, _ team: WorkerTeam) throws -> Prediction {
        if positive != nil {
            throw InputError(at: "--positive", found: "it beside a dense model", expected: "a binary model")
        }
        guard input.format.isDense else {
            throw InputError(
                at: data, found: "sparse rows, \(input.format.rawValue)",
                expected: "dense data with \(model.network.inputs) columns, as those that were learned from")
        }
        var options = try dense.options
        options.like = model.columns
        options.usualLabel = model.labelName
        let (labelled, hasTargets) = try targets(
            of: try DenseReader(team: team, options: options).read(input).dataset, for: model)
        let rows = try model.standardised(labelled)

        let evaluation = hasTargets ? try model.evaluate(rows, team: team) : nil
        var lines: [String] = []
        if outputPath != nil {
            let predictions = try model.predictions(for: rows, team: team)
            let width = model.network.outputs
            lines = (0..<rows.rowCount).map { line(predictions[$0 * width..<($0 + 1) * width], model, form) + "\n" }
        }
        let isSoftmax = model.network.loss == .softmax
        var error: Double?
        if let evaluation, !isSoftmax {
            // The loss is half of it, on targets in units of their scale.
            let scale = model.targetStandardisation?.scales[0] ?? 1
            error = 2 * evaluation.loss * scale * scale
        }
        return Prediction(
            rows: rows.rowCount, lossName: isSoftmax ? "log-loss" : "squared loss, standardised",
            evaluation: evaluation, meanSquaredError: error, classes: isSoftmax ? model.classNames : nil, lines: lines)
    }

    /// The rows with indices of the model's classes or with targets, or, where they are to be scored all the same, as they are.
    private func targets(
        of rows: DenseDataset, for model: DenseModel
    ) throws(InputError) -> (rows: DenseDataset, hasTargets: Bool) {
        do throws(InputError) {
            switch model.network.loss {
            case .softmax: return (try rows.classified(as: model.classNames), true)
            case .squared:
                guard model.network.outputs == 1 else {
                    throw InputError(
                        at: rows.name, found: "one label a row", expected: "\(model.network.outputs), as the model has")
                }
                return (try rows.measured(), true)
            }
        } catch {
            if outputPath == nil { throw error }
            output.note("\(error); scores without loss and \(model.network.loss == .softmax ? "accuracy" : "R2")")
            return (rows, false)
        }
    }

    private func line(_ scores: ArraySlice<Double>, _ model: DenseModel, _ form: Form) -> String {
        switch (form, model.network.loss) {
        case (.scores, _), (_, .squared): return scores.map(Self.text).joined(separator: " ")
        case (.labels, .softmax):
            let best = scores.indices.reduce(scores.startIndex) { scores[$1] > scores[$0] ? $1 : $0 }
            return model.classNames[best - scores.startIndex].printable
        case (.probabilities, .softmax):
            let largest = scores.max() ?? 0
            let powers = scores.map { exp($0 - largest) }
            let sum = powers.reduce(0, +)
            return powers.map { "\($0 / sum)" }.joined(separator: " ")
        }
    }

    /// With the digits of 32 bits where these hold the number.
    private static func text(_ score: Double) -> String {
        let narrow = Float(score)
        return Double(narrow) == score ? "\(narrow)" : "\(score)"
    }
}
