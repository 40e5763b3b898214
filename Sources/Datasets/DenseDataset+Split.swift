// Held-out rows of data that come without a test file. One thread, before a run.

public import Platform

extension DenseDataset {
    /// Rows k, 2k, 3k, … of the file, counted from 1, to test on, and all others to learn from, each in their order.
    ///
    /// Throws where there are fewer than k rows.
    /// - Precondition: k is at least 2.
    public func split(holdingOutEvery k: Int) throws(InputError) -> (train: DenseDataset, test: DenseDataset) {
        precondition(k >= 2, "every \(k)th row held out")
        guard rowCount >= k else {
            throw InputError(at: name, found: "\(rowCount) rows", expected: "at least \(k), of which one is held out")
        }
        let held = rowCount / k
        return (
            try copy(rowCount - held) { $0 + $0 / (k - 1) },
            try copy(held) { ($0 + 1) * k - 1 }
        )
    }

    private func copy(_ count: Int, row: (Int) -> Int) throws(InputError) -> DenseDataset {
        return DenseDataset(
            name: name, columns: columns, labelName: labelName, classNames: classNames,
            values: try values.copy(count, width: columnCount, row: row), labels: try labels.copy(count, row: row))
    }
}
