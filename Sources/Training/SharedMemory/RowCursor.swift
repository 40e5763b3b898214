// Walks the rows of one worker in the epoch's order. Each worker thread owns its cursor.

internal import Datasets
internal import Kernels

/// The rows of a stretch of an epoch, one after the other.
@safe struct RowCursor: IteratorProtocol {
    private let rows: CSRRows
    private let starts: UnsafePointer<UInt32>
    private let blockLength: Int
    private let rowEnd: Int
    private let endBlock: Int
    private var block: Int
    private var row = 0
    private var end = 0

    /// The blocks `blocks` of an order: block i holds the rows from `starts[i]`, `blockLength` of them or up to `rowEnd`.
    @inline(__always) init(
        rows: CSRRows, starts: UnsafePointer<UInt32>, blocks: Range<Int>, blockLength: Int, rowEnd: Int
    ) {
        unsafe self.rows = unsafe rows
        unsafe self.starts = unsafe starts
        self.blockLength = blockLength
        self.rowEnd = rowEnd
        block = blocks.lowerBound
        endBlock = blocks.upperBound
    }

    /// The next row, or nil at the end of the stretch.
    @inline(__always) mutating func next() -> Int? {
        if row == end {
            if block == endBlock { return nil }
            row = unsafe Int(starts[block])
            end = min(row &+ blockLength, rowEnd)
            block &+= 1
            prefetch()
        }
        let current = row
        row &+= 1
        return current
    }

    /// Asks for what the hardware prefetcher cannot foresee: the first rows of the blocks to come, as many as it takes to follow.
    @inline(__always) private func prefetch() {
        if block &+ 8 < endBlock { unsafe prefetchForReading(rows.rowOffsets + Int(starts[block &+ 8])) }
        let ahead = blockLength == 1 ? block &+ 3 : block
        if ahead < endBlock {
            let later = unsafe Int(starts[ahead])
            let begin = unsafe rows.rowOffsets[later]
            let count = unsafe rows.rowOffsets[min(later &+ min(blockLength, 4), rowEnd)] &- begin
            unsafe prefetchRow(rows.indices + begin, rows.values + begin, count)
            unsafe prefetchForReading(rows.labels + later)
        }
    }
}
