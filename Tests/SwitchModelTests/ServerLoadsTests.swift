// Asynchronous workers at one server and at several: simulated time against the closed form, and Figures 4.1 and 4.2 event by event.

import Platform
import SwitchModel
import Testing

@Suite struct ServerLoadsTests {
    private static let costs: [(latency: Double, perMegabyte: Double)] = [
        (1.5, 5), (0, 1), (0.2, 0), (1, 0.01), (50e-6, 8e-4),
    ]

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

    // Figures 4.1 and 4.2: three workers and a server, two gradients of each. t_latency = 1, t_transfer = 2, t_compute = 4.

    private struct Event: Equatable, CustomStringConvertible {
        let from: Int
        let to: Int
        let start: Double
        let end: Double
        init(_ from: Int, _ to: Int, _ start: Double, _ end: Double) {
            (self.from, self.to, self.start, self.end) = (from, to, start, end)
        }
        var description: String { "\(from) > \(to): \(start) to \(end)" }
    }

    private func events(_ programs: some RankPrograms) throws -> [Event] {
        let cost = try NetworkCost(latencySeconds: 1, secondsPerMegabyte: 2)
        return Timeline(running: programs, cost: cost).passages.map { Event($0.from, $0.to, $0.start, $0.end) }
    }

    @Test func `figure 4.1: without asynchrony all wait for the server, and the server for all`() throws {
        let programs = ServerIterations(workers: 3, megabytes: 1, iterations: 2, computeSeconds: 4)
        #expect(
            try events(programs) == [
                // All have computed at 4; one after the other comes in, then all answers go out.
                Event(0, 3, 4, 7), Event(1, 3, 7, 10), Event(2, 3, 10, 13),
                Event(3, 0, 13, 16), Event(3, 1, 16, 19), Event(3, 2, 19, 22),
                // Worker 0 has its model at 16 and its gradient at 20, the others three later each.
                Event(0, 3, 20, 23), Event(1, 3, 23, 26), Event(2, 3, 26, 29),
                Event(3, 0, 29, 32), Event(3, 1, 32, 35), Event(3, 2, 35, 38),
            ])
        let closed = Pattern.parameterServer.closedForm(
            workers: 3, megabytes: 1, over: try NetworkCost(latencySeconds: 1, secondsPerMegabyte: 2), updates: 6,
            computeSeconds: 4)
        #expect(closed.seconds == 38 - 4)
    }

    @Test func `figure 4.2: with asynchrony a worker goes on once its own gradient has arrived`() throws {
        let programs = ServerLoads(megabytes: [1]).programs(workers: 3, updates: 6) { _, _ in 4 }
        #expect(
            try events(programs) == [
                Event(3, 0, 0, 3), Event(3, 1, 3, 6), Event(3, 2, 6, 9),
                // Worker 0 pushes from 7 to 10, and then pulls what it has just changed; so do the others, three later each.
                Event(0, 3, 7, 10), Event(3, 0, 10, 13), Event(1, 3, 10, 13), Event(3, 1, 13, 16), Event(2, 3, 13, 16),
                // Worker 2 reads its second model at 16, and misses what worker 0 computes from 13 to 17 and pushes until 20.
                Event(3, 2, 16, 19), Event(0, 3, 17, 20), Event(1, 3, 20, 23), Event(2, 3, 23, 26),
            ])
    }

    @Test func `pipelined, the next model comes while the gradient is on its way`() throws {
        let programs = ServerLoads(megabytes: [1], pipelined: 2).programs(workers: 3, updates: 6) { _, _ in 4 }
        #expect(
            try events(programs) == [
                Event(3, 0, 0, 3), Event(3, 1, 3, 6), Event(3, 2, 6, 9),
                // Worker 0 asks for its second model at 7, when the server still sends to worker 2.
                Event(0, 3, 7, 10), Event(3, 0, 9, 12), Event(1, 3, 10, 13), Event(3, 1, 12, 15), Event(2, 3, 13, 16),
                Event(3, 2, 15, 18), Event(0, 3, 16, 19), Event(1, 3, 19, 22), Event(2, 3, 22, 25),
            ])
    }

    @Test(arguments: PortSemantics.allCases) func `iterations at one server take their closed form`(
        ports: PortSemantics
    ) throws {
        for (latency, perMegabyte) in Self.costs {
            let cost = try NetworkCost(latencySeconds: latency, secondsPerMegabyte: perMegabyte, ports: ports)
            for workers in [1, 2, 3, 9] {
                for (compute, iterations) in [(0.0, 1), (0, 4), (0.3, 3), (50, 5)] {
                    let programs = ServerIterations(
                        workers: workers, megabytes: 1, iterations: iterations, computeSeconds: compute)
                    let timeline = Timeline(running: programs, cost: cost, keepingPassages: false)
                    let closed = Pattern.parameterServer.closedForm(
                        workers: workers, megabytes: 1, over: cost, updates: iterations * workers,
                        computeSeconds: compute)
                    #expect(timeline.messageCount == programs.messageCount)
                    #expect(
                        abs(timeline.makespan - closed.seconds) <= 1e-12 * closed.seconds,
                        "\(workers) workers, \(iterations) iterations of \(compute), \(cost)")
                }
            }
        }
    }

    /// tau = N - 1 until the server saturates, and then as many updates as come, one in `h`, during a cycle 2 m + t_compute.
    @Test(arguments: PortSemantics.allCases) func `the staleness of equal workers is its closed form`(
        ports: PortSemantics
    ) throws {
        let cost = try NetworkCost(latencySeconds: 1, secondsPerMegabyte: 2, ports: ports)
        let (message, hold) = (3.0, ports == .occupied ? 3.0 : 2.0)
        for (workers, compute) in [(1, 4.1), (2, 4.1), (3, 4.1), (4, 4.1), (9, 4.1), (9, 20.3), (30, 20.3), (12, 0.1)] {
            let cycle = 2 * message + compute
            let expected = min(Double(workers - 1), (cycle / hold).rounded(.down))
            let programs = ServerLoads(megabytes: [1]).programs(workers: workers, updates: 20 * workers) { _, _ in
                compute
            }
            let timeline = Timeline(running: programs, cost: cost)
            // In the order of time, and of the same time that of the ranks.
            let pushes = timeline.passages.filter { $0.to == workers }.sorted { ($0.end, $0.from) < ($1.end, $1.from) }
            let reads = timeline.passages.filter { $0.from == workers }.sorted { ($0.start, $0.to) < ($1.start, $1.to) }
            var made = [Int](repeating: 0, count: workers)
            for (t, push) in pushes.enumerated() {
                let read = reads.filter { $0.to == push.from }[made[push.from]]
                made[push.from] += 1
                let version = pushes.prefix(t).filter { ($0.end, $0.from) <= (read.start, read.to) }.count
                if t >= 2 * workers {
                    #expect(Double(t - version) == expected, "\(workers) workers, \(compute), update \(t)")
                }
            }
        }
    }
}
