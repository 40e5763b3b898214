// The second half of the patterns through servers.

import Platform
import SwitchModel
import Testing

@Suite struct PatternPullTests {
    @Test(arguments: [Pattern.multiServer, .parameterServer], PortSemantics.allCases)
    func `a pull takes half of what the whole pattern takes`(pattern: Pattern, ports: PortSemantics) throws {
        let cost = try NetworkCost(latencySeconds: 0.3, secondsPerMegabyte: 2, ports: ports)
        for workers in 1...9 {
            let whole = PatternPrograms(pattern, workers: workers, megabytes: 1)
            let pull = Timeline(running: whole.pull, cost: cost)
            let seconds = whole.timeline(over: cost).makespan
            #expect(abs(2 * pull.makespan - seconds) <= 1e-12 * seconds, "\(workers) workers")
            #expect(2 * pull.messageCount == whole.messageCount)
        }
    }
}
