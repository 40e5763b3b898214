// Which workers of hogwild share a copy of the model, and which copy it is merged into. Pure values; any thread.

internal import Platform

/// How many copies of the model hogwild has.
enum HogwildLayout: String, CaseIterable, Sendable {
    /// Whichever a trial finds fastest.
    case auto
    /// One, which all workers change.
    case shared
    /// One for each worker.
    case perCore = "per-core"
    /// One for the workers whose cores share their last cache.
    case perCache = "per-cache"
    /// One for the workers whose memory is on the same node.
    case perNode = "per-node"
}

/// The copies of a model and how they are merged: replicas into the copy of their node, those into the model; where all workers are on
/// one node, or a node has one replica only, replicas into the model.
struct ReplicaPlan: Equatable, Sendable {
    struct Copy: Equatable, Sendable {
        /// What it is merged into, of a smaller index.
        let parent: Int
        /// The workers who change it, ascending; none of one that others are merged into.
        let members: [Int]
        /// The first of the workers who see it: it is in their memory.
        let owner: Int
        /// How many copies are merged into it.
        let children: Int
    }

    /// The first stands for the model and is its own parent; empty where all workers change the model itself.
    let copies: [Copy]
    /// The copy that each rank changes; 0 for the model itself.
    let copyOfRank: [Int]

    /// The plan of a layout, not `auto`. `caches` are the CPUs of each last cache.
    init(_ layout: HogwildLayout, workers: [Placement.Worker], caches: [[Int]]) {
        precondition(layout != .auto, "auto is a choice between plans")
        let nodes = workers.map { $0.memoryNode ?? 0 }
        var cacheOf: [Int: Int] = [:]
        for (index, cpus) in caches.enumerated() { for cpu in cpus { cacheOf[cpu] = index } }
        let groups: [[Int]] =
            switch layout {
            case .auto, .shared: [workers.map(\.rank)]
            case .perCore: workers.map { [$0.rank] }
            case .perCache: Self.groups(workers.map { $0.cpu.flatMap { cacheOf[$0] } ?? -1 })
            case .perNode: Self.groups(nodes)
            }
        guard groups.count > 1 else {
            copies = []
            copyOfRank = workers.map { _ in 0 }
            return
        }
        // A cache that several nodes share is on the node of its first worker.
        let nodeOfGroup = groups.map { nodes[$0[0]] }
        let used = Set(nodeOfGroup).sorted()
        let shared = used.count > 1 ? used.filter { node in nodeOfGroup.count { $0 == node } > 1 } : []
        var copyOfRank = workers.map { _ in 0 }
        var copies: [Copy] = []
        for node in shared {
            copies.append(
                Copy(
                    parent: 0, members: [], owner: groups[nodeOfGroup.firstIndex(of: node)!][0],
                    children: nodeOfGroup.count { $0 == node }))
        }
        for (group, node) in zip(groups, nodeOfGroup) {
            for rank in group { copyOfRank[rank] = 1 + copies.count }
            copies.append(
                Copy(
                    parent: shared.firstIndex(of: node).map { 1 + $0 } ?? 0, members: group, owner: group[0],
                    children: 0))
        }
        let root = Copy(parent: 0, members: [], owner: 0, children: copies.count { $0.parent == 0 })
        self.copies = [root] + copies
        self.copyOfRank = copyOfRank
    }

    /// The positions of equal keys together, by their first.
    private static func groups(_ keys: [Int]) -> [[Int]] {
        var places: [Int: Int] = [:]
        var groups: [[Int]] = []
        for (rank, key) in keys.enumerated() {
            if let place = places[key] {
                groups[place].append(rank)
            } else {
                places[key] = groups.count
                groups.append([rank])
            }
        }
        return groups
    }

    /// How many copies workers change: 1 where that is the model.
    var replicas: Int { max(1, copies.count { !$0.members.isEmpty }) }

    /// Copies in the order in which each comes after those that are merged into it, without the model.
    var upwards: Range<Int> { 1..<max(1, copies.count) }

    /// What the copies take beside the model, in bytes.
    func memoryBytes(parameters: Int) -> Int {
        copies.isEmpty
            ? 0
            : copies.indices.reduce(0) { sum, index in
                sum + ReplicaCopy.memoryBytes(copies[index], isModel: index == 0, parameters, ranks: copyOfRank.count)
            }
    }
}

extension Topology {
    /// The CPUs of each last cache.
    var lastCaches: [[Int]] {
        let data = caches.filter { $0.type != "Instruction" }
        let last = data.map(\.level).max()
        return data.filter { $0.level == last }.map(\.cpus)
    }
}
