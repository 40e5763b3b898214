// Iterations of data-parallel SGD as programs for the switch model: computation, then a pattern. Plain values; any thread.

internal import SwitchModel

/// Iteration after iteration by all ranks, each beginning its next one as soon as its part in the pattern is over.
struct IterationPrograms: RankPrograms {
    /// By rank, of one iteration.
    private let operations: [[RankOperation]]
    private let iterations: Int

    /// `computeSeconds` by worker; a dedicated server computes nothing.
    private init(_ pattern: PatternPrograms, computeSeconds: [Double], iterations: Int) {
        self.iterations = iterations
        operations = (0..<pattern.rankCount).map { rank in
            var own: [RankOperation] = rank < computeSeconds.count ? [.compute(seconds: computeSeconds[rank])] : []
            while let next = pattern.operation(of: rank, at: own.count - (rank < computeSeconds.count ? 1 : 0)) {
                own.append(next)
            }
            return own
        }
    }

    var rankCount: Int { operations.count }

    func operation(of rank: Int, at step: Int) -> RankOperation? {
        let own = operations[rank]
        return step < own.count * iterations ? own[step % own.count] : nil
    }

    /// Seconds of one iteration among many.
    ///
    /// Where a pattern lets some ranks go on before others, such as the first whom a server answers, iterations overlap, and this is less
    /// than computation and makespan together.
    static func secondsPerIteration(
        of pattern: PatternPrograms, computeSeconds: [Double], over cost: NetworkCost
    ) -> Double {
        func seconds(_ iterations: Int) -> Double {
            let programs = IterationPrograms(pattern, computeSeconds: computeSeconds, iterations: iterations)
            // The last worker may still compute when the last message has arrived, as where there is none.
            return max(
                Timeline(running: programs, cost: cost, keepingPassages: false).lastEnd,
                Double(iterations) * (computeSeconds.max() ?? 0))
        }
        // All ranks end together: no overlap. With partitions that are not equally long some have less to wait for.
        let sizes = (0..<pattern.partition.count).map { pattern.partition.megabytes(of: $0) }
        if pattern.pattern.endsTogether(computeSeconds), sizes.allSatisfy({ abs($0 - sizes[0]) <= 1e-12 * sizes[0] }) {
            return seconds(1)
        }
        let count = 8
        return (seconds(2 * count) - seconds(count)) / Double(count)
    }
}

extension Pattern {
    /// Whether all workers end at the same time.
    ///
    /// Under recursive doubling a slow worker has its peers' messages when it comes and ends before them.
    fileprivate func endsTogether(_ computeSeconds: [Double]) -> Bool {
        switch self {
        case .ringAllReduce, .multiServer, .halvingDoubling, .reduceScatter, .allGather: true
        case .recursiveDoubling: computeSeconds.count.nonzeroBitCount == 1 && Set(computeSeconds).count == 1
        default: false
        }
    }
}
