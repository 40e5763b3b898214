// Which rows belong to which worker, and moving them to its memory. The main thread before a run.

internal import Platform

/// The contiguous rows of one worker: rank r of N has the rows `M r / N ..< M (r + 1) / N`.
public struct Partition: Sendable, Equatable {
    public let rows: Range<Int>

    /// The rows of worker `rank` of `count`; none where there are fewer rows than workers.
    ///
    /// - Precondition: `rank` is in `0 ..< count`.
    public init(ofRows rowCount: Int, rank: Int, count: Int) {
        precondition(rowCount >= 0 && rank >= 0 && rank < count, "rank \(rank) of \(count) over \(rowCount) rows")
        rows = rowCount * rank / count..<rowCount * (rank + 1) / count
    }

    /// All rows: what one worker alone has.
    public init(allRows rowCount: Int) {
        self.init(ofRows: rowCount, rank: 0, count: 1)
    }
}

extension SparseDataset {
    /// Moves the pages of a partition's rows to a memory node, without copying in user space; nothing without NUMA.
    ///
    /// Pages at the borders of two partitions go with the one that is placed last.
    public func place(_ partition: Partition, onNode node: Int) {
        let rows = partition.rows
        precondition(rows.lowerBound >= 0 && rows.upperBound <= rowCount, "rows \(rows) of \(rowCount)")
        guard !rows.isEmpty else { return }
        let nonzeros = nonzeroRange(ofRows: rows)
        self.nonzeros.rowOffsets.bind(rows.lowerBound..<rows.upperBound + 1, toNode: node)
        self.nonzeros.indices.bind(nonzeros, toNode: node)
        self.nonzeros.values.bind(nonzeros, toNode: node)
        labels.buffer.bind(rows, toNode: node)
    }

    /// The memory nodes on which the indices and values of a partition lie, as the kernel says; empty without NUMA.
    public func nodes(of partition: Partition) -> [Int] {
        let nonzeros = nonzeroRange(ofRows: partition.rows)
        let nodes =
            self.nonzeros.indices.nodes(ofPagesIn: nonzeros) + self.nonzeros.values.nodes(ofPagesIn: nonzeros)
        return Set(nodes).sorted()
    }

    private func nonzeroRange(ofRows rows: Range<Int>) -> Range<Int> {
        let offsets = unsafe self.rows.rowOffsets
        return unsafe offsets[rows.lowerBound]..<offsets[rows.upperBound]
    }
}
