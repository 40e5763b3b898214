import Collectives
import Compression
import Messaging
import Platform
import SwitchModel
import Testing

/// Under the virtual clock compressed averages take what section 3.1.2 says.
@Suite struct CompressedTimeTests {
    static let exchanges: [(collective: CompressedCollective, codec: String)] =
        [CompressedCollective.multiServer, .parameterServer, .ring].flatMap { collective in
            ["quantize:bits=4,bucket=whole", "sign", "random-k:fraction=0.1", "identity"].map { (collective, $0) }
        } + ["low-rank", "count-sketch", "random-k:fraction=0.1", "top-k:fraction=0.1"].map { (.natural, $0) }

    @Test(arguments: exchanges, PortSemantics.allCases)
    func `an average takes what is predicted from the encoded sizes, whatever the chunks`(
        _ exchange: (collective: CompressedCollective, codec: String), ports: PortSemantics
    ) throws {
        for (latency, perMegabyte) in [(1.5e-4, 20.0), (0, 2.5)] {
            let cost = try NetworkCost(latencySeconds: latency, secondsPerMegabyte: perMegabyte, ports: ports)
            for workers in [1, 2, 3, 4, 5, 8] {
                for length in [0, 1, 16 * workers, 101] {
                    let run = CompressedRun(
                        collective: exchange.collective, codec: exchange.codec, workers: workers, length: length,
                        clock: .virtual(cost))
                    let outcomes = try run.outcomes()
                    let found = outcomes.map(\.seconds).max()!
                    let expected = outcomes[0].predictedSeconds
                    #expect(
                        abs(found - expected) <= 1e-12 * expected, "\(workers) x \(length): \(found), not \(expected)")
                }
            }
        }
    }

    @Test(arguments: exchanges) func `coding takes of each rank's time what the model is told, and is predicted`(
        _ exchange: (collective: CompressedCollective, codec: String)
    ) throws {
        for ports in PortSemantics.allCases {
            let cost = try NetworkCost(latencySeconds: 1.5e-4, secondsPerMegabyte: 20, ports: ports)
            for workers in [1, 2, 3, 4, 7] {
                var run = CompressedRun(
                    collective: exchange.collective, codec: exchange.codec, workers: workers, length: 16 * workers + 5,
                    clock: .virtual(cost), hasFeedback: true, stepSizes: [1, 0.5])
                let free = try run.outcomes()
                run.codecTime = .perMegabyte(seconds: 3)
                let coded = try run.outcomes()
                #expect(coded.map(\.vectors) == free.map(\.vectors) && coded.map(\.residuals) == free.map(\.residuals))
                // Nobody codes less than its own vector, once.
                let least = 2 * 3 * Double(4 * run.length) / 1e6
                #expect(coded.map(\.seconds).max()! >= free.map(\.seconds).max()! + 0.99 * least / Double(workers))
                run.stepSizes = [1]
                let once = try run.outcomes()
                let (found, expected) = (once.map(\.seconds).max()!, once[0].predictedSeconds)
                #expect(abs(found - expected) <= 1e-12 * expected, "\(workers): \(found), not \(expected)")
            }
        }
    }

    @Test(arguments: [CompressedCollective.multiServer, .ring], [2, 4, 7])
    func `compression leaves the latency and divides the transfer by the true ratio`(
        collective: CompressedCollective, workers: Int
    ) throws {
        let cost = try NetworkCost(latencySeconds: 1e-4, secondsPerMegabyte: 8)
        let chunk = 24
        let run = CompressedRun(
            collective: collective, codec: "quantize:bits=4,bucket=whole", workers: workers, length: chunk * workers,
            clock: .virtual(cost))
        let outcome = try run.outcomes()[0]
        // Header, scale's exponent, minimum and step, and 4 bits an element.
        let bytes = 8 + 4 + 8 + chunk / 2
        let ratio = Double(outcome.uncompressedBytes) / Double(outcome.encodedBytes)
        #expect(abs(ratio - Double(4 * chunk) / Double(bytes)) < 1e-12)
        let steps = Double(2 * (workers - 1))
        let transfer = Double(4 * chunk * workers) / 1e6 * 8
        let expected = steps * 1e-4 + steps / Double(workers) * transfer / ratio
        #expect(abs(outcome.seconds - expected) <= 1e-12 * expected)
        #expect(outcome.sentBytes == 2 * (workers - 1) * bytes)
    }

    @Test func `messages of varying length are predicted from their mean once there are some`() throws {
        let cost = try NetworkCost(latencySeconds: 0, secondsPerMegabyte: 1)
        let run = CompressedRun(
            collective: .natural, codec: "threshold:rms=1.5", workers: 4, length: 400, clock: .virtual(cost))
        let outcomes = try run.outcomes()
        let largest = try run.average(rank: 0).predictedSeconds(over: cost)
        #expect(abs(largest - 3 * Double(8 + 4 + 6 * 400) / 1e6) < 1e-15)
        let mean = outcomes.reduce(0.0) { $0 + Double($1.sentBytes) } / 4 / 1e6
        for outcome in outcomes {
            #expect(outcome.predictedSeconds < 0.5 * largest)
            #expect(abs(outcome.predictedSeconds - mean) < 0.3 * mean)
        }
    }
}
