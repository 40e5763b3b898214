// How good a model is on some rows. Computed by all workers between training runs, never on the training clock.

internal import Kernels

/// Figures of one model on one set of rows.
public struct Evaluation: Sendable, Codable, Equatable {
    /// The mean loss over the rows, without the penalty.
    public var loss: Double
    /// The share of rows whose class is predicted; nil for regression.
    public var accuracy: Double?
    /// The area under the ROC curve, ties counted half; nil for regression and where one class is missing.
    public var auc: Double?
    /// 1 - (residual sum of squares) / (total sum of squares); nil for classification and where all targets are equal.
    public var r2: Double?
    /// How many rows these are the figures of, where they are a sample.
    public var sampledRows: Int?

    public init(loss: Double, accuracy: Double? = nil, auc: Double? = nil, r2: Double? = nil) {
        self.loss = loss
        self.accuracy = accuracy
        self.auc = auc
        self.r2 = r2
    }
}

/// What an evaluation computes: each costs a pass over the rows.
public struct EvaluationFigures: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Loss, and accuracy or R2, on the rows held out.
    public static let heldOut = EvaluationFigures(rawValue: 1)
    /// The mean loss on the training rows, and the others too where none are held out.
    public static let training = EvaluationFigures(rawValue: 2)
    /// The gradient of the objective over the training rows.
    public static let gradient = EvaluationFigures(rawValue: 4)
    /// AUC of the rows held out, or of the training rows where none are: it sorts all their scores.
    public static let auc = EvaluationFigures(rawValue: 8)
    /// What is computed on the training rows, but for the gradient, is computed on a sample of them, `SampledRows`.
    public static let sample = EvaluationFigures(rawValue: 16)
}

/// A sample of rows in their order: the first eighth of each of the parts in which an evaluation goes through them, up to 256. Rows
/// that stand in the order of their labels are sampled alike.
public enum SampledRows {
    /// One row of so many.
    public static let of = 8

    /// The first rows of `part`, at least one where it has any.
    static func head(of part: Range<Int>) -> Range<Int> {
        part.lowerBound..<part.lowerBound + (part.count + of - 1) / of
    }
}

/// The area under the ROC curve: the probability that a positive row scores above a negative one, ties counted half.
///
/// `scores` and `labels` (+1 or -1) have the same length; nil where a class is missing.
public func areaUnderROC(scores: some Sequence<Float>, labels: some Sequence<Float>) -> Double? {
    // One word per row: the score as an integer of the same order, then the class.
    var keys: [UInt64] = []
    keys.reserveCapacity(scores.underestimatedCount)
    var positives = 0
    for (score, label) in zip(scores, labels) {
        let bits = (score + 0).bitPattern  // + 0: -0 becomes 0
        let ordered = bits & 0x8000_0000 == 0 ? bits | 0x8000_0000 : ~bits
        keys.append(UInt64(ordered) << 1 | (label > 0 ? 1 : 0))
        positives += label > 0 ? 1 : 0
    }
    let negatives = keys.count - positives
    guard positives > 0 && negatives > 0 else { return nil }
    // As a model of zeros scores: all pairs tie.
    if keys.allSatisfy({ $0 >> 1 == keys[0] >> 1 }) { return 0.5 }
    sortByKey(&keys)
    // Mann-Whitney: negatives below each positive, plus half of those that tie with it.
    var twicePairs = 0.0
    var negativesBelow = 0
    var start = 0
    while start < keys.count {
        var end = start
        var tiedPositives = 0
        while end < keys.count && keys[end] >> 1 == keys[start] >> 1 {
            tiedPositives += Int(keys[end] & 1)
            end += 1
        }
        let tiedNegatives = end - start - tiedPositives
        twicePairs += Double(tiedPositives) * Double(2 * negativesBelow + tiedNegatives)
        negativesBelow += tiedNegatives
        start = end
    }
    return twicePairs / 2 / Double(positives) / Double(negatives)
}
