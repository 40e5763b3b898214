// Asynchronous workers at one server and at several: simulated time against the closed form, and Figures 4.1 and 4.2 event by event.

import Platform
import SwitchModel
import Testing

@Suite struct ServerLoadsTests {
    private static let costs: [(latency: Double, perMegabyte: Double)] = [(1.5, 5), (0, 1), (0.2, 0), (1, 0.01), (50e-6, 8e-4)]

    @Test(arguments: PortSemantics.allCases, [1, 2, 3, 5, 8])
    func `equal servers and workers take the closed form, pipelined or not`(ports: PortSemantics, servers: Int) throws {
        for (latency, perMegabyte) in Self.costs {
            let cost = try NetworkCost(latencySeconds: latency, secondsPerMegabyte: perMegabyte, ports: ports)
            for pipelined in [1, 2, 5] {
                let loads = ServerLoads(
                    megabytes: Array(repeating: 6 / Double(servers), count: servers), pipelined: pipelined)
                for workers in [1, 2, 3, 8] {
                    for compute in [0.0, 0.3, 7, 100] {
                        for updates in Set([1, workers, 4 * workers + 1]) {
                            let programs = loads.programs(workers: workers, updates: updates) { _, _ in compute }
                            let timeline = Timeline(running: programs, cost: cost, keepingPassages: false)
                            let closed = try #require(
                                loads.closedForm(
                                    workers: workers, over: cost, updates: updates, computeSeconds: compute))
                            #expect(timeline.messageCount == programs.messageCount)
                            #expect(
                                abs(timeline.makespan - closed.seconds) <= 1e-9 * closed.seconds,
                                "N \(workers), K \(servers), pipelined \(pipelined), T \(updates), \(compute), \(cost)")
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: PortSemantics.allCases) func `one server is the pattern asgd`(ports: PortSemantics) throws {
        let cost = try NetworkCost(latencySeconds: 0.3, secondsPerMegabyte: 2, ports: ports)
        for workers in [1, 2, 5] {
            let servers = ServerLoads(megabytes: [1.5]).programs(workers: workers, updates: 23) { rank, update in
                Double(rank) + 0.1 * Double(update)
            }
            let pattern = PatternPrograms(
                .asgd, workers: workers, partition: VectorPartition(megabytes: 1.5, count: 1), updates: 23,
                computeSeconds: { Double($0) + 0.1 * Double($1) })
            #expect(Timeline(running: servers, cost: cost) == pattern.timeline(over: cost))
        }
    }

    @Test func `with a slow worker no more gradients are under way than is said`() throws {
        let cost = try NetworkCost(latencySeconds: 4, secondsPerMegabyte: 0, ports: .pipelined)
        for pipelined in 1...5 {
            let programs = ServerLoads(megabytes: [1], pipelined: pipelined).programs(workers: 1, updates: 40) { _, _ in
                0.5
            }
            let timeline = Timeline(running: programs, cost: cost)
            let (reads, pushes) = (timeline.passages.filter { $0.from == 1 }, timeline.passages.filter { $0.from == 0 })
            let most = reads.map { read in
                zip(reads, pushes).filter { $0.start <= read.start && $1.end > read.start }.count
            }.max()
            #expect(most == min(pipelined, 2))
        }
    }
}
