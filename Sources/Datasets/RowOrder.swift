// In which order a worker visits its rows, epoch by epoch. Each worker prepares its own schedule.

internal import Kernels
public import Platform

/// How a worker orders its rows within an epoch.
public enum RowOrder: String, Sendable, CaseIterable {
    /// A new permutation of the rows in each epoch.
    case shuffled
    /// Blocks of 64 consecutive rows in a new random order in each epoch: nearly as good, and kinder to the memory.
    case blocks
    /// As many independent uniform draws as there are rows: what the theory assumes.
    case withReplacement = "with-replacement"
    /// As they stand.
    case sequential

    /// Rows of a block in `blocks`.
    public static let blockLength = 64

    /// Reads the name of an order; throws with the names there are.
    public init(parsing text: String) throws(InputError) {
        guard let order = RowOrder(rawValue: text) else {
            throw InputError(
                at: "--order", found: "\"\(text)\"",
                expected: RowOrder.allCases.map(\.rawValue).joined(separator: ", "))
        }
        self = order
    }
}

/// The rows of one worker in the order of the current epoch: runs of consecutive rows.
///
/// The order is a function of (order, rows, seed, rank, epoch) alone. Takes 4 bytes per row, or per block.
@frozen public struct RowSchedule: Sendable {
    /// The first row of each run, for the epoch prepared last.
    public private(set) var starts: [UInt32] = []
    /// Rows of a run; the run that reaches `endRow` is shorter where the rows are no multiple of it.
    public let runLength: Int
    /// One past the last row of the partition, where a run ends early.
    public let endRow: Int
    /// Rows visited in an epoch.
    public let rowCount: Int
    let order: RowOrder
    let firstRow: Int
    let seed: UInt64
    let rank: UInt32

    /// A schedule with no epoch prepared.
    ///
    /// - Precondition: rows are below 2^32.
    public init(_ order: RowOrder, partition: Partition, seed: UInt64, rank: Int) {
        precondition(partition.rows.upperBound <= Int(UInt32.max), "rows \(partition.rows)")
        self.order = order
        self.seed = seed
        self.rank = UInt32(rank)
        firstRow = partition.rows.lowerBound
        endRow = partition.rows.upperBound
        rowCount = partition.rows.count
        runLength = order == .shuffled || order == .withReplacement ? 1 : RowOrder.blockLength
    }

    /// Makes `starts` the order of an epoch, from 0.
    public mutating func prepare(epoch: Int) {
        let runCount = (rowCount + runLength - 1) / runLength
        if order == .sequential && starts.count == runCount { return }
        var random = RandomStream(seed: seed, rank: rank, step: UInt64(epoch))
        if order == .withReplacement {
            starts.removeAll(keepingCapacity: true)
            for _ in 0..<runCount {
                starts.append(UInt32(firstRow) + UInt32(random.next(upperBound: UInt64(rowCount))))
            }
            return
        }
        starts.removeAll(keepingCapacity: true)
        for run in 0..<runCount { starts.append(UInt32(firstRow + run * runLength)) }
        if order == .sequential { return }
        // Fisher-Yates.
        var left = runCount
        while left > 1 {
            let drawn = Int(random.next(upperBound: UInt64(left)))
            left -= 1
            starts.swapAt(drawn, left)
        }
    }

    /// The rows of a run.
    @inlinable public func rows(ofRunAt start: UInt32) -> Range<Int> {
        Int(start)..<min(Int(start) + runLength, endRow)
    }
}
