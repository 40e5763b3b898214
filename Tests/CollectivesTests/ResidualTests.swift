import Collectives
import Compression
import Kernels
import Messaging
import Platform
import SwitchModel
import Testing

/// Lemma 3.4.1: whatever the codec drops comes back, at every iteration.
@Suite struct ResidualTests {
    static let natural = [
        "top-k:fraction=0.1", "low-rank:rank=1", "count-sketch:width=40,recover=top-k,k=15",
        "random-k:fraction=0.3,scale=none",
    ]
    static let cases: [(collective: CompressedCollective, codec: String)] =
        [CompressedCollective.multiServer, .parameterServer, .ring].flatMap { collective in
            ["top-k:fraction=0.1", "sign:bucket=8", "quantize:bits=2,bucket=8", "low-rank:rank=1"].map {
                (collective, $0)
            }
        } + natural.map { (.natural, $0) }

    @Test(arguments: cases, [[0.25, 0.25, 0.25, 0.25, 0.25, 0.25], [0.5, 0.4, 0.3, 0.29, 0.1, 0.099]])
    func `the average is the mean of the gradients, plus the residuals before and less those after`(
        _ exchange: (collective: CompressedCollective, codec: String), stepSizes: [Double]
    ) throws {
        for workers in [1, 2, 3, 4, 7] {
            let length = 12 * workers + 5
            let run = CompressedRun(
                collective: exchange.collective, codec: exchange.codec, workers: workers, length: length,
                hasFeedback: true,
                stepSizes: stepSizes)
            let outcomes = try run.outcomes()
            var before = [Double](repeating: 0, count: length)
            for (t, stepSize) in stepSizes.enumerated() {
                let after = outcomes.reduce(into: [Double](repeating: 0, count: length)) { sum, outcome in
                    for i in sum.indices { sum[i] += outcome.residuals[t][i] }
                }
                let scale = t == 0 ? 1 : stepSizes[t - 1] / stepSize
                let mean = run.mean(t)
                let largest = (mean + before + after).map(abs).max()!
                for i in 0..<length {
                    let expected = mean[i] + scale * before[i] - after[i]
                    let found = Double(outcomes[0].vectors[t][i])
                    if abs(found - expected) > 4e-6 * largest {
                        Issue.record("\(workers) workers, iteration \(t), element \(i): \(found), not \(expected)")
                        return
                    }
                }
                #expect(outcomes.allSatisfy { $0.vectors[t] == outcomes[0].vectors[t] })
                #expect(after.contains { abs($0) > 0.01 * largest }, "nothing was lost")
                before = after
            }
        }
    }

    @Test func `a reset forgets, and another fabric goes on where the last one stopped`() throws {
        let workers = 3
        let run = CompressedRun(
            collective: .multiServer, codec: "sign:bucket=8", workers: workers, length: 50, hasFeedback: true,
            stepSizes: [1, 1])
        let whole = try run.outcomes()
        let kept = try (0..<workers).map { Kept(average: try run.average(rank: $0)) }
        func pass(_ t: Int) throws -> [[Float]] {
            try Fabric(count: workers).run { communicator in
                var vector = run.gradient(communicator.rank, t)
                try vector.withUnsafeMutableBufferPointer {
                    try kept[communicator.rank].average.average($0, step: UInt64(t), over: communicator)
                }
                return vector
            }
        }
        #expect(try pass(0) == whole.map { $0.vectors[0] })
        #expect(try pass(1) == whole.map { $0.vectors[1] })
        for one in kept { one.average.reset() }
        #expect(try pass(0) == whole.map { $0.vectors[0] })
    }

    /// Sendable: each rank's thread uses its own, and the fabrics run one after the other.
    private struct Kept: @unchecked Sendable {
        let average: CompressedAverage
    }
}
