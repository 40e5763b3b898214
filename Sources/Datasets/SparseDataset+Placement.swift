// Where the rows lie in memory. The coordinator calls it before a run.

public import Platform

extension SparseDataset {
    /// Moves the pages of ranges of rows to memory nodes; does nothing without NUMA.
    public func place(_ ranges: NodeRanges) {
        let spans = ranges.mapped { unsafe rows.rowOffsets[$0] }
        nonzeros.rowOffsets.bind(ranges)
        nonzeros.indices.bind(spans)
        nonzeros.values.bind(spans)
        labels.buffer.bind(ranges)
    }

    /// The memory nodes on which the nonzeros of some rows lie, as the kernel says; empty without NUMA.
    public func nodes(ofRows range: Range<Int>) -> [Int] {
        let span = unsafe rows.rowOffsets[range.lowerBound]..<rows.rowOffsets[range.upperBound]
        return Set(nonzeros.indices.nodes(ofPagesIn: span) + nonzeros.values.nodes(ofPagesIn: span)).sorted()
    }
}
