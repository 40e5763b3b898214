// What the switch model says of a collective among workers that compute before it. On the main thread.

import Messaging
import SwitchModel

/// Times of one collective's rounds: all workers begin together, compute as long as the straggler model has it, and communicate.
struct CollectivePrediction {
    let pattern: Pattern
    let workers: Int
    let cost: NetworkCost
    let computeSeconds: Double
    let straggler: Straggler

    /// With the workers' computations at each of `steps`, from the beginning until the last message has arrived.
    func seconds(bytes: Int, steps: Range<UInt64>) -> [Double] {
        if !straggler.isDrawn { return Array(repeating: seconds(bytes: bytes, step: 0), count: steps.count) }
        return steps.map { seconds(bytes: bytes, step: $0) }
    }

    private func seconds(bytes: Int, step: UInt64) -> Double {
        let partition = VectorPartition(elements: bytes / 4, count: pattern.partitions(workers: workers))
        let rounds = ComputingPrograms(
            communication: PatternPrograms(pattern, workers: workers, partition: partition),
            computeSeconds: (0..<workers).map { straggler.factor(rank: $0, step: step) * computeSeconds })
        let timeline = Timeline(running: rounds, cost: cost, keepingPassages: false)
        return max(timeline.lastEnd, rounds.computeSeconds.max() ?? 0)
    }
}

/// A pattern before which each worker computes; a dedicated server does not.
private struct ComputingPrograms: RankPrograms {
    let communication: PatternPrograms
    /// By worker.
    let computeSeconds: [Double]

    var rankCount: Int { communication.rankCount }

    func operation(of rank: Int, at step: Int) -> RankOperation? {
        guard step == 0 else { return communication.operation(of: rank, at: step - 1) }
        return .compute(seconds: rank < computeSeconds.count ? computeSeconds[rank] : 0)
    }
}
