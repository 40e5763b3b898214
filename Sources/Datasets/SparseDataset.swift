// The sparse data set in memory: compressed sparse rows, read by every worker thread and written by none after loading.

public import Platform

/// Plain pointers to the compressed sparse rows of a data set, for hot loops; valid while the data set is alive.
///
/// Row r has the nonzeros `rowOffsets[r] ..< rowOffsets[r + 1]` of `indices` and `values`.
@frozen @unsafe public struct CSRRows: @unchecked Sendable {
    // Sendable: the pages behind the pointers are never written once the data set is built.

    /// `rowCount + 1` positions, ascending, the first 0.
    public let rowOffsets: UnsafePointer<Int>
    /// 0-based feature of each nonzero, ascending and distinct within a row, below the data set's `featureCount`.
    public let indices: UnsafePointer<UInt32>
    /// Value of each nonzero, finite.
    public let values: UnsafePointer<Float>
    /// One label per row: raw as in the file, or -1 and +1 after `SparseDataset.binary`.
    public let labels: UnsafePointer<Float>
    /// Rows.
    public let rowCount: Int

    @inlinable public init(
        rowOffsets: UnsafePointer<Int>, indices: UnsafePointer<UInt32>, values: UnsafePointer<Float>,
        labels: UnsafePointer<Float>, rowCount: Int
    ) {
        unsafe self.rowOffsets = unsafe rowOffsets
        unsafe self.indices = unsafe indices
        unsafe self.values = unsafe values
        unsafe self.labels = unsafe labels
        unsafe self.rowCount = rowCount
    }
}

/// Rows of sparse features with a label each, in compressed sparse row form.
///
/// Immutable once made; views with other labels share the pages of the nonzeros. Takes `8 * nonzeroCount + 12 * rowCount + 8`
/// bytes, and up to `10 * rowCount` more where 32-bit floats do not hold the labels.
public final class SparseDataset: Sendable {
    /// Where the rows came from: a path, or `-` for standard input.
    public let name: String
    /// Rows, below 2^32.
    public let rowCount: Int
    /// Features: one more than the largest index, or more where asked for.
    public let featureCount: Int
    /// Stored values in all rows; explicit zeros of the file count.
    public let nonzeroCount: Int
    /// What -1 and +1 stand for in the file; nil while the labels are raw.
    public let classes: BinaryClasses?

    let nonzeros: NonzeroPages
    let labels: LabelPages

    init(name: String, featureCount: Int, classes: BinaryClasses? = nil, nonzeros: NonzeroPages, labels: LabelPages) {
        self.name = name
        self.featureCount = featureCount
        self.classes = classes
        self.nonzeros = nonzeros
        self.labels = labels
        rowCount = labels.buffer.count
        nonzeroCount = nonzeros.indices.count
    }

    /// A data set from rows written out in code: each row its label and its (0-based feature, value) pairs.
    ///
    /// - Precondition: the features of a row ascend and are distinct and below `featureCount`, where that is given.
    public convenience init(
        name: String = "memory", featureCount: Int? = nil, rows: [(label: Float, features: [(UInt32, Float)])]
    ) throws(InputError) {
        let nonzeroCount = rows.reduce(0) { $0 + $1.features.count }
        let rowOffsets = try PageBuffer<Int>(count: rows.count + 1)
        let indices = try PageBuffer<UInt32>(count: nonzeroCount)
        let values = try PageBuffer<Float>(count: nonzeroCount)
        let labels = try PageBuffer<Float>(count: rows.count)
        var next = 0
        var seen = 0
        unsafe rowOffsets.pointer[0] = 0
        for (r, row) in rows.enumerated() {
            var least = 0
            for (index, value) in row.features {
                precondition(Int(index) >= least, "row \(r): feature \(index) after \(least - 1)")
                least = Int(index) + 1
                unsafe indices.pointer[next] = index
                unsafe values.pointer[next] = value
                next += 1
            }
            seen = max(seen, least)
            unsafe labels.pointer[r] = row.label
            unsafe rowOffsets.pointer[r + 1] = next
        }
        if let featureCount { precondition(seen <= featureCount, "feature \(seen - 1) of \(featureCount)") }
        self.init(
            name: name, featureCount: featureCount ?? seen,
            nonzeros: NonzeroPages(rowOffsets: rowOffsets, indices: indices, values: values),
            labels: LabelPages(labels))
    }

    /// Plain pointers for hot loops; keep the data set alive while they are in use (`withExtendedLifetime`).
    public var rows: CSRRows {
        unsafe CSRRows(
            rowOffsets: nonzeros.rowOffsets.pointer, indices: nonzeros.indices.pointer,
            values: nonzeros.values.pointer, labels: labels.buffer.pointer, rowCount: rowCount)
    }

    /// Bytes of all arrays.
    public var byteCount: Int { nonzeroCount * 8 + rowCount * 8 + 8 + labels.byteCount }

    /// The label of a row. For tests and reports; hot loops use `rows`.
    public func label(ofRow row: Int) -> Float {
        precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
        return unsafe labels.buffer.pointer[row]
    }

    /// The label of a row as the file has it, or -1 or +1 after `binary`.
    public func exactLabel(ofRow row: Int) -> Label {
        precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
        return labels[row]
    }

    /// The 0-based features and values of a row. For tests and reports; hot loops use `rows`.
    public func features(ofRow row: Int) -> [(index: UInt32, value: Float)] {
        precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
        let rows = unsafe rows
        return unsafe (rows.rowOffsets[row]..<rows.rowOffsets[row + 1]).map {
            unsafe (rows.indices[$0], rows.values[$0])
        }
    }

    /// The same nonzeros with other labels, one per row.
    func withLabels(_ labels: LabelPages, classes: BinaryClasses) -> SparseDataset {
        SparseDataset(name: name, featureCount: featureCount, classes: classes, nonzeros: nonzeros, labels: labels)
    }
}

/// The pages of the row offsets, indices and values, shared by the views of one data set.
final class NonzeroPages: Sendable {
    let rowOffsets: PageBuffer<Int>
    let indices: PageBuffer<UInt32>
    let values: PageBuffer<Float>

    init(
        rowOffsets: consuming PageBuffer<Int>, indices: consuming PageBuffer<UInt32>,
        values: consuming PageBuffer<Float>
    ) {
        self.rowOffsets = rowOffsets
        self.indices = indices
        self.values = values
    }
}
