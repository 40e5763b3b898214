// The discrete-event engine: ranks run their programs in the global order (time, rank). On the caller's thread.

extension Timeline {
    /// Runs one program per rank, from time 0, until all have ended.
    ///
    /// The rank that is least in (time, rank) goes on until it ends, waits or lets time pass; what it posts meanwhile
    /// reserves its ports in that order. `keepingPassages: false` needs memory for the ranks and the messages under way
    /// alone. A rank that waits for a message that nobody sends is a programmer's mistake and stops the process.
    /// `progress` hears now and then how many messages have been posted.
    public init(
        running programs: some RankPrograms, cost: NetworkCost, keepingPassages: Bool = true,
        progress: (_ messages: Int) -> Void = { _ in }
    ) {
        self.init(ranks: programs.rankCount, cost: cost)
        var ports = Switch(ranks: ranks, cost: cost)
        var ready = ReadyQueue(ranks: ranks)
        var pending = PendingMessages(ranks: ranks)
        var steps = [Int](repeating: 0, count: ranks)
        /// By rank, whom it waits for, or -1; and since when.
        var awaited = [Int](repeating: -1, count: ranks)
        var since = [Double](repeating: 0, count: ranks)

        /// By rank: when what it pulls has arrived, and when what it has posted arrives, in this order.
        var pulled = [Double](repeating: 0, count: ranks)
        var posted = [[Double]](repeating: [], count: ranks)

        while let (now, rank) = ready.popFirst().map({ ($0.time, $0.rank) }) {
            var step = steps[rank]
            /// The time at which the rank goes on; nil once it has ended or waits for a message not yet posted.
            var resume: Double? = now
            while resume == now {
                guard let operation = programs.operation(of: rank, at: step) else {
                    noteEnd(of: now)
                    resume = nil
                    break
                }
                step += 1
                switch operation {
                case .send(let to, let megabytes):
                    let end = post(from: rank, to: to, megabytes: megabytes)
                    if awaited[to] == rank {
                        awaited[to] = -1
                        ready.push(.init(time: max(since[to], end), rank: to))
                    } else {
                        pending.append(from: rank, to: to, end: end)
                    }
                case .receive(let from):
                    if let end = pending.takeFirst(from: from, to: rank) {
                        resume = max(now, end)
                    } else {
                        awaited[rank] = from
                        since[rank] = now
                        resume = nil
                    }
                case .awaitSendPort:
                    resume = max(now, ports.sendPortFree(of: rank))
                case .compute(let seconds):
                    precondition(seconds >= 0, "rank \(rank) computes for \(seconds) s")
                    resume = now + seconds
                case .pull(let from, let megabytes):
                    resume = post(from: from, to: rank, megabytes: megabytes)
                case .push(let to, let megabytes):
                    resume = post(from: rank, to: to, megabytes: megabytes)
                case .beginPull(let from, let megabytes):
                    pulled[rank] = max(pulled[rank], post(from: from, to: rank, megabytes: megabytes))
                    resume = max(now, ports.sendPortFree(of: from))
                case .awaitPulled:
                    resume = max(now, pulled[rank])
                case .post(let to, let megabytes):
                    posted[rank].append(post(from: rank, to: to, megabytes: megabytes))
                case .awaitPosted(let count):
                    posted[rank].removeAll { $0 <= now }
                    let excess = posted[rank].count - count
                    if excess > 0 {
                        resume = posted[rank][excess - 1]
                        posted[rank].removeFirst(excess)
                    }
                }
            }
            steps[rank] = step
            if let resume { ready.push(.init(time: resume, rank: rank)) }

            func post(from: Int, to: Int, megabytes: Double) -> Double {
                let reservation = ports.reserve(at: now, from: from, to: to, megabytes: megabytes)
                append(
                    Posting(at: now, from: from, to: to, megabytes: megabytes), reservation, keeping: keepingPassages)
                if messageCount & 0xFFFF == 0 { progress(messageCount) }
                return reservation.end
            }
        }
        for (rank, from) in awaited.enumerated() where from >= 0 {
            preconditionFailure("rank \(rank) waits for a message that rank \(from) never sends")
        }
        sortByStart()
    }
}
