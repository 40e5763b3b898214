// Asynchronous workers and the servers that they share, as programs and in closed form. Plain values; any thread.

/// The chunks of a model on servers, and how workers visit them: each in its own time, in the same order of servers (section 4.1).
public struct ServerLoads: Sendable, Equatable {
    /// The chunk of each server, of 10^6 bytes.
    public let megabytes: [Double]
    /// Gradients of one worker that may be under way: with more than one it does not wait for a push.
    public let pipelined: Int

    public init(megabytes: [Double], pipelined: Int = 1) {
        precondition(!megabytes.isEmpty && pipelined >= 1, "\(megabytes.count) servers, \(pipelined) gradients")
        self.megabytes = megabytes
        self.pipelined = pipelined
    }

    /// The programs of N workers, ranks 0..<N, who make T updates by turns; servers are the ranks from N on.
    public func programs(
        workers: Int, updates: Int, computeSeconds: @escaping @Sendable (_ rank: Int, _ update: Int) -> Double
    ) -> ServerPrograms {
        ServerPrograms(loads: self, workers: workers, updates: updates, computeSeconds: computeSeconds)
    }

    /// What T updates of N equal workers take; nil where the servers' chunks are not equal.
    ///
    /// A worker moves a model or a gradient in M = (K - 1) h + m: its port is held for h by each of the K chunks, and the last arrives after
    /// a message's time m. Its cycle is M + t_compute + M, or with several gradients under way M + t_compute, since pushes travel
    /// while it goes on. A server's two ports are independent: each is held for h by every worker in turn, which takes N h. Workers come to a
    /// server h apart and keep that order, so that the longer of the two is what N updates take.
    public func closedForm(
        workers: Int, over cost: NetworkCost, updates: Int, computeSeconds: Double
    ) -> ClosedForm? {
        guard megabytes.allSatisfy({ $0 == megabytes[0] }) else { return nil }
        let count = megabytes.count
        let (message, hold) = (
            cost.messageSeconds(megabytes: megabytes[0]), cost.holdSeconds(megabytes: megabytes[0])
        )
        let move = Double(count - 1) * hold + message
        let whole = 2 * move + computeSeconds
        let cycle = pipelined > 1 ? move + computeSeconds : whole
        let (rounds, turn) = (updates - 1).quotientAndRemainder(dividingBy: workers)
        let share = count > 1 ? " / K" : ""
        let port = cost.ports == .pipelined ? "t_transfer\(share)" : "(t_latency + t_transfer\(share))"
        let moved =
            count == 1
            ? "(t_latency + t_transfer)"
            : cost.ports == .pipelined ? "(t_latency + t_transfer)" : "(K t_latency + t_transfer)"
        let own = "\(pipelined > 1 ? "" : "2 ")\(moved) + t_compute"
        return ClosedForm(
            seconds: Double(rounds) * max(cycle, Double(workers) * hold) + Double(turn) * hold + whole,
            formula: "floor((T-1)/N) max(\(own), N \(port)) + ((T-1) mod N) \(port) + 2 \(moved) + t_compute")
    }
}

/// What the workers of `ServerLoads` do.
public struct ServerPrograms: RankPrograms {
    public let loads: ServerLoads
    /// N.
    public let workers: Int
    /// T, of all workers together.
    public let updates: Int
    fileprivate let computeSeconds: @Sendable (_ rank: Int, _ update: Int) -> Double

    public var rankCount: Int { workers + loads.megabytes.count }
    public var messageCount: Int { 2 * updates * loads.megabytes.count }

    /// Pulls one right behind the other, the computation, then the pushes the same way.
    public func operation(of rank: Int, at step: Int) -> RankOperation? {
        let count = loads.megabytes.count
        let isWaiting = loads.pipelined == 1
        // Pulls and their end; the computation; pushes with a wait for the port before all but the first, and their end.
        let pushSteps = isWaiting ? 2 * count : count + 1
        let (update, place) = step.quotientAndRemainder(dividingBy: count + 2 + pushSteps)
        guard rank < workers, update * workers + rank < updates else { return nil }
        if place < count { return .beginPull(from: workers + place, megabytes: loads.megabytes[place]) }
        if place == count { return .awaitPulled }
        if place == count + 1 { return .compute(seconds: computeSeconds(rank, update)) }
        let push = place - count - 2
        if push == pushSteps - 1 { return .awaitPosted(atMost: (loads.pipelined - 1) * count) }
        if isWaiting && !push.isMultiple(of: 2) { return .awaitSendPort }
        let chunk = isWaiting ? push / 2 : push
        return .post(to: workers + chunk, megabytes: loads.megabytes[chunk])
    }
}

/// Iterations of N workers and a server that wait for each other (Figure 4.1): all compute, the server gathers all gradients and then sends
/// the model to each. One iteration without computation is the pattern `parameterServer`.
public struct ServerIterations: RankPrograms {
    /// N.
    public let workers: Int
    public let megabytes: Double
    public let iterations: Int
    public let computeSeconds: Double

    public init(workers: Int, megabytes: Double, iterations: Int, computeSeconds: Double) {
        precondition(workers >= 1 && iterations >= 1, "\(workers) workers, \(iterations) iterations")
        self.workers = workers
        self.megabytes = megabytes
        self.iterations = iterations
        self.computeSeconds = computeSeconds
    }

    public var rankCount: Int { workers + 1 }
    public var messageCount: Int { 2 * workers * iterations }

    public func operation(of rank: Int, at step: Int) -> RankOperation? {
        let length = rank == workers ? 2 * workers : 3
        let (iteration, place) = step.quotientAndRemainder(dividingBy: length)
        guard iteration < iterations else { return nil }
        if rank == workers {
            return place < workers ? .receive(from: place) : .send(to: place - workers, megabytes: megabytes)
        }
        return switch place {
        case 0: .compute(seconds: computeSeconds)
        case 1: .send(to: workers, megabytes: megabytes)
        default: .receive(from: workers)
        }
    }
}
