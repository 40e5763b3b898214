// Which worker stands where.

/// The CPU, memory node and replica of every worker.
public struct Placement: Sendable, Equatable, Encodable {
    /// One worker's place; all but rank and replica are nil for a worker that is not pinned.
    public struct Worker: Sendable, Equatable, Encodable {
        public let rank: Int
        public let cpu: Int?
        /// The kernel's number of the core within its package.
        public let core: Int?
        public let package: Int?
        public let node: Int?
        /// The node its memory comes from: its own, or the nearest one that has memory this process may use.
        public let memoryNode: Int?
        /// The index in 0..<`replicaCount` of the node-local copy that it uses.
        public let replica: Int
    }

    public let policy: PlacementPolicy
    /// By rank.
    public let workers: [Worker]
    /// The memory node of each replica, ascending; empty where workers are not pinned and replica 0 is the only one.
    public let replicaNodes: [Int]
    /// The largest number of workers that share one CPU; 1 where each has its own.
    public let oversubscription: Int
    /// What the user should know about this placement, one line each.
    public let notices: [String]

    /// The number of node-local copies that serve these workers, at least 1.
    public var replicaCount: Int { max(1, replicaNodes.count) }

    /// `workers` threads that run wherever the kernel puts them.
    public static func unpinned(workers: Int) -> Placement {
        precondition(workers >= 1, "a placement of \(workers) workers")
        return Placement(
            policy: .none,
            workers: (0..<workers).map {
                Worker(rank: $0, cpu: nil, core: nil, package: nil, node: nil, memoryNode: nil, replica: 0)
            },
            replicaNodes: [], oversubscription: 1, notices: [])
    }
}
