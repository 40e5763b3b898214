// Which rows a worker of data-parallel SGD takes next. One thread at a time.

internal import Datasets
internal import Kernels
internal import Platform

/// An endless row of minibatches of exactly B rows from one worker's part of the data: when an order is used up, the next one follows.
final class RowSampler: @unchecked Sendable {
    // Sendable: the thread of its worker uses it, and between runs the coordinator.

    private let schedule: RowSchedule
    private var orders = 0
    /// The next block of the order, and rows of the one before that are left.
    private var block = 0
    private var rest = 0..<0
    /// The rows that were chosen last.
    private(set) var chosen: [Int]

    /// The part of rank `rank` of `workers`; throws where it holds no row.
    init(
        _ order: RowOrder, rowCount: Int, rank: Int, workers: Int, seed: UInt64, batchSize: Int, name: String
    ) throws(InputError) {
        schedule = try RowSchedule(order, rowCount: rowCount, rank: rank, workers: workers, seed: seed)
        guard schedule.blockCount > 0 else {
            throw InputError(
                at: name, found: "\(rowCount) rows, of which worker \(rank) of \(workers) gets none",
                expected: "\(workers * schedule.blockLength) rows or more, fewer workers, or --order shuffled")
        }
        chosen = [Int](repeating: 0, count: batchSize)
        block = schedule.blockCount
    }

    /// About what the sampler of one of `workers` takes, in bytes.
    static func memoryBytes(_ order: RowOrder, rowCount: Int, workers: Int, batchSize: Int) -> Int {
        let (chosen, overflow) = MemoryLayout<Int>.stride.multipliedReportingOverflow(by: batchSize)
        return RowSchedule.memoryBytes(order, rowCount: rowCount, workers: workers) + (overflow ? .max / 2 : chosen)
    }

    /// The rows that this worker visits, for placement.
    var partition: Partition { schedule.partition }

    /// Chooses the next B rows.
    func advance() {
        let blockLength = schedule.blockLength
        for i in chosen.indices {
            if rest.isEmpty {
                if block == schedule.blockCount {
                    schedule.prepare(epoch: orders)
                    orders += 1
                    block = 0
                }
                let start = unsafe Int(schedule.starts[block])
                block += 1
                rest = start..<min(start + blockLength, schedule.rowCount)
            }
            chosen[i] = rest.lowerBound
            rest = rest.lowerBound + 1..<rest.upperBound
        }
    }
}
