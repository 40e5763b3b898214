// The programs of a pattern's ranks: each operation follows from (rank, step), nothing is stored. Any thread.

/// A pattern for N workers as little programs, one per rank, for the engine or to check real worker programs against.
public struct PatternPrograms: RankPrograms {
    public let pattern: Pattern
    /// N, at least 1.
    public let workers: Int
    public let partition: VectorPartition
    /// How many updates the workers of `asgd` apply together, by turns: T.
    public let updates: Int
    /// Seconds of `asgd`'s gradient computation, by rank and by the rank's own count of updates.
    private let computeSeconds: @Sendable (_ rank: Int, _ update: Int) -> Double

    /// The pattern with equal partitions of a vector of `megabytes` (of 10^6 bytes, as they travel).
    ///
    /// `updates` (default N) and `computeSeconds` concern `asgd` alone.
    public init(
        _ pattern: Pattern, workers: Int, megabytes: Double, updates: Int? = nil, computeSeconds: Double = 0
    ) {
        self.init(
            pattern, workers: workers,
            partition: VectorPartition(megabytes: megabytes, count: pattern.partitions(workers: workers)),
            updates: updates, computeSeconds: { _, _ in computeSeconds })
    }

    /// The pattern with partitions of any sizes, `pattern.partitions(workers:)` of them.
    public init(
        _ pattern: Pattern, workers: Int, partition: VectorPartition, updates: Int? = nil,
        computeSeconds: @escaping @Sendable (_ rank: Int, _ update: Int) -> Double = { _, _ in 0 }
    ) {
        precondition(workers >= 1, "\(workers) workers")
        precondition(
            partition.count == pattern.partitions(workers: workers),
            "\(partition.count) partitions for \(pattern.rawValue) with \(workers) workers")
        self.pattern = pattern
        self.workers = workers
        self.partition = partition
        self.updates = updates ?? workers
        self.computeSeconds = computeSeconds
    }

    public var rankCount: Int { pattern.ranks(workers: workers) }

    public var messageCount: Int { pattern.messageCount(workers: workers, updates: updates) }

    /// Runs the programs; see `Timeline.init(running:cost:keepingPassages:progress:)`.
    public func timeline(
        over cost: NetworkCost, keepingPassages: Bool = true, progress: (_ messages: Int) -> Void = { _ in }
    ) -> Timeline {
        Timeline(running: self, cost: cost, keepingPassages: keepingPassages, progress: progress)
    }

    /// The second half of `multiServer` or `parameterServer` alone: what the servers hold goes to all.
    public var pull: PatternPull { PatternPull(self) }

    public func operation(of rank: Int, at step: Int) -> RankOperation? {
        switch pattern {
        case .parameterServer: parameterServer(rank, step)
        case .ringAllReduce: ring(rank, step, rounds: 0..<2 * (workers - 1))
        case .reduceScatter: ring(rank, step, rounds: 0..<workers - 1)
        case .allGather: ring(rank, step, rounds: workers - 1..<2 * (workers - 1))
        case .ringUnpartitioned: unpartitionedRing(rank, step)
        case .multiServer: multiServer(rank, step)
        case .treeAllReduce: tree(rank, step)
        case .recursiveDoubling: recursiveDoubling(rank, step)
        case .halvingDoubling: halvingDoubling(rank, step)
        case .ringExchange: ringExchange(rank, step)
        case .broadcast: broadcast(rank, step)
        case .asgd: asgd(rank, step)
        }
    }

    private var whole: Double { partition.megabytes }

    private func parameterServer(_ rank: Int, _ step: Int) -> RankOperation? {
        if rank == workers {
            if step < workers { return .receive(from: step) }
            return step < 2 * workers ? .send(to: step - workers, megabytes: whole) : nil
        }
        return switch step {
        case 0: .send(to: workers, megabytes: whole)
        case 1: .receive(from: workers)
        default: nil
        }
    }

    /// Round k of 2(N-1): rank n sends partition n - k (mod N) to the right.
    private func ring(_ rank: Int, _ step: Int, rounds: Range<Int>) -> RankOperation? {
        let round = rounds.lowerBound + step / 2
        guard round < rounds.upperBound else { return nil }
        if !step.isMultiple(of: 2) { return .receive(from: left(of: rank, by: 1)) }
        let part = left(of: rank, by: round % workers)
        return .send(to: right(of: rank, by: 1), megabytes: partition.megabytes(of: part))
    }

    private func unpartitionedRing(_ rank: Int, _ step: Int) -> RankOperation? {
        guard workers > 1 else { return nil }
        let last = workers - 1
        let send = RankOperation.send(to: right(of: rank, by: 1), megabytes: whole)
        let receive = RankOperation.receive(from: left(of: rank, by: 1))
        // Rank 0 begins; the last rank holds the sum first and passes it on once; the one before it is the last to get it.
        let index = rank == 0 ? step : step - 1
        if index == -1 { return receive }
        return switch index {
        case 0: send
        case 1: rank == last ? nil : receive
        case 2: rank < last - 1 ? send : nil
        default: nil
        }
    }

    /// In each phase the messages k, 1 <= k < N, one behind the other as the send port takes them, and only then those of the others:
    /// none depends on another. Phase 1 pairs i with i xor k where N is a power of two, as Example 1.3.4 does, and else rotates as
    /// phase 2 does: i to i + k. So all ranks that keep step send to different ranks at any time. Posted together, the messages of one
    /// rank would take the receive ports of all others ahead of their neighbours' first ones.
    private func multiServer(_ rank: Int, _ step: Int) -> RankOperation? {
        let rounds = workers - 1
        guard step < 6 * rounds else { return nil }
        let isGathering = step < 3 * rounds
        let index = step % (3 * rounds)
        let isPaired = isGathering && workers.nonzeroBitCount == 1
        if index >= 2 * rounds {
            let k = index - 2 * rounds + 1
            return .receive(from: isPaired ? rank ^ k : left(of: rank, by: k))
        }
        if index.isMultiple(of: 2) { return .awaitSendPort }
        let k = index / 2 + 1
        let peer = isPaired ? rank ^ k : right(of: rank, by: k)
        return .send(to: peer, megabytes: partition.megabytes(of: isGathering ? peer : rank))
    }

    private func tree(_ rank: Int, _ step: Int) -> RankOperation? {
        let children = childCount(of: rank)
        if step < children { return .receive(from: rank + 1 << step) }
        if rank == 0 { return broadcast(rank, step - children) }
        return step == children
            ? .send(to: rank & (rank - 1), megabytes: whole) : broadcast(rank, step - children - 1)
    }

    private func broadcast(_ rank: Int, _ step: Int) -> RankOperation? {
        if rank != 0, step == 0 { return .receive(from: rank & (rank - 1)) }
        let child = childCount(of: rank) - 1 - (rank == 0 ? step : step - 1)
        return child < 0 ? nil : .send(to: rank + 1 << child, megabytes: whole)
    }

    /// The children of a rank in the binomial tree are rank + 2^j for 0 <= j < `childCount`.
    private func childCount(of rank: Int) -> Int {
        let above = workers - 1 - rank
        let existing = above == 0 ? 0 : above.floorLog2 + 1
        return rank == 0 ? existing : min(existing, rank.trailingZeroBitCount)
    }

    /// Below 2(N - 2^p), even ranks hand over to the next odd one; those left, in order, are the positions 0..<2^p.
    private func recursiveDoubling(_ rank: Int, _ step: Int) -> RankOperation? {
        let folded = workers - 1 << workers.floorLog2
        guard rank < 2 * folded else { return exchange(rank - folded, step, folded: folded) }
        if rank.isMultiple(of: 2) {
            return switch step {
            case 0: .send(to: rank + 1, megabytes: whole)
            case 1: .receive(from: rank + 1)
            default: nil
            }
        }
        if step == 0 { return .receive(from: rank - 1) }
        if step == 2 * workers.floorLog2 + 1 { return .send(to: rank - 1, megabytes: whole) }
        return exchange(rank / 2, step - 1, folded: folded)
    }

    private func exchange(_ position: Int, _ step: Int, folded: Int) -> RankOperation? {
        guard step / 2 < workers.floorLog2 else { return nil }
        let other = position ^ 1 << (step / 2)
        let peer = other < folded ? 2 * other + 1 : other + folded
        return step.isMultiple(of: 2) ? .send(to: peer, megabytes: whole) : .receive(from: peer)
    }

    /// Round k of ceil(log2 N) leaves rank n the ceil(N / 2^k) partitions from n on (mod N): those before, it hands to the rank
    /// as far to the right. Then the way back, last round first. Where N is a power of two, the partitions kept begin at the
    /// multiple of N / 2^k below n instead, and both partners of an exchange are n xor N / 2^k.
    private func halvingDoubling(_ rank: Int, _ step: Int) -> RankOperation? {
        let rounds = workers.ceilingLog2
        guard step < 4 * rounds else { return nil }
        let isHalving = step < 2 * rounds
        let round = isHalving ? step / 2 + 1 : 2 * rounds - step / 2
        let kept = (workers - 1) >> round + 1
        let given = (workers - 1) >> (round - 1) + 1 - kept
        let isPaired = workers.nonzeroBitCount == 1
        if !step.isMultiple(of: 2) {
            return .receive(
                from: isPaired ? rank ^ kept : isHalving ? left(of: rank, by: kept) : right(of: rank, by: kept))
        }
        let peer = isPaired ? rank ^ kept : isHalving ? right(of: rank, by: kept) : left(of: rank, by: kept)
        let first = isHalving ? peer : rank
        return .send(
            to: peer,
            megabytes: partition.megabytes(from: isPaired ? first & ~(kept - 1) : first, length: given))
    }

    /// The second message is posted once the first has left its port: posted together, the messages of one rank would take
    /// receive ports ahead of its neighbours' first ones.
    private func ringExchange(_ rank: Int, _ step: Int) -> RankOperation? {
        guard workers > 1 else { return nil }
        return switch step {
        case 0: .send(to: right(of: rank, by: 1), megabytes: whole)
        case 1: .awaitSendPort
        case 2: .send(to: left(of: rank, by: 1), megabytes: whole)
        case 3: .receive(from: left(of: rank, by: 1))
        case 4: .receive(from: right(of: rank, by: 1))
        default: nil
        }
    }

    private func asgd(_ rank: Int, _ step: Int) -> RankOperation? {
        let update = step / 3
        guard rank < workers, update * workers + rank < updates else { return nil }
        return switch step % 3 {
        case 0: .pull(from: workers, megabytes: whole)
        case 1: .compute(seconds: computeSeconds(rank, update))
        default: .push(to: workers, megabytes: whole)
        }
    }

    private func right(of rank: Int, by distance: Int) -> Int {
        rank + distance < workers ? rank + distance : rank + distance - workers
    }

    private func left(of rank: Int, by distance: Int) -> Int {
        rank >= distance ? rank - distance : rank - distance + workers
    }
}

/// What servers send once they have what they serve: a pattern without its first half.
public struct PatternPull: RankPrograms {
    private let whole: PatternPrograms

    fileprivate init(_ whole: PatternPrograms) {
        precondition(
            whole.pattern == .multiServer || whole.pattern == .parameterServer, "\(whole.pattern) has no servers")
        self.whole = whole
    }

    public var rankCount: Int { whole.rankCount }

    public func operation(of rank: Int, at step: Int) -> RankOperation? {
        let workers = whole.workers
        let firstHalf = whole.pattern == .multiServer ? 3 * (workers - 1) : rank == workers ? workers : 1
        return whole.operation(of: rank, at: firstHalf + step)
    }
}
