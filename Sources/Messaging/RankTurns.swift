// How the ranks of a fabric run one at a time, each leaving off in the middle of a call and going on there later.

internal import Platform

/// Ranks of which one runs at a time. `LightRanks` keeps them on one thread, `ThreadRanks` on a thread each.
class RankTurns: @unchecked Sendable {
    // Sendable: one rank runs at a time, and handing over orders what it wrote before what the next one reads.

    /// Leaves rank `rank` until somebody hands over to it, and goes on with `next`, from its beginning if it has not begun. Called by the
    /// rank that runs.
    func handOver(from rank: Int, to next: Int) { preconditionFailure("how ranks take turns is for a subclass to say") }

    /// Runs `body` for every rank, from the first one that is handed over to.
    ///
    /// - Parameter body: runs a rank to its end and says which rank goes on then; nil where all have ended.
    func run(first: Int, on team: WorkerTeam?, whileWaiting: () -> Void, _ body: @Sendable (Int) -> Int?)
        throws(InputError)
    {
        preconditionFailure("how ranks take turns is for a subclass to say")
    }
}
