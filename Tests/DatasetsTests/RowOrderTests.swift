import Datasets
import Platform
import Testing

@Suite struct RowOrderTests {
    private func starts(_ schedule: RowSchedule) -> [Int] {
        (0..<schedule.blockCount).map { unsafe Int(schedule.starts[$0]) }
    }

    private func visited(
        _ order: RowOrder, _ rows: Range<Int>, seed: UInt64 = 1, rank: Int = 0, epoch: Int = 0
    ) throws -> [Int] {
        let schedule = try RowSchedule(order, rows: rows, seed: seed, rank: rank)
        // The epochs before leave no trace.
        schedule.prepare(epoch: epoch + 1)
        schedule.prepare(epoch: epoch)
        return starts(schedule).flatMap { Array($0..<min($0 + schedule.blockLength, rows.upperBound)) }
    }

    @Test(arguments: [1, 2, 7, 8, 300], [0, 1, 5, 299])
    func `the partitions of all workers cover every row once, evenly`(workers: Int, rowCount: Int) {
        let parts = (0..<workers).map { partition(of: rowCount, rank: $0, workers: workers) }
        #expect(parts.flatMap(Array.init) == Array(0..<rowCount))
        #expect(parts.map(\.count).max()! - parts.map(\.count).min()! <= 1)
    }

    @Test(arguments: [RowOrder.shuffled, .blocks, .sequential], [0, 1, 63, 64, 65, 300])
    func `an epoch visits every row of the partition once`(order: RowOrder, count: Int) throws {
        let rows = partition(of: 2 * count, rank: 1, workers: 2)
        #expect(try visited(order, rows).sorted() == Array(rows))
    }

    @Test func `blocks are 64 consecutive rows and one shorter block at the end of the rows`() throws {
        let schedule = try RowSchedule(.blocks, rows: partition(of: 600, rank: 1, workers: 3), seed: 5, rank: 1)
        schedule.prepare(epoch: 3)
        #expect(starts(schedule).sorted() == [200, 264, 328, 392])
        #expect(schedule.blockLength == 64 && schedule.rowCount(inBlocks: 0..<4) == 200)
        let short = try #require(starts(schedule).firstIndex(of: 392))
        #expect(schedule.rowCount(inBlocks: short..<short + 1) == 8)
    }

    @Test func `with replacement draws as many rows as there are, some of them twice`() throws {
        let drawn = try visited(.withReplacement, 500..<1_000)
        #expect(drawn.count == 500 && drawn.allSatisfy((500..<1_000).contains))
        #expect((250..<370).contains(Set(drawn).count))
    }

    @Test(arguments: [RowOrder.shuffled, .blocks, .withReplacement])
    func `the order follows from seed, rank and epoch`(order: RowOrder) throws {
        let first = try visited(order, 0..<2_000)
        #expect(try visited(order, 0..<2_000) == first)
        #expect(try visited(order, 0..<2_000, seed: 2) != first)
        #expect(try visited(order, 0..<2_000, rank: 1) != first)
        #expect(try visited(order, 0..<2_000, epoch: 1) != first)
        #expect(first != Array(0..<2_000))
    }

    @Test func `placing rows on a memory node leaves them as they are`() throws {
        let data = try SparseDataset(rows: (0..<100).map { (Float($0), [(UInt32($0), Float($0))]) })
        for rank in 0..<3 {
            let rows = partition(of: 100, rank: rank, workers: 3)
            data.place(rows, onNode: 0)
            #expect(data.nodes(ofRows: rows).allSatisfy { $0 == 0 })
        }
        #expect(data.features(ofRow: 99)[0].value == 99 && data.label(ofRow: 40) == 40)
    }
}
