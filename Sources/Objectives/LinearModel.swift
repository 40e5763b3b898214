// A trained linear model and its file, in LIBLINEAR's text format, which liblinear-predict reads. Any thread.

public import Datasets
public import Platform

/// A linear model: weights, an intercept, the loss it was trained for and the names of its two classes.
public struct LinearModel: Sendable, Equatable {
    public var loss: LossKind
    /// One weight per feature.
    public var weights: [Float]
    /// b, or nil for a model without one.
    public var intercept: Float?
    /// The labels that a positive and a negative score stand for; ignored for regression.
    public var positiveLabel: Label
    public var negativeLabel: Label

    public init(
        loss: LossKind, weights: [Float], intercept: Float?, positiveLabel: Label = 1, negativeLabel: Label = -1
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

    /// Whether a label is a whole number of at most 64 bits.
    static func isLabel(_ label: Label) -> Bool { label.isWhole && label.value.magnitude <= 0x1p64 }

    /// The text of the file. LIBLINEAR's labels are integers (of 32 bits where its own programs read them); others are refused.
    public func libLinearText() throws(InputError) -> String {
        for label in [positiveLabel, negativeLabel] where loss.isClassification && !Self.isLabel(label) {
            throw InputError(at: "the model", found: "the label \(label.text)", expected: "whole numbers as labels")
        }
        var text = "solver_type \(Self.solvers[loss]!)\nnr_class 2\n"
        if loss.isClassification { text += "label \(positiveLabel.text) \(negativeLabel.text)\n" }
        text += "nr_feature \(weights.count)\nbias \(intercept == nil ? -1 : 1)\nw\n"
        text.reserveCapacity(text.utf8.count + 14 * weights.count)
        // NaN without a sign, which LIBLINEAR's reader takes.
        for weight in weights + (intercept.map { [$0] } ?? []) { text += weight.isNaN ? "nan \n" : "\(weight) \n" }
        return text
    }
}
