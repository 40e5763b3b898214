// What the two classes of a binary objective stand for in the file, and the mapping of labels to -1 and +1. Any thread.

public import Platform

/// Which raw labels count as positive.
public enum PositiveRule: Sendable, Equatable {
    /// Labels must be among -1 and +1, or among 0 and 1.
    case conventional
    /// These labels against the rest, as in `--positive 2,3,4,5,6`.
    case labels([Float])
    /// Labels must be the two of a model, or, where those are +1 and -1 or 1 and 0, conventional.
    case model(positive: Float, negative: Float)

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
    /// One class alone is allowed. Throws where the labels are none that the rule knows, or where no
    /// row has a label that is named positive.
    public func binary(positive rule: PositiveRule = .conventional) throws(InputError) -> SparseDataset {
        let classes = try binaryClasses(rule)
        let mapped = try PageBuffer<Float>(count: rowCount)
        unsafe mapPositive(classes.positive, from: labels.buffer.pointer, to: mapped.pointer)
        return withLabels(LabelPages(mapped), classes: classes)
    }

    private func binaryClasses(_ rule: PositiveRule) throws(InputError) -> BinaryClasses {
        let summary = labelSummary()
        func refusal(_ expected: String) -> InputError {
            InputError(at: name, found: "labels \(summary.brief)", expected: expected)
        }
        let found: Set<Float>?
        if case .distinct(let counts) = summary { found = Set(counts.map(\.label)) } else { found = nil }
        let conventions: [(positive: Float, negative: Float)] = [(1, -1), (1, 0)]
        /// The first of some pairs of labels that has all that were found.
        func fitting(_ pairs: [(positive: Float, negative: Float)]) -> BinaryClasses? {
            guard let found, let pair = pairs.first(where: { found.isSubset(of: [$0.positive, $0.negative]) }) else {
                return nil
            }
            return BinaryClasses(
                positive: found.filter { $0 == pair.positive }, negative: found.filter { $0 == pair.negative },
                modelLabels: pair)
        }

        switch rule {
        case .conventional:
            if let classes = fitting(conventions) { return classes }
            throw refusal("-1/+1 or 0/1; --positive names classes, --objective squared fits real values")
        case .model(let positive, let negative):
            let isConventional = conventions.contains { $0 == (positive, negative) }
            if let classes = fitting([(positive, negative)] + (isConventional ? conventions : [])) { return classes }
            let labels = [positive, negative].map(LabelSummary.text)
            throw refusal("the model's labels \(labels[0]) and \(labels[1])")
        case .labels(let positive):
            guard let found else {
                throw refusal("classes for --positive; --objective squared fits real values")
            }
            let classes = BinaryClasses(
                positive: found.intersection(positive).sorted(), negative: found.subtracting(positive).sorted(),
                modelLabels: (1, -1))
            if classes.positive.isEmpty {
                let labels = positive.map(LabelSummary.text).joined(separator: ",")
                throw refusal("at least one row of --positive \(labels)")
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
