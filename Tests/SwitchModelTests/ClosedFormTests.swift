// Every pattern's simulated makespan against its closed form.

import Platform
import SwitchModel
import Testing

@Suite struct ClosedFormTests {
    private static let costs: [(latency: Double, perMegabyte: Double)] = [
        (1.5, 5), (0, 0.7), (0.3, 0), (50e-6, 8e-4), (1e-3, 1e-4), (2, 0.31),
    ]

    private func check(_ programs: PatternPrograms, megabytes: Double, over cost: NetworkCost, computeSeconds: Double = 0)
    {
        let timeline = programs.timeline(over: cost, keepingPassages: false)
        #expect(timeline.messageCount == programs.messageCount)
        let closed = programs.pattern.closedForm(
            workers: programs.workers, megabytes: megabytes, over: cost, updates: programs.updates,
            computeSeconds: computeSeconds)
        guard let closed else {
            #expect(programs.pattern == .halvingDoubling && programs.workers.nonzeroBitCount > 1)
            return
        }
        #expect(
            abs(timeline.makespan - closed.seconds) <= 1e-12 * closed.seconds,
            "N = \(programs.workers), \(cost): \(timeline.makespan), not \(closed.seconds) = \(closed.formula)")
    }

    @Test(arguments: Pattern.allCases, PortSemantics.allCases)
    func `the simulated makespan is the closed form`(pattern: Pattern, ports: PortSemantics) throws {
        for (index, (latency, perMegabyte)) in Self.costs.enumerated() {
            let cost = try NetworkCost(latencySeconds: latency, secondsPerMegabyte: perMegabyte, ports: ports)
            for (workers, megabytes, compression) in [(1, 1, 1), (2, 4, 2), (3, 0.004, 1), (4, 1, 32), (5, 0, 1),
                (6, 230, 4), (7, 1, 1), (8, 2.5, 3)] where index < 2 || workers < 6 || workers % 2 == 1 {
                let travelling = Double(megabytes) / Double(compression)
                check(PatternPrograms(pattern, workers: workers, megabytes: travelling), megabytes: travelling, over: cost)
            }
        }
    }
}
