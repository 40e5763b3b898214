// What ranks do, as far as the switch is concerned. Plain values; any thread.

/// One step of a rank's program.
public enum RankOperation: Sendable, Equatable {
    /// Posts a message at the rank's time and goes on: the ports decide when it travels.
    case send(to: Int, megabytes: Double)
    /// Waits until the oldest message of `from` to this rank that was not yet received has fully arrived.
    case receive(from: Int)
    /// Waits until this rank's send port is free, so that what it posted is on its way.
    case awaitSendPort
    /// Lets time pass.
    case compute(seconds: Double)
    /// Fetches from a passive rank: posts a message from it to this rank and waits until it has arrived.
    case pull(from: Int, megabytes: Double)
    /// Delivers to a passive rank: posts a message to it, which it need not receive, and waits until it has arrived.
    case push(to: Int, megabytes: Double)
    /// As `pull`, until this rank's receive port is free.
    case beginPull(from: Int, megabytes: Double)
    /// Waits until all has arrived that `beginPull` fetches.
    case awaitPulled
    /// Begins to deliver to a passive rank, and goes on.
    case post(to: Int, megabytes: Double)
    /// Waits until at most so many of the messages of `post` are under way.
    case awaitPosted(atMost: Int)
}

/// The programs of all ranks, asked for one operation at a time so that they need not be stored.
public protocol RankPrograms: Sendable {
    var rankCount: Int { get }

    /// The operation of `rank` at its `step`, counted from 0; nil after the last. Called once per step, in order.
    func operation(of rank: Int, at step: Int) -> RankOperation?
}
