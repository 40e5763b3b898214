// In which order a worker visits its rows. Each worker thread prepares its own schedule at the start of an epoch.

internal import Kernels
public import Platform

/// The orders, by the names of the command line.
public enum RowOrder: String, CaseIterable, Codable, Sendable {
    /// A new permutation of the rows in each epoch.
    case shuffled
    /// Blocks of 64 consecutive rows, the blocks in a new order in each epoch: nearly as random, much kinder to memory.
    case blocks
    /// As many independent uniform draws as there are rows: what the theory assumes.
    case withReplacement = "with-replacement"
    /// As they stand in the file.
    case sequential

    /// Rows per block of `blocks`.
    public static let blockRows = 64
}

/// The rows of rank `rank` of `workers`: contiguous, disjoint, together all rows, sizes that differ by at most one.
public func partition(of rowCount: Int, rank: Int, workers: Int) -> Range<Int> {
    precondition(rank >= 0 && rank < workers, "rank \(rank) of \(workers)")
    return rowCount * rank / workers..<rowCount * (rank + 1) / workers
}

/// One worker's order of its rows, epoch after epoch: blocks of consecutive rows, given by their first rows.
///
/// The order of an epoch follows from (seed, rank, epoch) alone.
@safe public final class RowSchedule: @unchecked Sendable {
    // Sendable: one thread prepares and reads it; whoever hands it on orders the accesses.

    /// The rows that are visited; rows number below 2^32.
    public let rows: Range<Int>
    public let order: RowOrder
    /// Rows per block; the last block of the rows may be shorter.
    public let blockLength: Int
    /// Blocks per epoch.
    public let blockCount: Int
    private let buffer: PageBuffer<UInt32>
    private let seed: UInt64
    private let rank: Int

    public init(_ order: RowOrder, rows: Range<Int>, seed: UInt64, rank: Int) throws(InputError) {
        precondition(rows.upperBound <= Int(UInt32.max), "row \(rows.upperBound) does not fit 32 bits")
        self.order = order
        self.rows = rows
        self.seed = seed
        self.rank = rank
        blockLength = order == .blocks || order == .sequential ? RowOrder.blockRows : 1
        blockCount = (rows.count + blockLength - 1) / blockLength
        buffer = try PageBuffer(count: blockCount)
        unsafe startPointer = buffer.pointer
    }

    /// The first row of each block, in the order of the epoch that was prepared last.
    @inlinable public var starts: UnsafePointer<UInt32> { unsafe UnsafePointer(startPointer) }

    @usableFromInline let startPointer: UnsafeMutablePointer<UInt32>

    /// Lays out the order of an epoch.
    public func prepare(epoch: Int) {
        var stream = RandomStream(seed: seed, rank: UInt32(rank), step: UInt64(epoch))
        let starts = unsafe startPointer
        if order == .withReplacement {
            for i in 0..<blockCount {
                unsafe starts[i] = UInt32(rows.lowerBound + Int(stream.next(upperBound: UInt64(rows.count))))
            }
            return
        }
        for i in 0..<blockCount { unsafe starts[i] = UInt32(rows.lowerBound + i * blockLength) }
        guard order != .sequential, blockCount > 1 else { return }
        for i in stride(from: blockCount - 1, to: 0, by: -1) {
            let j = Int(stream.next(upperBound: UInt64(i + 1)))
            unsafe (starts[i], starts[j]) = (starts[j], starts[i])
        }
    }

    /// How many rows the blocks `blocks` of the prepared order hold.
    public func rowCount(inBlocks blocks: Range<Int>) -> Int {
        var count = 0
        for i in blocks { unsafe count += min(blockLength, rows.upperBound - Int(starts[i])) }
        return count
    }
}
