// The dense data set in memory: one row-major matrix, read by every worker thread and written by none after loading.

public import Platform

/// Plain pointers to the rows of a dense data set, for hot loops; valid while the data set is alive.
///
/// Row r has the values `r * columnCount ..< (r + 1) * columnCount`.
@frozen @unsafe public struct DenseRows: @unchecked Sendable {
    // Sendable: the pages behind the pointers are never written once the data set is built.

    /// `rowCount * columnCount` values, finite, or NaN where one is missing.
    public let values: UnsafePointer<Float>
    /// One label per row: raw as in the file, or an index into the data set's `classNames`.
    public let labels: UnsafePointer<Float>
    public let rowCount: Int
    public let columnCount: Int

    @inlinable public init(
        values: UnsafePointer<Float>, labels: UnsafePointer<Float>, rowCount: Int, columnCount: Int
    ) {
        unsafe self.values = unsafe values
        unsafe self.labels = unsafe labels
        unsafe self.rowCount = rowCount
        unsafe self.columnCount = columnCount
    }
}

/// Rows of as many values each, with a label each where the data have labels.
///
/// Immutable once made; views with other labels share the pages of the values. Takes `4 * rowCount * (columnCount + 1)` bytes;
/// values and labels as they were read take twice as much where 32-bit floats do not hold all that their format can say.
public final class DenseDataset: Sendable {
    /// Where the rows came from: a path or `standard input`, with the array in it where there are several.
    public let name: String
    /// Rows, at least 1 and below 2^32.
    public let rowCount: Int
    /// One per column of the matrix; the label is none of them.
    public let columns: [DenseColumn]
    /// The column, array or file that the labels come from; nil where the data have none.
    public let labelName: String?
    /// The classes that the labels 0, 1, … stand for; nil where the labels are numbers as in the file.
    public let classNames: [String]?

    let values: DenseValues
    let labels: LabelPages

    init(
        name: String, columns: [DenseColumn], labelName: String?, classNames: [String]?, values: DenseValues,
        labels: LabelPages
    ) {
        self.name = name
        self.columns = columns
        self.labelName = labelName
        self.classNames = classNames
        self.values = values
        self.labels = labels
        rowCount = labels.count
        precondition(
            values.count == rowCount * columns.count,
            "\(values.count) values for \(rowCount) rows of \(columns.count)")
    }

    /// A data set from rows written out in code; a missing value is NaN.
    ///
    /// - Precondition: every row has as many values as there are columns.
    public convenience init(
        name: String = "memory", columns: [DenseColumn], classNames: [String]? = nil,
        rows: [(label: Float, values: [Float])]
    ) throws(InputError) {
        let values = try PageBuffer<Float>(count: rows.count * columns.count)
        let labels = try PageBuffer<Float>(count: rows.count)
        for (r, row) in rows.enumerated() {
            precondition(row.values.count == columns.count, "row \(r): \(row.values.count) values of \(columns.count)")
            for (c, value) in row.values.enumerated() { unsafe values.pointer[r * columns.count + c] = value }
            unsafe labels.pointer[r] = row.label
        }
        self.init(
            name: name, columns: columns, labelName: "label", classNames: classNames,
            values: .floats(ValuePages(values)),
            labels: LabelPages(labels))
    }

    /// The same rows with other values, as many.
    func with(values: DenseValues) -> DenseDataset {
        DenseDataset(
            name: name, columns: columns, labelName: labelName, classNames: classNames, values: values, labels: labels)
    }

    /// The same rows with other labels, as many; they index `classNames` where these are given.
    func with(labels: LabelPages, classNames: [String]?) -> DenseDataset {
        DenseDataset(
            name: name, columns: columns, labelName: labelName, classNames: classNames, values: values, labels: labels)
    }

    public var columnCount: Int { columns.count }

    /// The text columns that indicators were made of, and how many of each.
    public var categoryCounts: [(column: String, count: Int)] {
        columns.reduce(into: []) { counts, column in
            guard case .indicator(let source, _) = column.kind else { return }
            if counts.last?.column == source {
                counts[counts.count - 1].count += 1
            } else {
                counts.append((source, 1))
            }
        }
    }

    /// Whether the values are 32-bit floats. Those of CSV and of 64-bit numbers are not before a `Standardisation` or `narrowed`
    /// makes them such.
    public var isNarrow: Bool { if case .floats = values { true } else { false } }

    /// The same rows with values as 32-bit floats, each the nearest: what is lost of a column whose values differ little from one
    /// another, `Standardisation` keeps.
    public func narrowed() throws(InputError) -> DenseDataset { isNarrow ? self : with(values: try values.narrowed()) }

    /// Plain pointers for hot loops; keep the data set alive while they are in use (`withExtendedLifetime`).
    ///
    /// - Precondition: `isNarrow`.
    public var rows: DenseRows {
        guard case .floats(let pages) = values else {
            preconditionFailure("\(name): values that are neither standardised nor narrowed")
        }
        return unsafe DenseRows(
            values: pages.buffer.pointer, labels: labels.buffer.pointer, rowCount: rowCount, columnCount: columnCount)
    }

    /// Bytes of all arrays.
    public var byteCount: Int { values.byteCount + labels.byteCount }

    /// The label of a row. For tests and reports; hot loops use `rows`.
    public func label(ofRow row: Int) -> Float {
        precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
        return unsafe labels.buffer.pointer[row]
    }

    /// The label of a row as the file has it, where it is no index. For tests and reports.
    public func exactLabel(ofRow row: Int) -> Label {
        precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
        return labels[row]
    }

    /// The values of a row. For tests and reports; hot loops use `rows`.
    public func values(ofRow row: Int) -> [Double] {
        precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
        return (0..<columnCount).map { values[row * columnCount + $0] }
    }

    /// Counts the labels in one pass; nil where the data have none.
    public func labelSummary() -> LabelSummary? {
        if labelName == nil { return nil }
        return LabelSummary(of: labels)
    }

    /// Moves the pages of ranges of rows to memory nodes; does nothing without NUMA.
    public func place(_ ranges: NodeRanges) {
        values.bind(ranges.mapped { $0 * columnCount })
        labels.buffer.bind(ranges)
    }
}
