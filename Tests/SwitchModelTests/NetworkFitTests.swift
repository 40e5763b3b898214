import SwitchModel
import Testing

@Suite struct NetworkFitTests {
    @Test(arguments: [Pattern.ringAllReduce, .parameterServer, .treeAllReduce])
    func `times of the model give back its constants`(pattern: Pattern) throws {
        let cost = try NetworkCost(latencySeconds: 3e-5, secondsPerMegabyte: 0.02)
        let samples = try [1e-5, 1e-3, 0.1, 4].map { megabytes in
            let seconds = pattern.closedForm(workers: 6, megabytes: megabytes, over: cost).seconds
            return try #require(
                NetworkFit.Sample(
                    seconds: seconds, pattern: pattern, workers: 6, megabytes: megabytes, ports: .occupied))
        }
        let fit = try #require(NetworkFit(samples))
        #expect(abs(fit.latencySeconds / 3e-5 - 1) < 1e-9 && abs(fit.secondsPerMegabyte / 0.02 - 1) < 1e-9)
        #expect(fit.relativeResidual < 1e-9)
        #expect(NetworkFit(Array(samples.prefix(1))) == nil && NetworkFit([samples[0], samples[0]]) == nil)
    }

    @Test func `a closed form that is not linear is not fitted`() {
        func sample(_ ports: PortSemantics) -> NetworkFit.Sample? {
            NetworkFit.Sample(seconds: 1, pattern: .treeAllReduce, workers: 5, megabytes: 1, ports: ports)
        }
        #expect(sample(.occupied) != nil && sample(.pipelined) == nil)
    }

    @Test func `the residual is the relative error that is left`() throws {
        let samples = [(1.0, 1.0), (1.1, 1.0), (0.9, 1.0), (2.0, 2.0)].map {
            NetworkFit.Sample(seconds: $0.0, latencies: 1, megabytes: $0.1)
        }
        let fit = try #require(NetworkFit(samples))
        #expect(fit.relativeResidual > 0.05 && fit.relativeResidual < 0.1)
    }
}
