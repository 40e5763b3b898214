import Collectives
import Messaging
import SwitchModel
import Testing

@Suite struct VectorExchangeTests {
    private static let clocks: [FabricClock] = [.native, .virtual(CollectiveRun.cost)]

    /// What element i of rank r begins as.
    private func value(_ rank: Int, _ i: Int) -> Float { Float(rank * 7 + i % 5) }

    private func vector(_ rank: Int, count: Int) throws -> Vector {
        let vector = try Vector(count: count)
        for i in 0..<count { vector[i] = value(rank, i) }
        return vector
    }

    @Test(arguments: clocks, 1...8) func `every rank gets the vector of each of its neighbours`(
        clock: FabricClock, ranks: Int
    ) throws {
        for distances in [[1, -1], [1, -1, 2, -2], [], [1]] {
            for count in [0, 1, 1_000] {
                let wrong = try Fabric(count: ranks, clock: clock).run { communicator -> Int in
                    let rank = communicator.rank
                    // Both ways: with one distance only, the ranks stand in pairs.
                    var neighbours = distances.map { (rank + $0 + 4 * ranks) % ranks }
                    if distances == [1] { neighbours = rank ^ 1 < ranks ? [rank ^ 1] : [] }
                    neighbours.removeAll { $0 == rank }
                    let own = try vector(rank, count: count)
                    let mean = try Vector(count: count)
                    try communicator.exchange(own, with: neighbours) { _, theirs in mean.add(0.5, times: theirs) }
                    return (0..<count).filter { i in
                        mean[i] != neighbours.reduce(0) { $0 + 0.5 * value($1, i) }
                    }.count
                }
                #expect(wrong.allSatisfy { $0 == 0 })
            }
        }
    }

    @Test(arguments: 3...9) func `a round on the ring costs two latencies and two transfers`(ranks: Int) throws {
        let ends = try Fabric(count: ranks, clock: .virtual(CollectiveRun.cost)).run { communicator -> Double in
            let rank = communicator.rank
            let own = try Vector(count: 2_500)
            try communicator.exchange(own, with: [(rank + 1) % ranks, (rank + ranks - 1) % ranks]) { _, _ in }
            return communicator.now
        }
        let message = CollectiveRun.cost.messageSeconds(megabytes: 1e-2)
        #expect(ends.allSatisfy { $0 == message + message })
    }

    @Test func `a vector is summed over all ranks`() throws {
        let wrong = try Fabric(count: 4).run { communicator -> Int in
            let own = try vector(communicator.rank, count: 100)
            try communicator.allReduce(own)
            return (0..<100).filter { i in own[i] != (0..<4).reduce(0) { $0 + value($1, i) } }.count
        }
        #expect(wrong.allSatisfy { $0 == 0 })
    }
}
