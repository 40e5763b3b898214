// What the two classes of a binary objective stand for in the file, and the mapping of labels to -1 and +1. Any thread.

public import Platform

/// Which raw labels count as positive.
public enum PositiveRule: Sendable, Equatable {
    /// Labels must be among -1 and +1, or among 0 and 1.
    case conventional
    /// These labels against the rest, as in `--positive 2,3,4,5,6`.
    case labels([Label])
    /// Labels must be the two of a model, or, where those are +1 and -1 or 1 and 0, conventional.
    case model(positive: Label, negative: Label)

    /// Reads the value of `--positive`: labels between commas.
    public init(parsing text: String) throws(InputError) {
        var labels: [Label] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let label = Label(parsing: part) else {
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
    public let positive: [Label]
    /// Raw labels of the negative class that occur, ascending.
    public let negative: [Label]
    /// The pair of labels that a saved model names: the raw pair under the conventional naming, +1 and -1 for groups.
    public let modelLabels: (positive: Label, negative: Label)

    public static func == (a: BinaryClasses, b: BinaryClasses) -> Bool {
        a.positive == b.positive && a.negative == b.negative && a.modelLabels == b.modelLabels
    }
}

extension SparseDataset {
    /// The same rows with labels -1 and +1, sharing the nonzeros; drop the raw data set to free its labels.
    ///
    /// One class alone is allowed, as in rows to be judged. Throws where the labels are none that the rule knows, or where no
    /// row has a label that is named positive.
    public func binary(positive rule: PositiveRule = .conventional) throws(InputError) -> SparseDataset {
        let classes = try binaryClasses(rule)
        let mapped = try PageBuffer<Float>(count: rowCount)
        unsafe mapPositive(classes.positive, to: mapped.pointer)
        return withLabels(LabelPages(mapped), classes: classes)
    }

    private func binaryClasses(_ rule: PositiveRule) throws(InputError) -> BinaryClasses {
        let summary = labelSummary()
        func refusal(_ expected: String) -> InputError {
            InputError(at: name, found: "labels \(summary.brief)", expected: expected)
        }
        let found: Set<Label>?
        if case .distinct(let counts) = summary { found = Set(counts.map(\.label)) } else { found = nil }
        let conventions: [(positive: Label, negative: Label)] = [(1, -1), (1, 0)]
        /// The first of some pairs of labels that has all that were found.
        func fitting(_ pairs: [(positive: Label, negative: Label)]) -> BinaryClasses? {
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
            let labels = [positive, negative].map(\.text)
            throw refusal("the model's labels \(labels[0]) and \(labels[1])")
        case .labels(let positive):
            guard let found else {
                throw refusal("classes for --positive; --objective squared fits real values")
            }
            let classes = BinaryClasses(
                positive: found.intersection(positive).sorted(), negative: found.subtracting(positive).sorted(),
                modelLabels: (1, -1))
            if classes.positive.isEmpty {
                let labels = positive.map(\.text).joined(separator: ",")
                throw refusal("at least one row of --positive \(labels)")
            }
            return classes
        }
    }

    /// Throws where all rows are of one class: nothing can be learned from them.
    ///
    /// - Precondition: the labels are classes.
    public func refuseOneClass() throws(InputError) {
        guard let classes else { preconditionFailure("\(name): labels that are no classes") }
        if !classes.positive.isEmpty && !classes.negative.isEmpty { return }
        let labels = (classes.positive + classes.negative).map(\.text)
        throw InputError.oneClass(labels.joined(separator: ", "), in: name)
    }

    private func mapPositive(_ positive: [Label], to target: UnsafeMutablePointer<Float>) {
        let set = Set(positive)
        let only = positive.count == 1 ? positive[0] : nil
        for row in 0..<rowCount {
            let label = labels[row]
            unsafe target[row] = only.map { $0 == label } ?? set.contains(label) ? 1 : -1
        }
    }
}

extension InputError {
    /// That there is one class alone, in whatever format.
    static func oneClass(_ label: String, in name: String) -> InputError {
        InputError(at: name, found: "rows of one class, \"\(label)\"", expected: "rows of at least two classes")
    }
}

extension LabelSummary {
    /// The labels in a few words, for error messages: `1, 2, 3`, or `1, 2, …, 20 (20 in all)`, or a range.
    var brief: String {
        switch self {
        case .distinct(let counts):
            let texts = counts.map { $0.label.text }
            if texts.count <= 8 { return texts.joined(separator: ", ") }
            return texts.prefix(4).joined(separator: ", ") + ", …, \(texts[texts.count - 1]) (\(texts.count) in all)"
        case .real(let minimum, let maximum, _):
            return "from \(minimum.text) to \(maximum.text) (more than \(Self.limit))"
        }
    }
}
