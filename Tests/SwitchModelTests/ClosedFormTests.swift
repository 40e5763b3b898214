// Every pattern's simulated makespan against its closed form.

import Platform
import SwitchModel
import Testing

@Suite struct ClosedFormTests {
    private func check(_ programs: PatternPrograms, over cost: NetworkCost, computeSeconds: Double = 0) {
        let timeline = programs.timeline(over: cost, keepingPassages: false)
        #expect(timeline.messageCount == programs.messageCount)
        let closed = programs.pattern.closedForm(
            workers: programs.workers, megabytes: programs.partition.megabytes, over: cost, updates: programs.updates,
            computeSeconds: computeSeconds)
        #expect(
            abs(timeline.makespan - closed.seconds) <= 1e-12 * closed.seconds,
            "N = \(programs.workers), \(cost): \(timeline.makespan), not \(closed.seconds) = \(closed.formula)")
    }

    @Test(arguments: Pattern.allCases, PortSemantics.allCases)
    func `the simulated makespan is the closed form`(pattern: Pattern, ports: PortSemantics) throws {
        let settings: [(latency: Double, perMegabyte: Double, megabytes: Double, compression: Double)] = [
            (1.5, 5, 1, 1), (0, 0.7, 2.5, 3), (0.3, 0, 1, 1), (50e-6, 8e-4, 230, 32), (1e-3, 1e-4, 0.004, 1),
            (0.31, 1, 0.93, 2),
        ]
        for (index, setting) in settings.enumerated() {
            let cost = try NetworkCost(
                latencySeconds: setting.latency, secondsPerMegabyte: setting.perMegabyte, ports: ports)
            for workers in 1...64 where index < 2 || workers <= 8 || (workers + index) % 3 == 0 {
                let megabytes = setting.megabytes / setting.compression
                check(PatternPrograms(pattern, workers: workers, megabytes: megabytes), over: cost)
            }
        }
    }

    @Test(arguments: PortSemantics.allCases)
    func `asgd takes its closed form whether computing or the server bounds it`(ports: PortSemantics) throws {
        for (latency, perMegabyte) in [(1.5, 5.0), (0, 1), (0.2, 0)] {
            let cost = try NetworkCost(latencySeconds: latency, secondsPerMegabyte: perMegabyte, ports: ports)
            for workers in [1, 2, 3, 5, 16, 33] {
                for compute in [0, 0.3, 7, 1000] {
                    for updates in Set([1, workers - 1, workers, 4 * workers + 3]) where updates > 0 {
                        let programs = PatternPrograms(
                            .asgd, workers: workers, megabytes: 1, updates: updates, computeSeconds: compute)
                        check(programs, over: cost, computeSeconds: compute)
                    }
                }
            }
        }
    }

    @Test func `the forms are those that the book prints, as corrected`() throws {
        let occupied = try NetworkCost(latencySeconds: 3, secondsPerMegabyte: 7)
        let pipelined = try NetworkCost(latencySeconds: 3, secondsPerMegabyte: 7, ports: .pipelined)
        func seconds(_ pattern: Pattern, _ workers: Int, _ cost: NetworkCost) -> Double {
            pattern.closedForm(workers: workers, megabytes: 4, over: cost).seconds
        }
        // t_latency = 3, t_transfer = 28, N = 8.
        for cost in [occupied, pipelined] {
            #expect(seconds(.ringAllReduce, 8, cost) == 42 + 49)
            #expect(seconds(.ringUnpartitioned, 8, cost) == 14 * 31)
            #expect(seconds(.treeAllReduce, 8, cost) == 6 * 31)
            #expect(seconds(.recursiveDoubling, 8, cost) == 3 * 31)
        }
        #expect(seconds(.multiServer, 8, occupied) == 42 + 49)
        #expect(seconds(.multiServer, 8, pipelined) == 6 + 49)
        #expect(seconds(.parameterServer, 8, occupied) == 16 * 31)
        #expect(seconds(.parameterServer, 8, pipelined) == 6 + 16 * 28)
        #expect(seconds(.ringExchange, 8, occupied) == 6 + 56)
        #expect(seconds(.ringExchange, 8, pipelined) == 3 + 56)
        #expect(seconds(.broadcast, 8, occupied) == 3 * 31)
    }

    @Test func `servers wait for nothing that they do not need: latencies overlap where ports allow it`() throws {
        let cost = try NetworkCost(latencySeconds: 1.5, secondsPerMegabyte: 5, ports: .pipelined)
        let makespan = PatternPrograms(.multiServer, workers: 3, megabytes: 1).timeline(over: cost).makespan
        #expect(abs(makespan - (3 + 20.0 / 3)) < 1e-12)
        // The ring's steps each need what the one before has brought.
        let ring = PatternPrograms(.ringAllReduce, workers: 3, megabytes: 1).timeline(over: cost).makespan
        #expect(abs(ring - (6 + 20.0 / 3)) < 1e-12)
    }
}
