// The sparse data set in memory: compressed sparse rows, read by every worker thread and written by none after loading.

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
/// Immutable once made; views with other labels or more features share the pages of the nonzeros. Takes
/// `8 * nonzeroCount + 12 * rowCount + 8` bytes.
public final class SparseDataset: @unchecked Sendable {
    // Sendable: every stored property is a constant, and the pages are never written after init.

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

    let rowOffsets: PageBuffer<Int>
    let indices: PageBuffer<UInt32>
    let values: PageBuffer<Float>
    let labels: PageBuffer<Float>

    /// Wraps filled buffers: offsets of `rowCount + 1` ascending positions, indices below `featureCount`.
    init(
        name: String, featureCount: Int, classes: BinaryClasses? = nil, rowOffsets: PageBuffer<Int>,
        indices: PageBuffer<UInt32>, values: PageBuffer<Float>, labels: PageBuffer<Float>
    ) {
        self.name = name
        self.featureCount = featureCount
        self.classes = classes
        self.rowOffsets = rowOffsets
        self.indices = indices
        self.values = values
        self.labels = labels
        rowCount = labels.count
        nonzeroCount = indices.count
    }

    /// A data set from rows written out in code: each row its label and its (0-based feature, value) pairs.
    ///
    /// - Precondition: the features of a row ascend and are distinct and below `featureCount`, where that is given.
    public convenience init(
        name: String = "memory", featureCount: Int? = nil, rows: [(label: Float, features: [(UInt32, Float)])]
    ) {
        let nonzeros = rows.reduce(0) { $0 + $1.features.count }
        let rowOffsets = PageBuffer<Int>(count: rows.count + 1)
        let indices = PageBuffer<UInt32>(count: nonzeros)
        let values = PageBuffer<Float>(count: nonzeros)
        let labels = PageBuffer<Float>(count: rows.count)
        var next = 0
        var seen = 0
        unsafe rowOffsets.baseAddress[0] = 0
        for (r, row) in rows.enumerated() {
            var least = 0
            for (index, value) in row.features {
                precondition(Int(index) >= least, "row \(r): feature \(index) after \(least - 1)")
                least = Int(index) + 1
                unsafe indices.baseAddress[next] = index
                unsafe values.baseAddress[next] = value
                next += 1
            }
            seen = max(seen, least)
            unsafe labels.baseAddress[r] = row.label
            unsafe rowOffsets.baseAddress[r + 1] = next
        }
        if let featureCount { precondition(seen <= featureCount, "feature \(seen - 1) of \(featureCount)") }
        self.init(
            name: name, featureCount: featureCount ?? seen, rowOffsets: rowOffsets, indices: indices, values: values,
            labels: labels)
    }

    /// Plain pointers for hot loops; keep the data set alive while they are in use (`withExtendedLifetime`).
    public var rows: CSRRows {
        unsafe CSRRows(
            rowOffsets: rowOffsets.baseAddress, indices: indices.baseAddress, values: values.baseAddress,
            labels: labels.baseAddress, rowCount: rowCount)
    }

    /// Bytes of the four arrays.
    public var byteCount: Int { nonzeroCount * 8 + rowCount * 12 + 8 }

    /// The label of a row. For tests and reports; hot loops use `rows`.
    public func label(ofRow row: Int) -> Float {
        precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
        return unsafe labels.baseAddress[row]
    }

    /// The 0-based features and values of a row. For tests and reports; hot loops use `rows`.
    public func features(ofRow row: Int) -> [(index: UInt32, value: Float)] {
        precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
        return unsafe (rowOffsets.baseAddress[row]..<rowOffsets.baseAddress[row + 1]).map {
            unsafe (indices.baseAddress[$0], values.baseAddress[$0])
        }
    }

    /// The same rows over more features, so that training and test rows agree on the length of the model.
    ///
    /// - Precondition: `count` is not below `featureCount`.
    public func withFeatureCount(_ count: Int) -> SparseDataset {
        precondition(count >= featureCount, "\(count) features of \(featureCount)")
        return SparseDataset(
            name: name, featureCount: count, classes: classes, rowOffsets: rowOffsets, indices: indices, values: values,
            labels: labels)
    }

    /// The same nonzeros with other labels, one per row.
    func withLabels(_ labels: PageBuffer<Float>, classes: BinaryClasses) -> SparseDataset {
        SparseDataset(
            name: name, featureCount: featureCount, classes: classes, rowOffsets: rowOffsets, indices: indices,
            values: values, labels: labels)
    }
}
