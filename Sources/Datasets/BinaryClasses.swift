// What the two classes of a binary objective stand for in the file, and the mapping of labels to -1 and +1. Any thread.

public import Platform

/// Which raw labels count as positive.
public enum PositiveRule: Sendable, Equatable {
    /// Labels must be among -1 and +1, or among 0 and 1.
    case conventional
    /// These labels against the rest, as in `--positive 2,3,4,5,6`.
    case labels([Float])

    /// Reads the value of `--positive`: labels between commas.
    public init(parsing text: String) throws(InputError) {
        var labels: [Float] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let label = Float(part), label.isFinite else {
                throw InputError(
                    at: "--positive", found: "\"\(text)\"", expected: "labels between commas, such as 2,3,4")
            }
            labels.append(label)
        }
        self = .labels(labels)
    }
}

/// The raw labels that became +1 and -1.
public struct BinaryClasses: Sendable, Equatable {
    /// Raw labels of the positive class that occur, ascending.
    public let positive: [Float]
    /// Raw labels of the negative class that occur, ascending.
    public let negative: [Float]
    /// The pair of labels that a saved model names: the raw pair under the conventional naming, +1 and -1 for groups.
    public let modelLabels: (positive: Float, negative: Float)

    public static func == (a: BinaryClasses, b: BinaryClasses) -> Bool {
        a.positive == b.positive && a.negative == b.negative && a.modelLabels == b.modelLabels
    }
}

extension SparseDataset {
    /// The same rows with labels -1 and +1, sharing the nonzeros; drop the raw data set to free its labels.
    ///
    /// One class alone is allowed. Throws where the labels are not -1/+1 or 0/1 and no positive labels are named, or where no
    /// row has a label that is named positive.
    public func binary(positive rule: PositiveRule = .conventional) throws(InputError) -> SparseDataset {
        let classes = try binaryClasses(rule)
        let mapped = try PageBuffer<Float>(count: rowCount)
        unsafe mapPositive(classes.positive, from: labels.buffer.pointer, to: mapped.pointer)
        return withLabels(LabelPages(mapped), classes: classes)
    }

    private func binaryClasses(_ rule: PositiveRule) throws(InputError) -> BinaryClasses {
        let summary = labelSummary()
        guard case .distinct(let counts) = summary else {
            throw InputError(
                at: name, found: "labels \(summary.brief)", expected: "-1/+1 or 0/1, or --positive")
        }
        let found = counts.map(\.label)
        switch rule {
        case .conventional:
            let low: Float
            if found.allSatisfy({ $0 == -1 || $0 == 1 }) {
                low = -1
            } else if found.allSatisfy({ $0 == 0 || $0 == 1 }) {
                low = 0
            } else {
                throw InputError(
                    at: name, found: "labels \(summary.brief)", expected: "-1/+1 or 0/1, or --positive")
            }
            return BinaryClasses(
                positive: found.filter { $0 == 1 }, negative: found.filter { $0 != 1 }, modelLabels: (1, low))
        case .labels(let positive):
            let named = Set(positive)
            let classes = BinaryClasses(
                positive: found.filter(named.contains), negative: found.filter { !named.contains($0) },
                modelLabels: (1, -1))
            if classes.positive.isEmpty {
                throw InputError(
                    at: name, found: "labels \(summary.brief)",
                    expected: "at least one row of --positive \(positive.map(LabelSummary.text).joined(separator: ","))"
                )
            }
            return classes
        }
    }

    private func mapPositive(_ positive: [Float], from: UnsafePointer<Float>, to: UnsafeMutablePointer<Float>) {
        if positive.count == 1 {
            let label = positive[0]
            for r in 0..<rowCount { unsafe to[r] = from[r] == label ? 1 : -1 }
        } else {
            let set = Set(positive)
            for r in 0..<rowCount { unsafe to[r] = set.contains(from[r]) ? 1 : -1 }
        }
    }
}

extension LabelSummary {
    /// The labels in a few words, for error messages: `1, 2, 3`, or `1, 2, …, 20 (20 in all)`, or a range.
    var brief: String {
        switch self {
        case .distinct(let counts):
            let texts = counts.map { LabelSummary.text($0.label) }
            if texts.count <= 8 { return texts.joined(separator: ", ") }
            return texts.prefix(4).joined(separator: ", ") + ", …, \(texts[texts.count - 1]) (\(texts.count) in all)"
        case .real(let minimum, let maximum, _):
            return "from \(LabelSummary.text(minimum)) to \(LabelSummary.text(maximum)) (more than \(Self.limit))"
        }
    }
}
