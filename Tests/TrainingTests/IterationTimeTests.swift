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
            for workers in 2...16 {
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
}
