// A trained linear model and its file, in LIBLINEAR's text format, which liblinear-predict reads. Any thread.

internal import Foundation
public import Platform

/// A linear model: weights, an intercept, the loss it was trained for and the names of its two classes.
public struct LinearModel: Sendable, Equatable {
    public var loss: LossKind
    /// One weight per feature.
    public var weights: [Float]
    /// b, or nil for a model without one.
    public var intercept: Float?
    /// The labels that a positive and a negative score stand for; ignored for regression.
    public var positiveLabel: Float
    public var negativeLabel: Float

    public init(
        loss: LossKind, weights: [Float], intercept: Float?, positiveLabel: Float = 1, negativeLabel: Float = -1
    ) {
        self.loss = loss
        self.weights = weights
        self.intercept = intercept
        self.positiveLabel = positiveLabel
        self.negativeLabel = negativeLabel
    }

    /// The LIBLINEAR solver whose predictions this loss shares.
    private static let solvers: [LossKind: String] = [
        .logistic: "L2R_LR", .hinge: "L2R_L1LOSS_SVC_DUAL", .squared: "L2R_L2LOSS_SVR",
    ]

    /// The text of the file. LIBLINEAR's labels are integers; other labels are refused.
    public func libLinearText() throws(InputError) -> String {
        func integer(_ label: Float) throws(InputError) -> Int {
            guard let whole = Int(exactly: label) else {
                throw InputError(at: "the model", found: "the label \(label)", expected: "whole numbers as labels")
            }
            return whole
        }
        var text = "solver_type \(Self.solvers[loss]!)\nnr_class 2\n"
        if loss.isClassification { text += "label \(try integer(positiveLabel)) \(try integer(negativeLabel))\n" }
        text += "nr_feature \(weights.count)\nbias \(intercept == nil ? -1 : 1)\nw\n"
        text.reserveCapacity(text.utf8.count + 14 * weights.count)
        // NaN without a sign, which LIBLINEAR's reader takes.
        for weight in weights + (intercept.map { [$0] } ?? []) { text += weight.isNaN ? "nan \n" : "\(weight) \n" }
        return text
    }

    /// Reads a model that LIBLINEAR or this project wrote: two classes or a regression.
    public init(contentsOf path: String) throws(InputError) {
        guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8)
        else {
            throw InputError(at: path, found: "no file that can be read", expected: "a model in LIBLINEAR's format")
        }
        try self.init(parsing: text, name: path)
    }

    /// Reads the text of a model file; `name` is used in errors.
    public init(parsing text: String, name: String) throws(InputError) {
        var header: [Substring: Substring] = [:]
        var weights: [Float] = []
        var inWeights = false
        for (number, rawLine) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = rawLine.split(whereSeparator: \.isWhitespace)
            if line.isEmpty { continue }
            func refuse(_ expected: String) -> InputError {
                InputError(at: "\(name):\(number + 1)", found: "\"\(rawLine.prefix(40))\"", expected: expected)
            }
            if inWeights {
                guard line.count == 1, let weight = Float(line[0]) else { throw refuse("one weight") }
                weights.append(weight)
            } else if line[0] == "w" {
                inWeights = true
            } else {
                guard line.count >= 2, header.updateValue(rawLine.drop { !$0.isWhitespace }, forKey: line[0]) == nil,
                    ["solver_type", "nr_class", "label", "nr_feature", "bias"].contains(line[0])
                else { throw refuse("a header line of a model in LIBLINEAR's format") }
            }
        }
        func field(_ key: Substring) throws(InputError) -> [Substring] {
            guard let value = header[key] else {
                throw InputError(at: name, found: "no line \(key)", expected: "a model in LIBLINEAR's format")
            }
            return value.split(whereSeparator: \.isWhitespace)
        }
        func number(_ key: Substring) throws(InputError) -> Double {
            let value = try field(key)
            guard value.count == 1, let number = Double(value[0]), number.isFinite else {
                throw InputError(at: name, found: "\(key) \(value.joined(separator: " "))", expected: "one number")
            }
            return number
        }
        let solver = try field("solver_type")[0]
        if solver.hasSuffix("SVR") || solver.contains("SVR_") {
            loss = .squared
        } else {
            loss = solver.contains("LR") && !solver.contains("SVC") ? .logistic : .hinge
        }
        guard try number("nr_class") == 2 else {
            throw InputError(
                at: name, found: "nr_class \(try field("nr_class")[0])", expected: "a model of two classes")
        }
        positiveLabel = 1
        negativeLabel = -1
        if loss.isClassification {
            let labels = try field("label")
            guard labels.count == 2, let positive = Float(labels[0]), let negative = Float(labels[1]) else {
                throw InputError(at: name, found: "label \(labels.joined(separator: " "))", expected: "two labels")
            }
            positiveLabel = positive
            negativeLabel = negative
        }
        let features = Int(exactly: try number("nr_feature")) ?? -1
        let bias = try number("bias")
        let expected = features + (bias >= 0 ? 1 : 0)
        guard features >= 0, weights.count == expected else {
            throw InputError(
                at: name, found: "\(weights.count) weights", expected: "\(expected), as nr_feature and bias say")
        }
        intercept = bias >= 0 ? weights.removeLast() * Float(bias) : nil
        self.weights = weights
    }
}
