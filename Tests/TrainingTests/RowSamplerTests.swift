import Datasets
import Objectives
import Platform
import Testing

@testable import Training

@Suite struct RowSamplerTests {
    private func sampler(
        _ order: RowOrder, rowCount: Int, rank: Int = 0, workers: Int = 1, batchSize: Int, seed: UInt64 = 3
    ) throws -> RowSampler {
        try RowSampler(
            order, rowCount: rowCount, rank: rank, workers: workers, seed: seed, batchSize: batchSize, name: "rows")
    }

    private func batches(_ sampler: RowSampler, _ count: Int) -> [[Int]] {
        (0..<count).map { _ in
            sampler.advance()
            return sampler.chosen
        }
    }

    @Test(arguments: RowOrder.allCases, [1, 3, 7, 64, 300])
    func `every batch has exactly B rows, and passes over the data follow each other without a gap`(
        order: RowOrder, batchSize: Int
    ) throws {
        let rowCount = 130
        let passes = 3
        let count = passes * rowCount / batchSize + 1
        let found = batches(try sampler(order, rowCount: rowCount, batchSize: batchSize), count)
        #expect(found.allSatisfy { $0.count == batchSize })
        let rows = Array(found.joined().prefix(passes * rowCount))
        #expect(rows.allSatisfy { (0..<rowCount).contains($0) })
        guard order != .withReplacement else { return }
        for pass in 0..<min(passes, rows.count / rowCount) {
            let visited = Array(rows[pass * rowCount..<(pass + 1) * rowCount])
            #expect(visited.sorted() == Array(0..<rowCount))
            if order == .sequential { #expect(visited == Array(0..<rowCount)) }
        }
        if order == .shuffled, rows.count >= 2 * rowCount {
            #expect(Array(rows[..<rowCount]) != Array(rows[rowCount..<2 * rowCount]))
        }
    }

    @Test(arguments: [RowOrder.shuffled, .blocks, .sequential], [2, 3, 8])
    func `workers take rows of their own, together all of them`(order: RowOrder, workers: Int) throws {
        let rowCount = 64 * 8 * 3 + 5
        var all: [Int] = []
        for rank in 0..<workers {
            let one = try sampler(order, rowCount: rowCount, rank: rank, workers: workers, batchSize: 1)
            let part = one.partition.rowCount
            let rows = Array(batches(one, 2 * part).joined())
            #expect(rows.prefix(part).sorted() == rows.dropFirst(part).sorted())
            all += rows.prefix(part)
        }
        #expect(all.sorted() == Array(0..<rowCount))
    }

    @Test(arguments: RowOrder.allCases)
    func `the rows follow from seed and rank`(order: RowOrder) throws {
        func rows(_ seed: UInt64) throws -> [[Int]] {
            batches(try sampler(order, rowCount: 640, rank: 1, workers: 2, batchSize: 5, seed: seed), 80)
        }
        #expect(try rows(3) == rows(3))
        #expect(try (rows(3) == rows(4)) == (order == .sequential))
    }

    @Test func `a worker without rows is refused with the number that it takes`() throws {
        _ = try sampler(.shuffled, rowCount: 4, rank: 3, workers: 4, batchSize: 9)
        for (order, rows) in [(RowOrder.shuffled, 4), (.blocks, 200), (.sequential, 4)] {
            let error = #expect(throws: InputError.self) {
                for rank in 0..<5 {
                    _ = try sampler(order, rowCount: rows, rank: rank, workers: 5, batchSize: 9)
                }
            }
            #expect(error?.found.contains("\(rows) rows") == true)
        }
    }

    @Test(arguments: RowOrder.allCases) func `the serial reference takes the rows that the workers take`(
        order: RowOrder
    ) throws {
        let workers = 3
        let data = try classificationRows(64 * 7)
        func observed(_ algorithm: Algorithm) throws -> ObservedProblem {
            let problem = ObservedProblem(
                LinearProblem(objective: LinearObjective(), train: data), keepsAll: true)
            _ = try dataParallelRun(problem, algorithm, workers: workers) { $0.order = order }.run()
            return problem
        }
        let serial = try observed(.serialReference).observers[0].rows
        let parallel = try observed(.gradientAggregation)
        #expect(serial.count == 3 * (64 * 7 / 6 + 1))
        for (t, rows) in serial.enumerated() {
            #expect(parallel.observers[t % workers].rows[t / workers] == rows)
        }
    }
}
