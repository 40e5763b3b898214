// A plain view of rows and labels in memory. Any thread may read it; nobody writes while a view is in use.

public import Datasets

/// Rows of float32, `stride` floats apart, and what is to be predicted for each.
///
/// Labels are classes as whole numbers in 0..<classes, one a row, or `labelsPerRow` real targets a row, contiguous.
@frozen @unsafe public struct LabelledRows: @unchecked Sendable {
    // Sendable: the memory is never written while a view exists.

    public let values: UnsafePointer<Float>
    public let rowCount: Int
    /// Features of a row.
    public let width: Int
    /// Floats from one row to the next, at least `width`.
    public let stride: Int
    /// nil for rows that are only to be predicted.
    public let labels: UnsafePointer<Float>?
    public let labelsPerRow: Int

    /// A view that is valid while the memory is; `stride` is `width` where it is not given.
    @inlinable public init(
        values: UnsafePointer<Float>, rowCount: Int, width: Int, stride: Int? = nil, labels: UnsafePointer<Float>?,
        labelsPerRow: Int = 1
    ) {
        precondition(rowCount >= 0 && width > 0, "\(rowCount) rows of \(width)")
        precondition((stride ?? width) >= width && labelsPerRow > 0, "stride \(stride ?? width) for rows of \(width)")
        unsafe self.values = unsafe values
        unsafe self.rowCount = rowCount
        unsafe self.width = width
        unsafe self.stride = stride ?? width
        unsafe self.labels = unsafe labels
        unsafe self.labelsPerRow = labelsPerRow
    }

    /// The rows of `dataset`, whose labels are classes or one target a row; valid while it is alive.
    public init(_ dataset: DenseDataset) {
        let rows = unsafe dataset.rows
        unsafe self.init(
            values: rows.values, rowCount: rows.rowCount, width: rows.columnCount,
            labels: dataset.labelName == nil ? nil : rows.labels)
    }
}
