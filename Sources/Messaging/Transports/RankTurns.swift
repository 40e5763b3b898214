// How the ranks of a fabric run one at a time, each leaving off in the middle of a call and going on there later.

/// Ranks of which one runs at a time, each ordered after the one that handed over to it. `LightRanks` keeps them on one thread,
/// `ThreadRanks` on a thread each.
protocol RankTurns: AnyObject, Sendable {
    /// The threads that all ranks need at the least.
    var threadCount: Int { get }

    /// Leaves rank `rank` until somebody hands over to it, and goes on with `next`, from its beginning if it has not begun. Called by the
    /// rank that runs.
    func handOver(from rank: Int, to next: Int)

    /// What each of the threads does so that all ranks run `body`, `first` first.
    ///
    /// - Parameter body: runs a rank to its end and says which rank goes on then; nil where all have ended.
    func threadBody(first: Int, _ body: @escaping @Sendable (Int) -> Int?) -> @Sendable (Int) -> Void
}
