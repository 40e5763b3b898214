// Which rows a worker of data-parallel SGD takes next. One thread at a time.

public import Datasets
internal import Kernels
public import Platform

/// An endless row of minibatches of exactly B rows from one worker's partition: when an order is used up, the next one follows.
///
/// Which rows these are is a function of order, seed, rank and N.
public final class RowSampler: @unchecked Sendable {
    // Sendable: the thread of its worker uses it, and between runs the coordinator.

    private let schedule: RowSchedule
    private var orders = 0
    /// Rows of the order that are left.
    private var left = 0
    /// The block of the order that is being visited, and its rows that are left.
    private var block = 0
    private var rest = 0..<0
    /// The B rows that `advance` has chosen, indices in 0 ..< M; zeros before its first call.
    public private(set) var chosen: [Int]
    /// Whether an order begins where the schedule says, so that every row is as likely to be the first, or with its first block.
    private let beginsAnywhere: Bool

    /// The partition of rank `rank` of `workers`, of `rowCount` rows from a source called `name`.
    ///
    /// With `beginsAnywhere` the first row of an order is any, otherwise its first. Throws where the partition holds no row.
    public init(
        _ order: RowOrder, rowCount: Int, rank: Int, workers: Int, seed: UInt64, batchSize: Int, name: String,
        beginsAnywhere: Bool = true
    ) throws(InputError) {
        self.beginsAnywhere = beginsAnywhere
        schedule = try RowSchedule(order, rowCount: rowCount, rank: rank, workers: workers, seed: seed)
        guard schedule.blockCount > 0 else {
            throw InputError(
                at: name, found: "\(rowCount) rows, of which worker \(rank) of \(workers) gets none",
                expected: order == .blocks
                    ? "\(workers * schedule.blockLength) rows or more, fewer workers, or --order shuffled"
                    : "\(workers) rows or more, or fewer workers")
        }
        chosen = [Int](repeating: 0, count: batchSize)
    }

    /// What this worker's mean gradient weighs in the mean over the workers: N times its share of the rows, about 1.
    public var weight: Double { schedule.weight }

    /// About what the sampler of one of `workers` takes, in bytes.
    static func memoryBytes(_ order: RowOrder, rowCount: Int, workers: Int, batchSize: Int) -> Int {
        let (chosen, overflow) = MemoryLayout<Int>.stride.multipliedReportingOverflow(by: batchSize)
        return RowSchedule.memoryBytes(order, rowCount: rowCount, workers: workers) + (overflow ? .max / 2 : chosen)
    }

    /// The rows that this worker visits, for placement.
    var partition: Partition { schedule.partition }

    /// Chooses the next B rows.
    public func advance() {
        for i in chosen.indices {
            if left == 0 {
                schedule.prepare(epoch: orders)
                orders += 1
                left = schedule.partition.rowCount
                let beginning = beginsAnywhere ? schedule.beginning : (block: 0, row: 0)
                block = beginning.block
                rest = rows(ofBlock: block).dropFirst(beginning.row)
            } else if rest.isEmpty {
                block = (block + 1) % schedule.blockCount
                rest = rows(ofBlock: block)
            }
            chosen[i] = rest.removeFirst()
            left -= 1
        }
    }

    private func rows(ofBlock block: Int) -> Range<Int> {
        let start = unsafe Int(schedule.starts[block])
        return start..<min(start + schedule.blockLength, schedule.rowCount)
    }
}
