import Datasets
import Foundation
import Platform
import Testing

@Suite struct RowOrderTests {
    private func starts(_ schedule: RowSchedule) -> [Int] {
        (0..<schedule.blockCount).map { unsafe Int(schedule.starts[$0]) }
    }

    /// The rows that a worker visits in an epoch, in their order.
    private func visited(
        _ order: RowOrder, of rowCount: Int, rank: Int = 0, workers: Int = 1, seed: UInt64 = 1, epoch: Int = 0
    ) throws -> [Int] {
        let schedule = try RowSchedule(order, rowCount: rowCount, rank: rank, workers: workers, seed: seed)
        // The epochs before leave no trace.
        schedule.prepare(epoch: epoch + 1)
        schedule.prepare(epoch: epoch)
        return starts(schedule).flatMap { Array($0..<min($0 + schedule.blockLength, rowCount)) }
    }

    @Test(arguments: [1, 2, 7, 300], [0, 1, 63, 64, 65, 640, 20_001])
    func `the partitions of all workers are disjoint, ascending and together all rows`(workers: Int, rowCount: Int) {
        for blockLength in [1, 64] {
            let parts = (0..<workers).map {
                Partition(rowCount: rowCount, blockLength: blockLength, rank: $0, workers: workers)
            }
            for part in parts { #expect(part.chunks == part.chunks.sorted { $0.lowerBound < $1.lowerBound }) }
            let chunks = parts.flatMap(\.chunks).filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
            #expect(chunks.reduce(0) { $1.lowerBound == $0 ? $1.upperBound : -1 } == rowCount)
            #expect(parts.reduce(0) { $0 + $1.rowCount } == rowCount)
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 7, 63, 300])
    func `partitions differ by one block at most, by one row where the order has no blocks`(workers: Int) throws {
        for rowCount in [1, 5, 63, 64, 65, 576, 640, 4_095, 20_001, 36_864, 1_000_003] {
            for order in RowOrder.allCases {
                let schedules = try (0..<workers).map {
                    try RowSchedule(order, rowCount: rowCount, rank: $0, workers: workers, seed: 1)
                }
                let sizes = schedules.map(\.partition.rowCount)
                let blockLength = order == .blocks ? RowOrder.blockRows : 1
                #expect(sizes.max()! - sizes.min()! <= blockLength, "\(rowCount) rows, \(order)")
                #expect(schedules.allSatisfy { $0.blockLength == blockLength })
                #expect(abs(schedules.reduce(0) { $0 + $1.weight } - Double(workers)) < 1e-9)
            }
        }
    }

    @Test func `a pass over blocks begins at every row alike, at those of a short block too`() throws {
        // Two blocks, of 64 rows and of 6.
        let (rowCount, draws) = (70, 7_000)
        var counts = [Int](repeating: 0, count: rowCount)
        for seed in 0..<UInt64(draws) {
            let schedule = try RowSchedule(.blocks, rowCount: rowCount, rank: 0, workers: 1, seed: seed)
            schedule.prepare(epoch: 3)
            counts[starts(schedule)[schedule.beginning.block] + schedule.beginning.row] += 1
        }
        let expected = Double(draws) / Double(rowCount)
        let chiSquare = counts.reduce(0) { $0 + pow(Double($1) - expected, 2) / expected }
        // 69 degrees of freedom: mean 69, standard deviation 11.7.
        #expect(chiSquare < 69 + 4.5 * 11.8)
    }

    @Test(arguments: [RowOrder.shuffled, .blocks, .sequential], [0, 1, 63, 64, 65, 2_000])
    func `in an epoch all workers together visit every row once`(order: RowOrder, rowCount: Int) throws {
        for workers in [1, 3] {
            let rows = try (0..<workers).flatMap { try visited(order, of: rowCount, rank: $0, workers: workers) }
            #expect(rows.sorted() == Array(0..<rowCount))
            if order == .sequential && workers == 1 { #expect(rows == Array(0..<rowCount)) }
        }
    }

    @Test func `blocks are 64 consecutive rows and one shorter block at the end of the data`() throws {
        let schedule = try RowSchedule(.blocks, rowCount: 200, rank: 0, workers: 1, seed: 5)
        schedule.prepare(epoch: 3)
        #expect(starts(schedule).sorted() == [0, 64, 128, 192])
        #expect(schedule.blockLength == 64 && schedule.rowCount(inBlocks: 0..<4) == 200)
        let short = try #require(starts(schedule).firstIndex(of: 192))
        #expect(schedule.rowCount(inBlocks: short..<short + 1) == 8)
    }

    @Test func `with replacement draws as many rows as there are, from all rows, some of them twice`() throws {
        let drawn = try visited(.withReplacement, of: 500)
        #expect(drawn.count == 500 && drawn.allSatisfy((0..<500).contains))
        #expect(drawn.contains { $0 < 50 } && drawn.contains { $0 >= 450 } && (270..<365).contains(Set(drawn).count))
    }

    @Test(arguments: [RowOrder.shuffled, .blocks, .withReplacement])
    func `the order follows from seed, rank and epoch`(order: RowOrder) throws {
        let first = try visited(order, of: 2_000)
        #expect(try visited(order, of: 2_000) == first)
        #expect(try visited(order, of: 2_000, seed: 2) != first)
        #expect(try visited(order, of: 2_000, rank: 1, workers: 2) != first)
        #expect(try visited(order, of: 2_000, epoch: 1) != first)
        #expect(first != Array(0..<2_000))
    }

    @Test func `placing rows on a memory node leaves them as they are`() throws {
        let data = try SparseDataset(rows: (0..<100).map { (Float($0), [(UInt32($0), Float($0))]) })
        for rank in 0..<3 {
            for chunk in Partition(rowCount: 100, blockLength: 8, rank: rank, workers: 3).chunks {
                data.place(NodeRanges(chunk, over: [0]))
                #expect(data.nodes(ofRows: chunk).allSatisfy { $0 == 0 })
            }
        }
        #expect(data.features(ofRow: 99)[0].value == 99 && data.label(ofRow: 40) == 40)
    }
}
