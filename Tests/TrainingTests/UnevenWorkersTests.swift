import RateExperiments
import Testing

@testable import Training

/// Workers of very different speeds; `bench-rates uneven` shows more.
@Suite struct UnevenWorkersTests {
    @Test func `asgd with delay-adaptive steps comes as far as minibatch SGD in less virtual time`() throws {
        var experiment = UnevenWorkers()
        experiment.elements = 4
        experiment.iterations = 60
        experiment.seeds = [1, 2, 3]
        // Each method's best is inside.
        experiment.stepSizes = [1 / 512, 1 / 256, 1 / 128, 1 / 16, 1 / 8]
        let target = try experiment.target()
        let plain = try experiment.time(to: target, UnevenWorkers.minibatch)
        let adaptive = try experiment.time(to: target, Algorithm(parsing: "asgd:step=delay-adaptive"))
        #expect(plain.reached > 1 && adaptive.reached == 3)
        #expect(
            adaptive.seconds.mean + adaptive.seconds.standardError
                < plain.seconds.mean - plain.seconds.standardError, "\(plain) \(adaptive)")
    }
}
