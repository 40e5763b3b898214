import Collectives
import Compression
import Measurement
import Messaging
import RateExperiments
import SwitchModel
import Testing

@testable import Training

/// Under the virtual clock iterations take what section 3.1.2 says: compression divides the transfer, and leaves the latency.
@Suite struct IterationTimeTests {
    static let compute = 3e-3

    struct Exchange: Sendable, CustomTestStringConvertible {
        let algorithm: Algorithm
        let collective: AllReduceAlgorithm
        var codec: String?

        var testDescription: String { "\(algorithm.rawValue), \(collective.rawValue), \(codec ?? "floats")" }
    }

    static let exchanges: [Exchange] =
        [
            Exchange(algorithm: .gradientAggregation, collective: .multiServer),
            Exchange(algorithm: .gradientAggregation, collective: .ring),
            Exchange(algorithm: .modelAggregation, collective: .ring),
            Exchange(algorithm: .globalReplica, collective: .multiServer),
        ]
        + ["quantize:bits=4,bucket=whole", "sign"].flatMap { codec in
            [
                Exchange(algorithm: .csgd, collective: .multiServer, codec: codec),
                Exchange(algorithm: .csgd, collective: .ring, codec: codec),
                Exchange(algorithm: .ecSGD, collective: .multiServer, codec: codec),
            ]
        }

    private func figures(
        _ exchange: Exchange, workers: Int, elements: Int, cost: NetworkCost, straggler: Straggler = .none,
        iterations: Int = 3
    ) throws -> (seconds: Double, predicted: Double?, bytes: Double, ratio: Double) {
        let problem = SampledQuadratic(
            elements: elements, sigma: 1, gap: 1, pairs: 1, rowCount: 2 * workers * iterations, seed: 4)
        let trainer = try synchronousTrainer(problem, exchange.algorithm, workers: workers) {
            $0.synchronous.collective = exchange.collective
            $0.synchronous.layout = CompressedLayout(rawValue: exchange.collective.rawValue) ?? .multiServer
            $0.synchronous.codec = try? exchange.codec.map { try CodecConfiguration(parsing: $0) }
            $0.synchronous.allowsBias = true
            $0.synchronous.clock = .virtual(cost)
            $0.synchronous.computeSeconds = Self.compute
            $0.synchronous.straggler = straggler
            $0.evaluationsPerEpoch = 2
        }
        let record = try trainer.run().record
        #expect(record.updates == UInt64(iterations) && record.status == .completed && record.deterministic)
        let figures = record.synchronous!
        return (
            figures.secondsPerIteration, figures.predictedSecondsPerIteration, figures.bytesPerIteration,
            figures.compressionRatio ?? 1
        )
    }

    @Test(arguments: exchanges) func `seconds per iteration are the closed form with the codec's true ratio`(
        exchange: Exchange
    ) throws {
        for ports in PortSemantics.allCases {
            let cost = try NetworkCost(latencySeconds: 1e-4, secondsPerMegabyte: 8, ports: ports)
            for workers in ports == .occupied ? Array(2...16) : [3, 8] {
                let chunk = 24
                let found = try figures(exchange, workers: workers, elements: chunk * workers, cost: cost)
                let steps = Double(2 * (workers - 1))
                let transfer = Double(4 * chunk * workers) / 1e6 * 8
                let expected = Self.compute + steps * (1e-4 + transfer / (Double(workers) * found.ratio))
                #expect(abs(found.seconds - expected) <= 1e-12 * expected, "\(workers) workers")
                #expect(try abs(#require(found.predicted) - expected) <= 1e-12 * expected, "\(workers) workers")
                // The ratio is that of the bytes on the wire, headers included.
                let bytes = Double(workers * 2 * (workers - 1) * 4 * chunk) / found.ratio
                #expect(abs(found.bytes - bytes) <= 1e-12 * bytes)
                #expect(exchange.codec == nil ? found.ratio == 1 : found.ratio > 2)
            }
        }
    }

    @Test func `without an exchange to wait for, the serial reference computes for all workers in turn`() throws {
        let cost = try NetworkCost(latencySeconds: 1e-4, secondsPerMegabyte: 8)
        let serial = Exchange(algorithm: .minibatchSGD, collective: .multiServer)
        for (straggler, factor) in [
            (Straggler.none, 1.0), (.constant(rank: 2, factor: 3), 1), (.constant(rank: 0, factor: 3), 3),
        ] {
            let found = try figures(serial, workers: 5, elements: 10, cost: cost, straggler: straggler)
            let expected = 5 * factor * Self.compute
            #expect(abs(found.seconds - expected) <= 1e-12 * expected && found.bytes == 0)
            #expect(try abs(#require(found.predicted) - expected) <= 1e-12 * expected)
        }
    }

    @Test(arguments: [Algorithm.gradientAggregation, .modelAggregation, .globalReplica])
    func `behind one server iterations overlap: who has the model computes while the server sends it to others`(
        algorithm: Algorithm
    ) throws {
        let cost = try NetworkCost(latencySeconds: 1e-4, secondsPerMegabyte: 8)
        for workers in [1, 2, 5, 8] {
            let iterations = 6
            let found = try figures(
                Exchange(algorithm: algorithm, collective: .parameterServer), workers: workers, elements: 24,
                cost: cost, iterations: iterations)
            // In each of the two stretches the first iteration takes the closed form of 1.3.2; from then on the server waits for the last
            // worker's round alone, and that is what is predicted.
            let message = 1e-4 + 4 * 24 / 1e6 * 8
            let first = Self.compute + Double(2 * workers) * message
            let next = Self.compute + Double(workers + 1) * message
            let expected = (2 * first + Double(iterations - 2) * next) / Double(iterations)
            #expect(abs(found.seconds - expected) <= 1e-12 * expected, "\(workers) workers")
            #expect(try abs(#require(found.predicted) - next) <= 1e-12 * next)
        }
    }

    @Test(arguments: [AllReduceAlgorithm.ring, .multiServer, .halvingDoubling, .recursiveDoubling], [4, 8])
    func `a slow worker's time is predicted, too`(collective: AllReduceAlgorithm, workers: Int) throws {
        let cost = try NetworkCost(latencySeconds: 1e-4, secondsPerMegabyte: 8)
        for slow in [0, 2, workers - 1] {
            let found = try figures(
                Exchange(algorithm: .gradientAggregation, collective: collective), workers: workers,
                elements: 24 * workers, cost: cost, straggler: .constant(rank: slow, factor: 1.1), iterations: 40)
            let predicted = try #require(found.predicted)
            // Under recursive doubling iterations overlap, but for the first of each of the two stretches of 20.
            let share = collective == .recursiveDoubling ? 0.1 / 20 : 1e-12
            #expect(abs(found.seconds - predicted) <= share * predicted, "\(slow): \(found.seconds), \(predicted)")
        }
    }
}
