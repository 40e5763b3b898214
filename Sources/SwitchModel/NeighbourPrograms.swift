// One round of an exchange with neighbours as programs for the switch model. Plain values; any thread.

/// Every rank sends its vector to its targets, one as soon as the one before is on its way, and receives from its sources. Where the first
/// targets of all ranks are different ones, and the second, and so on, k targets cost k (t_latency + t_transfer) under `occupied`.
public struct NeighbourPrograms: RankPrograms {
    private let targets: [[Int]]
    private let sources: [[Int]]
    private let megabytes: Double

    /// `targets` and `sources` by rank, each in its order; one who stands there twice twice.
    public init(targets: [[Int]], sources: [[Int]], megabytes: Double) {
        precondition(sources.count == targets.count, "\(sources.count) ranks that receive, \(targets.count) that send")
        self.targets = targets
        self.sources = sources
        self.megabytes = megabytes
    }

    public var rankCount: Int { targets.count }
    public var messageCount: Int { targets.reduce(0) { $0 + $1.count } }

    public func operation(of rank: Int, at step: Int) -> RankOperation? {
        let own = targets[rank]
        let sending = max(0, 2 * own.count - 1)
        if step < sending {
            return step.isMultiple(of: 2) ? .send(to: own[step / 2], megabytes: megabytes) : .awaitSendPort
        }
        let place = step - sending
        return place < sources[rank].count ? .receive(from: sources[rank][place]) : nil
    }
}
