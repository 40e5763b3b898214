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

        package init(
            rank: Int, cpu: Int?, core: Int?, package: Int?, node: Int?, memoryNode: Int?, replica: Int
        ) {
            self.rank = rank
            self.cpu = cpu
            self.core = core
            self.package = package
            self.node = node
            self.memoryNode = memoryNode
            self.replica = replica
        }
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

    /// Places `workers` threads, by default as many as the policy has it, on the usable CPUs of a machine; where they outnumber these,
    /// the CPUs are given out again from the first.
    ///
    /// Throws for fewer than one worker and for a CPU in an explicit list that is missing, switched off or not usable.
    public init(_ policy: PlacementPolicy, workers: Int? = nil, on topology: Topology) throws(InputError) {
        let count = workers ?? policy.defaultWorkerCount(on: topology)
        guard count >= 1 else {
            throw InputError(at: "--workers", found: "\(count)", expected: "at least 1")
        }
        // Far more than any machine runs, and few enough that only the kernel's own limit is met with threads in hand.
        guard count <= 65_536 else {
            throw InputError(at: "--workers", found: "\(count)", expected: "at most 65536")
        }
        let order = try policy.order(on: topology)
        var coreOf: [Int: Topology.Core] = [:]
        for core in topology.cores { for cpu in core.cpus { coreOf[cpu] = core } }
        let cores = (0..<count).map { rank in order.isEmpty ? nil : coreOf[order[rank % order.count]] }
        var nearest: [Int: Int] = [:]
        for node in Set(cores.compactMap { $0?.node }) { nearest[node] = topology.memoryNode(nearestTo: node) }
        let memoryNodes = cores.map { core in core.flatMap { nearest[$0.node] } }

        let replicaNodes = Set(memoryNodes.compactMap { $0 }).sorted()
        self.policy = policy
        self.replicaNodes = replicaNodes
        self.workers = (0..<count).map { rank in
            Worker(
                rank: rank, cpu: order.isEmpty ? nil : order[rank % order.count], core: cores[rank]?.core,
                package: cores[rank]?.package, node: cores[rank]?.node, memoryNode: memoryNodes[rank],
                replica: memoryNodes[rank].flatMap { replicaNodes.firstIndex(of: $0) } ?? 0)
        }

        // Threads that are not pinned are spread by the kernel over all usable CPUs.
        let pinned = self.workers.compactMap(\.cpu)
        let usedCPUs = order.isEmpty ? topology.usableCPUs.count : Set(pinned).count
        let perCPU = Dictionary(grouping: pinned) { $0 }.values.map(\.count).max()
        let oversubscription = perCPU ?? (count + usedCPUs - 1) / usedCPUs
        self.oversubscription = oversubscription
        var notices: [String] = []
        if oversubscription > 1 {
            notices.append(
                "\(count) workers on \(usedCPUs) CPU\(usedCPUs == 1 ? "" : "s"): up to \(oversubscription) take turns on one"
            )
        }
        let isListed = if case .explicit = policy { true } else { false }
        let usable = topology.usableCoreCount
        if workers == nil, !isListed, count < usable, let quota = topology.cpuQuota {
            notices.append(
                "the control group grants \(quota) CPUs' worth of time: \(count) worker\(count == 1 ? "" : "s") by default, "
                    + "where \(usable) cores are usable")
        } else if let quota = topology.cpuQuota, quota < Double(min(count, usedCPUs)) {
            notices.append("the control group grants \(quota) CPUs' worth of time to \(count) workers")
        }
        self.notices = notices
    }

    /// `workers` threads that run wherever the kernel puts them.
    public static func unpinned(workers: Int) -> Placement {
        Placement(unpinned: workers)
    }

    private init(unpinned count: Int) {
        precondition(count >= 1, "a placement of \(count) workers")
        policy = .none
        workers = (0..<count).map {
            Worker(rank: $0, cpu: nil, core: nil, package: nil, node: nil, memoryNode: nil, replica: 0)
        }
        replicaNodes = []
        oversubscription = max(1, (count + Affinity.processCPUCount - 1) / Affinity.processCPUCount)
        notices = []
    }
}
