import Collectives
import Messaging
import Platform
import SwitchModel
import Testing

/// Under the virtual clock the real worker programs take exactly what the switch model says.
@Suite struct VirtualTimeTests {
    static let patterns: [Pattern] = Pattern.allCases.filter { $0 != .asgd }

    static func perform(_ pattern: Pattern, _ communicator: Communicator, _ vector: FloatVector) throws {
        switch pattern {
        case .reduceScatter: try communicator.reduceScatter(vector)
        case .allGather: try communicator.allGather(vector)
        case .broadcast: try communicator.broadcast(vector)
        case .ringExchange: try communicator.ringExchange(UnsafeBufferPointer(vector)) { _, _ in }
        case .asgd: break
        default: try communicator.allReduce(vector, by: AllReduceAlgorithm(rawValue: pattern.rawValue)!)
        }
    }

    /// What the worker programs took; where they form sums, they must be right.
    private func seconds(_ pattern: Pattern, workers: Int, length: Int, cost: NetworkCost) throws -> Double {
        let run = try CollectiveRun.vectors(
            ranks: pattern.ranks(workers: workers), length: length, clock: .virtual(cost)
        ) { try Self.perform(pattern, $0, $1) }
        if AllReduceAlgorithm(rawValue: pattern.rawValue) != nil {
            let sum = CollectiveRun.sum(ranks: 0..<workers, length: length)
            #expect(
                CollectiveRun.isSum(run.vectors[0], sum, terms: workers)
                    && run.vectors.allSatisfy { $0 == run.vectors[0] },
                "\(pattern.rawValue), \(workers) x \(length)")
        }
        return run.seconds
    }

    @Test(arguments: patterns, PortSemantics.allCases)
    func `a collective takes what its closed form says`(pattern: Pattern, ports: PortSemantics) throws {
        let costs = [(1.5e-4, 20.0), (5e-3, 1e-3), (0, 2.5)]
        #if DEBUG
            let workerCounts = Array(2...16) + [17, 24, 31, 32, 33, 48, 63, 64]
        #else
            let workerCounts = Array(2...64)
        #endif
        for workers in workerCounts {
            // Many workers send thousands of messages: each network has its turn.
            for (latency, perMegabyte) in workers <= 16 ? costs : [costs[workers % 2]] {
                let cost = try NetworkCost(latencySeconds: latency, secondsPerMegabyte: perMegabyte, ports: ports)
                // Equal chunks, as the closed forms assume.
                let length = 3 * workers
                let expected = pattern.closedForm(workers: workers, megabytes: Double(4 * length) / 1e6, over: cost)
                    .seconds
                let found = try seconds(pattern, workers: workers, length: length, cost: cost)
                #expect(abs(found - expected) <= 1e-12 * expected, "\(workers) workers: \(found), not \(expected)")
            }
        }
    }

    @Test(arguments: patterns, PortSemantics.allCases)
    func `chunks of uneven sizes take what the simulated pattern takes`(
        pattern: Pattern, ports: PortSemantics
    ) throws {
        let cost = try NetworkCost(latencySeconds: 1e-4, secondsPerMegabyte: 12, ports: ports)
        for workers in [1, 2, 3, 6, 7, 12, 31] {
            for length in [0, 1, workers + 1, 50] {
                let partition = VectorPartition(elements: length, count: pattern.partitions(workers: workers))
                let expected = PatternPrograms(pattern, workers: workers, partition: partition)
                    .timeline(over: cost, keepingPassages: false).makespan
                let found = try seconds(pattern, workers: workers, length: length, cost: cost)
                #expect(abs(found - expected) <= 1e-12 * expected, "\(workers) x \(length): \(found), not \(expected)")
            }
        }
    }

    @Test func `stragglers are felt, and the same seed gives the same times`() throws {
        func times(_ straggler: Straggler) throws -> [Double] {
            let fabric = try Fabric(count: 5, clock: .virtual(CollectiveRun.cost), straggler: straggler)
            return try fabric.run { communicator in
                var vector = CollectiveRun.input(rank: communicator.rank, length: 100)
                for _ in 0..<4 {
                    try communicator.compute(seconds: 1) {}
                    try vector.withUnsafeMutableBufferPointer { try communicator.ringAllReduce($0) }
                }
                return communicator.now
            }
        }
        let even = try times(.none)
        let drawn = try times(.lognormal(sigma: 0.5, seed: 7))
        #expect(try times(.lognormal(sigma: 0.5, seed: 7)) == drawn)
        #expect(drawn.max()! > even.max()! && drawn != even)
        #expect(try times(.constant(rank: 3, factor: 3)).min()! > 12)
    }
}
