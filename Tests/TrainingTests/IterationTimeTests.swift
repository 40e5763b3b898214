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
        var isNatural = false

        var testDescription: String { "\(algorithm.name), \(collective.rawValue), \(codec ?? "floats")" }
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
        iterations: Int = 3, codecTime: CodecTime = .none
    ) throws -> (seconds: Double, predicted: Double?, bytes: Double, ratio: Double) {
        let problem = SampledQuadratic(
            elements: elements, sigma: 1, gap: 1, pairs: 1, rowCount: 2 * workers * iterations, seed: 4)
        let training = try dataParallelRun(problem, exchange.algorithm, workers: workers) {
            $0.exchange.collective =
                exchange.isNatural ? CompressedCollective.natural.rawValue : exchange.collective.rawValue
            $0.clock.codecTime = codecTime
            $0.exchange.codec = try? exchange.codec.map { try CodecConfiguration(parsing: $0) }
            $0.exchange.allowsBias = true
            $0.clock.kind = .virtual(cost)
            $0.clock.computeSeconds = Self.compute
            $0.clock.straggler = straggler
            $0.evaluationsPerEpoch = 2
        }
        let record = try training.run().record
        #expect(record.updates == UInt64(iterations) && record.status == .completed && record.deterministic)
        let figures = record.exchange!
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
                // Through servers latencies overlap where ports let them.
                let latencies = ports == .pipelined && exchange.collective == .multiServer ? 2 : steps
                let expected = Self.compute + latencies * 1e-4 + steps * transfer / (Double(workers) * found.ratio)
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
        let serial = Exchange(algorithm: .serialReference, collective: .multiServer)
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
            // The first iteration takes the closed form of 1.3.2; from then on the server waits for the last worker's round alone, also
            // across the evaluation in the middle; that is what is predicted.
            let message = 1e-4 + 4 * 24 / 1e6 * 8
            let first = Self.compute + Double(2 * workers) * message
            let next = Self.compute + Double(workers + 1) * message
            let expected = (first + Double(iterations - 1) * next) / Double(iterations)
            #expect(abs(found.seconds - expected) <= 1e-12 * expected, "\(workers) workers")
            #expect(try abs(#require(found.predicted) - expected) <= 1e-12 * expected)
        }
    }

    static let slowed: [Exchange] =
        AllReduceAlgorithm.allCases.filter { $0 != .direct }.map {
            Exchange(algorithm: .gradientAggregation, collective: $0)
        }
        + [.multiServer, .parameterServer].map { Exchange(algorithm: .globalReplica, collective: $0) }
        + [AllReduceAlgorithm.multiServer, .parameterServer, .ring].flatMap { collective in
            ["quantize:bits=4,bucket=whole", "sign", "random-k:fraction=0.1", "identity"].map {
                Exchange(algorithm: .csgd, collective: collective, codec: $0)
            }
        }
        + ["low-rank", "count-sketch", "random-k:fraction=0.1", "top-k:fraction=0.1"].map {
            Exchange(algorithm: .csgd, collective: .ring, codec: $0, isNatural: true)
        }

    @Test(arguments: slowed, PortSemantics.allCases)
    func `what is predicted of a slow worker is what the run takes, whatever travels and however`(
        exchange: Exchange, ports: PortSemantics
    ) throws {
        let cost = try NetworkCost(latencySeconds: 1e-4, secondsPerMegabyte: 80, ports: ports)
        for workers in [1, 2, 3, 5, 8] {
            for (slow, factor) in [(0, 1.1), (workers / 2, 3), (workers - 1, 30)] {
                for codecTime in exchange.codec == nil ? [CodecTime.none] : [.none, .perMegabyte(seconds: 7)] {
                    // Chunks that are not all equally long.
                    let found = try figures(
                        exchange, workers: workers, elements: 24 * workers + 7, cost: cost,
                        straggler: .constant(rank: slow, factor: factor), iterations: 7, codecTime: codecTime)
                    let predicted = try #require(found.predicted)
                    #expect(
                        abs(found.seconds - predicted) <= 1e-12 * predicted,
                        "\(workers), \(slow) x \(factor), \(codecTime): \(found.seconds), not \(predicted)")
                }
            }
        }
    }

    @Test func `coding takes no time unless asked, and then what is asked of both clocks and codecs`() throws {
        let cost = try NetworkCost(latencySeconds: 1e-4, secondsPerMegabyte: 8)
        let exchange = Exchange(algorithm: .csgd, collective: .parameterServer, codec: "sign")
        let free = try figures(exchange, workers: 1, elements: 250, cost: cost, iterations: 4)
        let coded = try figures(
            exchange, workers: 1, elements: 250, cost: cost, iterations: 4, codecTime: .perMegabyte(seconds: 2))
        // Encode and decode, at the worker and at the server, whose last decoding nobody waits for but the clock.
        let code = 2 * 1e-3
        #expect(abs(coded.seconds - free.seconds - 4 * code) <= 1e-12)
    }
}
