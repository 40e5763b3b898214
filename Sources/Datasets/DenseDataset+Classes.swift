// Labels as classes. One thread, before a run.

public import Platform

extension DenseDataset {
    /// The same rows with labels 0, 1, … that index `classNames`.
    ///
    /// The classes are the distinct labels, ascending as numbers or as text; or, for rows that are to be judged by a model,
    /// those of the model. Throws where there are no labels, more than `LabelSummary.limit` distinct ones, or one that is none
    /// of the model's.
    public func classified(as names: [String]? = nil) throws(InputError) -> DenseDataset {
        guard let summary = labelSummary() else { throw unlabelled() }
        if let classNames, names == nil || names == classNames { return self }
        guard case .distinct(let counts) = summary else {
            throw InputError(
                at: name, found: "more than \(LabelSummary.limit) different labels",
                expected: "labels that are classes")
        }
        let own = counts.map { count in classNames.map { $0[Int(count.label.value)] } ?? count.label.text }
        let names = names ?? own
        let numbers = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        var classes: [Label: Float] = [:]
        for (count, text) in zip(counts, own) {
            guard let number = numbers[text] else {
                let known = names.prefix(20).joined(separator: ", ") + (names.count > 20 ? ", …" : "")
                throw InputError(
                    at: name, found: "label \"\(text)\"", expected: "one of the model's \(names.count) classes \(known)"
                )
            }
            classes[count.label] = Float(number)
        }
        let indices = try PageBuffer<Float>(count: rowCount)
        for row in 0..<rowCount { unsafe indices.pointer[row] = classes[labels[row]]! }
        return with(labels: LabelPages(indices), classNames: names)
    }

    /// Throws where all rows are of one class: nothing can be learned from them.
    ///
    /// - Precondition: the labels are classes.
    public func refuseOneClass() throws(InputError) {
        guard let classNames else { preconditionFailure("\(name): labels that are no classes") }
        let first = label(ofRow: 0)
        if (1..<rowCount).contains(where: { label(ofRow: $0) != first }) { return }
        throw InputError.oneClass(classNames[Int(first)], in: name)
    }

    /// Whether the labels look like classes: texts, or at most `LabelSummary.limit` different whole numbers, each in two rows
    /// on average. False where there are none.
    public var hasClassLabels: Bool {
        if classNames != nil { return true }
        guard case .distinct(let counts) = labelSummary() else { return false }
        return 2 * counts.count <= rowCount && counts.allSatisfy { $0.label.isWhole }
    }

    /// The same rows, whose labels are known to be numbers.
    ///
    /// Throws where there are no labels, or where they are texts.
    public func measured() throws(InputError) -> DenseDataset {
        if labelName == nil { throw unlabelled() }
        guard let classNames else { return self }
        throw InputError(
            at: name, found: "labels that are texts, such as \"\(classNames[0])\"",
            expected: "numbers for a squared loss")
    }

    /// That learning needs labels.
    private func unlabelled() -> InputError {
        InputError(at: name, found: "rows without labels", expected: "--label to say where the labels are")
    }
}
