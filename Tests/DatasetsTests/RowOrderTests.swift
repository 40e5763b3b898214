import Datasets
import Platform
import Testing

@Suite struct RowOrderTests {
    private func rows(_ order: RowOrder, _ partition: Partition, seed: UInt64 = 1, rank: Int = 0, epoch: Int = 0)
        -> [Int]
    {
        var schedule = RowSchedule(order, partition: partition, seed: seed, rank: rank)
        schedule.prepare(epoch: epoch + 1)
        schedule.prepare(epoch: epoch)
        return schedule.starts.flatMap(schedule.rows(ofRunAt:))
    }

    @Test(arguments: [1, 2, 7, 8, 300], [0, 1, 5, 299])
    func `the partitions of all workers cover every row once, evenly`(workers: Int, rowCount: Int) {
        let parts = (0..<workers).map { Partition(ofRows: rowCount, rank: $0, count: workers).rows }
        #expect(parts.flatMap(Array.init) == Array(0..<rowCount))
        #expect(parts.map(\.count).max()! - parts.map(\.count).min()! <= 1)
    }

    @Test(arguments: [RowOrder.shuffled, .blocks, .sequential], [0, 1, 63, 64, 65, 300])
    func `an epoch visits every row of the partition once`(order: RowOrder, count: Int) {
        let partition = Partition(ofRows: 2 * count, rank: 1, count: 2)
        #expect(rows(order, partition).sorted() == Array(partition.rows))
    }

    @Test func `blocks are 64 consecutive rows and one shorter block at the end of the partition`() {
        var schedule = RowSchedule(.blocks, partition: Partition(ofRows: 600, rank: 1, count: 3), seed: 5, rank: 1)
        schedule.prepare(epoch: 3)
        #expect(schedule.starts.sorted() == [200, 264, 328, 392])
        #expect(schedule.starts.map { schedule.rows(ofRunAt: $0).count }.sorted() == [8, 64, 64, 64])
        #expect(schedule.rows(ofRunAt: 392) == 392..<400)
    }

    @Test func `with replacement draws as many rows as there are, some of them twice`() {
        let drawn = rows(.withReplacement, Partition(ofRows: 1_000, rank: 1, count: 2))
        #expect(drawn.count == 500 && drawn.allSatisfy((500..<1_000).contains))
        #expect((250..<370).contains(Set(drawn).count))
    }

    @Test(arguments: [RowOrder.shuffled, .blocks, .withReplacement])
    func `the order follows from seed, rank and epoch`(order: RowOrder) {
        let all = Partition(allRows: 2_000)
        let first = rows(order, all)
        #expect(rows(order, all) == first)
        #expect(rows(order, all, seed: 2) != first)
        #expect(rows(order, all, rank: 1) != first)
        #expect(rows(order, all, epoch: 1) != first)
        #expect(first != Array(0..<2_000))
    }

    @Test func `an unknown order is refused with the names there are`() {
        #expect(
            throws: InputError(
                at: "--order", found: "\"random\"", expected: "shuffled, blocks, with-replacement, sequential")
        ) { try RowOrder(parsing: "random") }
    }

    @Test func `placing a partition leaves its rows as they are`() throws {
        let data = try SparseDataset(rows: (0..<100).map { (Float($0), [(UInt32($0), Float($0))]) })
        for rank in 0..<3 {
            let partition = Partition(ofRows: 100, rank: rank, count: 3)
            data.place(partition, onNode: 0)
            #expect(data.nodes(of: partition).allSatisfy { $0 == 0 })
        }
        #expect(data.features(ofRow: 99)[0].value == 99 && data.label(ofRow: 40) == 40)
    }
}
