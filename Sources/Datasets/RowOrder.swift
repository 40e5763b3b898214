// In which order a worker visits its rows. Each worker thread prepares its own schedule at the start of an epoch.

internal import Kernels
public import Platform

/// The orders, by the names of the command line.
public enum RowOrder: String, CaseIterable, Codable, Sendable {
    /// A new permutation of the rows in each epoch.
    case shuffled
    /// Blocks of 64 consecutive rows, the blocks in a new order in each epoch: nearly as random, much kinder to memory.
    case blocks
    /// As many independent uniform draws from all rows as the worker has rows: what the theory assumes.
    case withReplacement = "with-replacement"
    /// As they stand in the file.
    case sequential

    /// Rows per block of `blocks`.
    public static let blockRows = 64

    /// Rows that stay together in this order.
    package var rowsPerBlock: Int { self == .blocks ? Self.blockRows : 1 }
}

/// The rows of one worker: up to 64 chunks spread evenly over the data, so that each worker sees all of a file that is sorted, and
/// yet long enough to lie in memory of the worker's node.
///
/// The partitions of all ranks are disjoint and together hold all rows; their sizes differ by one block at most.
public struct Partition: Sendable, Equatable {
    /// Chunks per worker, where there are rows enough.
    private static let chunksPerWorker = 64

    /// Ascending and disjoint.
    public let chunks: [Range<Int>]

    /// The rows of rank `rank` of `workers`, cut between blocks of `blockLength` rows only.
    public init(rowCount: Int, blockLength: Int, rank: Int, workers: Int) {
        precondition(rank >= 0 && rank < workers, "rank \(rank) of \(workers)")
        let blockCount = (rowCount + blockLength - 1) / blockLength
        let rounds = max(1, min(Self.chunksPerWorker, blockCount / (4 * workers)))
        // The last workers take one block more, since the last block of the data, which is theirs, may be short.
        let (share, rest) = blockCount.quotientAndRemainder(dividingBy: workers)
        let smaller = workers - rest
        /// Blocks that the first `ranks` workers together have before round `round`.
        func blocks(of ranks: Int, before round: Int) -> Int {
            let (few, many) = (min(ranks, smaller), max(0, ranks - smaller))
            return few * (share * round / rounds) + many * ((share + 1) * round / rounds)
        }
        chunks = (0..<rounds).map { round in
            func start(of rank: Int) -> Int {
                let before = blocks(of: workers, before: round) - blocks(of: rank, before: round)
                return min(rowCount, (before + blocks(of: rank, before: round + 1)) * blockLength)
            }
            return start(of: rank)..<start(of: rank + 1)
        }
    }

    /// How many rows it holds.
    public var rowCount: Int { chunks.reduce(0) { $0 + $1.count } }
}

/// One worker's order of its rows, epoch after epoch: blocks of consecutive rows, given by their first rows.
///
/// The order of an epoch follows from (seed, rank, epoch) alone.
@safe public final class RowSchedule: @unchecked Sendable {
    // Sendable: one thread prepares and reads it; whoever hands it on orders the accesses.

    /// The rows that are visited; with replacement, only how many.
    public let partition: Partition
    /// What the mean gradient of this worker's rows weighs in the mean over the workers, for that to be the mean over all rows:
    /// its share of the rows times N; 1 with replacement, where all draw from all rows.
    public let weight: Double
    public let order: RowOrder
    /// Rows per block; the last block of the data may be shorter.
    public let blockLength: Int
    /// Rows of the data, below 2^32.
    public let rowCount: Int
    /// Blocks per epoch.
    public let blockCount: Int
    /// Where in the order to begin, so that every row is as likely to be the first as any other, and so the k-th of the epoch, rows of a
    /// short block too: a random row of a random block where there are blocks, else the first row.
    public private(set) var beginning = (block: 0, row: 0)
    private let buffer: PageBuffer<UInt32>
    private let seed: UInt64
    private let rank: Int

    /// The schedule of rank `rank` of `workers` over data of `rowCount` rows.
    public init(_ order: RowOrder, rowCount: Int, rank: Int, workers: Int, seed: UInt64) throws(InputError) {
        precondition(rowCount <= Int(UInt32.max), "row \(rowCount) does not fit 32 bits")
        self.order = order
        self.rowCount = rowCount
        self.seed = seed
        self.rank = rank
        let blockLength = order.rowsPerBlock
        self.blockLength = blockLength
        partition = Partition(rowCount: rowCount, blockLength: blockLength, rank: rank, workers: workers)
        weight =
            order == .withReplacement
            ? 1 : Double(partition.rowCount) * Double(workers) / Double(max(1, rowCount))
        blockCount = partition.chunks.reduce(0) { $0 + ($1.count + blockLength - 1) / blockLength }
        buffer = try PageBuffer(count: blockCount)
        unsafe startPointer = buffer.pointer
    }

    /// About what the schedule of one of `workers` takes, in bytes.
    public static func memoryBytes(_ order: RowOrder, rowCount: Int, workers: Int) -> Int {
        PageBuffer<UInt32>.byteCount(of: rowCount / order.rowsPerBlock / workers + 1)
    }

    /// The first row of each block, in the order of the epoch that was prepared last.
    @inlinable public var starts: UnsafePointer<UInt32> { unsafe UnsafePointer(startPointer) }

    @usableFromInline let startPointer: UnsafeMutablePointer<UInt32>

    /// Lays out the order of an epoch.
    public func prepare(epoch: Int) {
        var stream = RandomStream(seed: seed, for: .rowOrder, rank: UInt32(rank), step: UInt64(epoch))
        let starts = unsafe startPointer
        if order == .withReplacement {
            for i in 0..<blockCount { unsafe starts[i] = UInt32(stream.next(upperBound: UInt64(rowCount))) }
            return
        }
        var block = 0
        for chunk in partition.chunks {
            for row in stride(from: chunk.lowerBound, to: chunk.upperBound, by: blockLength) {
                unsafe starts[block] = UInt32(row)
                block += 1
            }
        }
        guard order != .sequential, blockCount > 0 else { return }
        for i in stride(from: blockCount - 1, to: 0, by: -1) {
            let j = Int(stream.next(upperBound: UInt64(i + 1)))
            unsafe (starts[i], starts[j]) = (starts[j], starts[i])
        }
        guard blockLength > 1 else { return }
        beginning = (0, Int(stream.next(upperBound: UInt64(partition.rowCount))))
        while case let rows = rowCount(inBlocks: beginning.block..<beginning.block + 1), beginning.row >= rows {
            beginning = (beginning.block + 1, beginning.row - rows)
        }
    }

    /// How many rows the blocks `blocks` of the prepared order hold.
    public func rowCount(inBlocks blocks: Range<Int>) -> Int {
        var count = 0
        for i in blocks { unsafe count += min(blockLength, rowCount - Int(starts[i])) }
        return count
    }
}
