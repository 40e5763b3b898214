// Where the rows lie in memory. The coordinator calls it before a run.

internal import Platform

extension SparseDataset {
    /// Moves the pages of some rows to a memory node; does nothing without NUMA. Pages on a border go with the last caller.
    public func place(_ range: Range<Int>, onNode node: Int) {
        guard !range.isEmpty else { return }
        let span = unsafe rows.rowOffsets[range.lowerBound]..<rows.rowOffsets[range.upperBound]
        nonzeros.rowOffsets.bind(range, toNode: node)
        nonzeros.indices.bind(span, toNode: node)
        nonzeros.values.bind(span, toNode: node)
        labels.buffer.bind(range, toNode: node)
    }

    /// The memory nodes on which the nonzeros of some rows lie, as the kernel says; empty without NUMA.
    public func nodes(ofRows range: Range<Int>) -> [Int] {
        let span = unsafe rows.rowOffsets[range.lowerBound]..<rows.rowOffsets[range.upperBound]
        return Set(nonzeros.indices.nodes(ofPagesIn: span) + nonzeros.values.nodes(ofPagesIn: span)).sorted()
    }
}
