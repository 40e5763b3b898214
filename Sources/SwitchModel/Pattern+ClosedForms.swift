// The makespan of every pattern in closed form. Plain arithmetic; any thread.

/// A makespan as a formula of the model's constants.
public struct ClosedForm: Sendable, Equatable {
    public let seconds: Double
    /// For people: t_latency, t_transfer (of the whole vector), N workers, and for `asgd` T updates of t_compute each.
    public let formula: String
}

extension Pattern {
    /// What the pattern takes with `workers` >= 1 and equal partitions of `megabytes` (of 10^6 bytes, as they travel).
    ///
    /// Exact up to rounding, for every cost. `updates` >= 1 (default N) and `computeSeconds` concern `asgd`, and in multiples of
    /// N `parameterServer`. Partitions
    /// that are not equal, as where N does not divide the vector, make ranks wait for each other in ways that no formula
    /// here covers: `PatternPrograms` simulates them.
    ///
    /// Deviates from the book where ERRATA says so: ring and multi-server take 2(N-1) steps with N workers.
    public func closedForm(
        workers: Int, megabytes: Double, over cost: NetworkCost, updates: Int? = nil, computeSeconds: Double = 0
    ) -> ClosedForm {
        let form = ClosedForms(
            workers: workers, latency: cost.latencySeconds, transfer: cost.transferSeconds(megabytes: megabytes),
            isPipelined: cost.ports == .pipelined)
        return switch self {
        case .parameterServer: form.parameterServer(updates: updates ?? workers, computeSeconds: computeSeconds)
        case .ringAllReduce: form.partitioned(steps: 2 * (workers - 1), "2 (N-1)")
        case .multiServer: form.multiServer
        case .reduceScatter, .allGather: form.partitioned(steps: workers - 1, "(N-1)")
        case .ringUnpartitioned: form.whole(messages: 2 * (workers - 1), "2 (N-1)")
        case .treeAllReduce: form.tree
        case .recursiveDoubling: form.recursiveDoubling
        case .halvingDoubling: form.halvingDoubling
        case .ringExchange: form.ringExchange
        case .broadcast: form.broadcast
        case .asgd: form.asgd(updates: updates ?? workers, computeSeconds: computeSeconds)
        }
    }
}

/// The formulas, with N workers, t_latency, t_transfer of the whole vector, and one message D = t_latency + t_transfer.
private struct ClosedForms {
    let workers: Int
    let latency: Double
    let transfer: Double
    let isPipelined: Bool

    private var message: Double { latency + transfer }
    private var hold: Double { isPipelined ? transfer : message }
    private var floorLog2: Int { workers.floorLog2 }
    private var ceilingLog2: Int { workers.ceilingLog2 }
    private var isPowerOfTwo: Bool { floorLog2 == ceilingLog2 }

    /// `messages` whole vectors one after the other.
    func whole(messages: Int, _ name: String) -> ClosedForm {
        ClosedForm(seconds: Double(messages) * message, formula: "\(name) (t_latency + t_transfer)")
    }

    /// `steps` partitions one after the other.
    func partitioned(steps: Int, _ name: String) -> ClosedForm {
        ClosedForm(
            seconds: Double(steps) * (latency + transfer / Double(workers)),
            formula: "\(name) (t_latency + t_transfer / N)")
    }

    /// In each of the two halves a rank's N - 1 messages leave one behind the other, `hold` apart, and no receive port is wanted by two of
    /// them at once: the last one starts (N - 2) `hold` after the first, and arrives a message's time later. Under `.occupied` that is
    /// (N - 1) (t_latency + t_transfer / N), as in a ring; under `.pipelined` the latencies overlap, and t_latency + (N - 1)
    /// t_transfer / N are left, where each step of a ring needs what the one before has brought.
    var multiServer: ClosedForm {
        guard isPipelined, workers > 1 else { return partitioned(steps: 2 * (workers - 1), "2 (N-1)") }
        return ClosedForm(
            seconds: 2 * (latency + Double(workers - 1) * transfer / Double(workers)),
            formula: "2 t_latency + 2 (N-1)/N t_transfer")
    }

    /// N messages into one port, then N out of one. In the iterations that follow, those whom the server answers first compute and send
    /// while it answers the others: when the last one's gradient comes, all others are there, and one message in and N out are left. As every
    /// makespan it begins with the first message, after the first computation.
    func parameterServer(updates: Int, computeSeconds: Double) -> ClosedForm {
        let first =
            isPipelined
            ? ClosedForm(
                seconds: 2 * (latency + Double(workers) * transfer), formula: "2 (t_latency + N t_transfer)")
            : whole(messages: 2 * workers, "2 N")
        let later = Double(updates / workers - 1)
        if later == 0 { return first }
        let round = isPipelined ? 2 * latency + Double(workers + 1) * transfer : Double(workers + 1) * message
        let text = isPipelined ? "2 t_latency + (N+1) t_transfer" : "(N+1) (t_latency + t_transfer)"
        return ClosedForm(
            seconds: first.seconds + later * (round + computeSeconds),
            formula: "\(first.formula) + (T/N - 1) (\(text) + t_compute)")
    }

    var ringExchange: ClosedForm {
        guard workers > 1 else { return ClosedForm(seconds: 0, formula: "0") }
        return isPipelined
            ? ClosedForm(seconds: latency + 2 * transfer, formula: "t_latency + 2 t_transfer")
            : ClosedForm(seconds: 2 * message, formula: "2 t_latency + 2 t_transfer")
    }

    /// Under `.pipelined` the root's messages follow each other at t_transfer. A path of k messages to a rank whose number
    /// has k one bits waits for the transfers of the bits between them, too, and where N is no power of two no path has a
    /// message for each of the ceil(log2 N) transfers.
    var broadcast: ClosedForm {
        guard isPipelined, !isPowerOfTwo else { return whole(messages: ceilingLog2, "ceil(log2 N)") }
        return ClosedForm(
            seconds: Double(floorLog2) * latency + Double(ceilingLog2) * transfer,
            formula: "floor(log2 N) t_latency + ceil(log2 N) t_transfer")
    }

    /// Under `.pipelined` the reduction of N = 2^m ranks takes m D. Else the root's last child, whose subtree is smaller
    /// than the others', comes early and may delay one of them by up to a transfer: by t_transfer less one t_latency for
    /// each zero that the chain of delayed children skips in the binary form of N - 1, whichever chain is best: down to
    /// the second one bit, or to the end.
    var tree: ClosedForm {
        guard isPipelined, !isPowerOfTwo else { return whole(messages: 2 * ceilingLog2, "2 ceil(log2 N)") }
        let digits = workers - 1
        let zeros = ceilingLog2 - digits.nonzeroBitCount
        let rest = digits - 1 << (ceilingLog2 - 1)
        let leadingZeros = ceilingLog2 - 1 - (rest == 0 ? 0 : rest.floorLog2 + 1)
        let skipped = min(zeros - 1, leadingZeros)
        return ClosedForm(
            seconds: Double(ceilingLog2 - 1) * message + max(0, transfer - Double(skipped) * latency)
                + broadcast.seconds,
            formula: """
                (ceil(log2 N) - 1) (t_latency + t_transfer) + max(0, t_transfer - \(skipped) t_latency) + \
                \(broadcast.formula)
                """)
    }

    /// With N = 2^p + r, 0 < r < 2^p: one message to fold, p rounds, one message back. Ranks that are not folded run a
    /// round ahead and wait. Under `.pipelined` only a part of that wait is left to ranks that answer a folded one: the
    /// last message arrives max(0, t_transfer - j t_latency) after (p + 1) D, j = p - 1 - ceil(log2 r). That term was read
    /// off simulations in exact arithmetic, N < 300, and is not proved.
    var recursiveDoubling: ClosedForm {
        guard !isPowerOfTwo else { return whole(messages: floorLog2, "log2 N") }
        guard isPipelined else { return whole(messages: floorLog2 + 2, "(floor(log2 N) + 2)") }
        let lead = floorLog2 - 1 - (workers - 1 << floorLog2).ceilingLog2
        return ClosedForm(
            seconds: Double(floorLog2 + 1) * message + max(0, transfer - Double(lead) * latency),
            formula: lead < 0
                ? "(floor(log2 N) + 2) (t_latency + t_transfer)"
                : "(floor(log2 N) + 1) (t_latency + t_transfer) + max(0, t_transfer - \(lead) t_latency)")
    }

    /// In each of the ceil(log2 N) rounds of a half all ranks move equally much, so that nobody waits; together N - 1 partitions.
    var halvingDoubling: ClosedForm {
        ClosedForm(
            seconds: 2 * Double(ceilingLog2) * latency + 2 * transfer * Double(workers - 1) / Double(workers),
            formula: "2 ceil(log2 N) t_latency + 2 (N-1)/N t_transfer")
    }

    /// Workers come to the server in turn, `hold` apart, and keep that order: a round begins when the first worker is back
    /// (bound by computing) or when the server has sent the model to all (bound by the server).
    func asgd(updates: Int, computeSeconds: Double) -> ClosedForm {
        let cycle = 2 * message + computeSeconds
        let (rounds, turn) = (updates - 1).quotientAndRemainder(dividingBy: workers)
        let server = isPipelined ? "t_transfer" : "(t_latency + t_transfer)"
        let own = "2 (t_latency + t_transfer) + t_compute"
        return ClosedForm(
            seconds: Double(rounds) * max(cycle, Double(workers) * hold) + Double(turn) * hold + cycle,
            formula: "floor((T-1)/N) max(\(own), N \(server)) + ((T-1) mod N) \(server) + \(own)")
    }
}
