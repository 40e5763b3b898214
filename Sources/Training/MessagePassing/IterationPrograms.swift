// Iterations of data-parallel SGD as programs for the switch model: computation, then what is exchanged. Plain values; any thread.

internal import SwitchModel

/// Iteration after iteration by all ranks, each beginning its next one as soon as its share of the exchange is over.
struct IterationPrograms: RankPrograms {
    /// By worker; a dedicated server computes nothing.
    private let computeSeconds: [Double]
    /// What follows the computation, one after the other.
    private let exchanges: [any RankPrograms]
    /// By rank, how many operations each exchange has.
    private let lengths: [[Int]]
    private var iterations = 1

    init(_ exchanges: [any RankPrograms], computeSeconds: [Double]) {
        self.computeSeconds = computeSeconds
        self.exchanges = exchanges
        lengths = (0..<exchanges[0].rankCount).map { rank in
            exchanges.map { exchange in
                var step = 0
                while exchange.operation(of: rank, at: step) != nil { step += 1 }
                return step
            }
        }
    }

    var rankCount: Int { exchanges[0].rankCount }

    func operation(of rank: Int, at step: Int) -> RankOperation? {
        let lengths = lengths[rank]
        let (iteration, index) = step.quotientAndRemainder(dividingBy: 1 + lengths.reduce(0, +))
        if iteration == iterations { return nil }
        if index == 0 { return .compute(seconds: rank < computeSeconds.count ? computeSeconds[rank] : 0) }
        var left = index - 1
        for (exchange, length) in zip(exchanges, lengths) {
            if left < length { return exchange.operation(of: rank, at: left) }
            left -= length
        }
        preconditionFailure("operation \(index) of an iteration")
    }

    /// Seconds of `iterations` >= 1 iterations from a common start until the last rank is done.
    ///
    /// Where an exchange lets some ranks go on before others, such as the first whom a server answers, iterations overlap, and many take
    /// less than as many times the first. Beyond some millions of operations, or 64 iterations, the rest is taken to go on as the second
    /// half of those that were simulated.
    func seconds(iterations: Int, over cost: NetworkCost) -> Double {
        let operations = lengths.reduce(0) { $0 + 1 + $1.reduce(0, +) }
        let most = max(2, min(64, 4_000_000 / operations))
        func simulated(_ iterations: Int) -> Double {
            var programs = self
            programs.iterations = iterations
            return Timeline(running: programs, cost: cost, keepingPassages: false).programsEnd
        }
        if iterations <= most { return simulated(iterations) }
        let (half, all) = (simulated(most / 2), simulated(most))
        return all + Double(iterations - most) * (all - half) / Double(most - most / 2)
    }
}
