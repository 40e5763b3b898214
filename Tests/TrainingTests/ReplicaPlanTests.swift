import Foundation
import Platform
import Testing

@testable import Training

@Suite struct ReplicaPlanTests {
    /// The workers on all CPUs of a described machine, cores first, and its last caches: nodes of `cores` cores of `threads` threads (c, c + all
    /// cores, ...), with a cache for each 8 cores.
    private static func machine(nodes: Int, cores: Int, threads: Int) throws -> (
        workers: [Placement.Worker], caches: [[Int]]
    ) {
        let root = NSTemporaryDirectory() + "relaxed-machine-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        func write(_ path: String, _ text: String) throws {
            let file = URL(fileURLWithPath: "\(root)/sys/devices/system/\(path)")
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data((text + "\n").utf8).write(to: file)
        }
        let all = nodes * cores
        func cpus(_ cores: Range<Int>) -> String {
            (0..<threads).map { "\(cores.lowerBound + $0 * all)-\(cores.upperBound - 1 + $0 * all)" }.joined(
                separator: ",")
        }
        try write("cpu/online", "0-\(all * threads - 1)")
        for cpu in 0..<all * threads {
            let core = cpu % all
            try write("cpu/cpu\(cpu)/topology/physical_package_id", "\(core / cores)")
            try write("cpu/cpu\(cpu)/topology/core_id", "\(core % cores)")
            try write("cpu/cpu\(cpu)/topology/thread_siblings_list", cpus(core..<core + 1))
            for (index, level, type, shared) in [
                (0, 1, "Data", core..<core + 1), (1, 1, "Instruction", core..<core + 1),
                (2, 3, "Unified", core / 8 * 8..<core / 8 * 8 + 8),
            ] {
                let folder = "cpu/cpu\(cpu)/cache/index\(index)"
                try write("\(folder)/level", "\(level)")
                try write("\(folder)/type", type)
                try write("\(folder)/size", "1024K")
                try write("\(folder)/shared_cpu_list", cpus(shared))
            }
        }
        for node in 0..<nodes {
            try write("node/node\(node)/cpulist", cpus(node * cores..<(node + 1) * cores))
            try write("node/node\(node)/distance", (0..<nodes).map { $0 == node ? "10" : "20" }.joined(separator: " "))
            try write(
                "node/node\(node)/meminfo", "\nNode \(node) MemTotal:       67108864 kB\nNode \(node) MemFree: 1 kB")
        }
        let topology = try Topology(machineRoot: root)
        let placement = try Placement(.physicalFirst, workers: all * threads, on: topology)
        return (placement.workers, topology.lastCaches)
    }

    /// Workers without a place but for their node.
    private static func workers(_ count: Int, perNode: Int) -> [Placement.Worker] {
        (0..<count).map {
            Placement.Worker(
                rank: $0, cpu: $0, core: $0, package: 0, node: $0 / perNode, memoryNode: $0 / perNode,
                replica: $0 / perNode)
        }
    }

    /// Every worker changes one copy, which knows it, and every copy leads to the model.
    private func check(_ plan: ReplicaPlan, workers: Int) {
        #expect(plan.copyOfRank.count == workers)
        for rank in 0..<workers { #expect(plan.copies[plan.copyOfRank[rank]].members.contains(rank)) }
        #expect(plan.copies.flatMap(\.members).sorted() == Array(0..<workers))
        for index in plan.upwards {
            #expect(plan.copies[index].parent < index)
            #expect(plan.copies[index].children == plan.upwards.count { plan.copies[$0].parent == index })
            #expect(plan.copies[index].members.isEmpty != (plan.copies[index].children == 0))
        }
    }

    @Test func `on 8 nodes of 16 cores replicas meet in the copy of their node, and those in the model`() throws {
        let (workers, caches) = try Self.machine(nodes: 8, cores: 16, threads: 1)
        #expect(caches.count == 16 && workers.count == 128)
        let perCore = ReplicaPlan(.perCore, workers: workers, caches: caches)
        check(perCore, workers: 128)
        #expect(perCore.replicas == 128 && perCore.copies.count == 1 + 8 + 128)
        for rank in 0..<128 {
            let node = perCore.copies[perCore.copyOfRank[rank]].parent
            #expect(node == 1 + workers[rank].memoryNode! && perCore.copies[node].parent == 0)
            #expect(perCore.copies[node].children == 16)
            #expect(workers[perCore.copies[node].owner].memoryNode == workers[rank].memoryNode)
            #expect(perCore.copies[perCore.copyOfRank[rank]].owner == rank)
        }

        let perCache = ReplicaPlan(.perCache, workers: workers, caches: caches)
        check(perCache, workers: 128)
        #expect(perCache.replicas == 16 && perCache.copies.count == 1 + 8 + 16)
        for copy in perCache.copies.dropFirst(9) {
            #expect(Set(copy.members.map { workers[$0].cpu! / 8 }).count == 1 && copy.members.count == 8)
            #expect(copy.parent == 1 + workers[copy.members[0]].memoryNode!)
        }

        let perNode = ReplicaPlan(.perNode, workers: workers, caches: caches)
        check(perNode, workers: 128)
        #expect(perNode.replicas == 8 && perNode.copies.count == 1 + 8)
        #expect(perNode.copies.dropFirst().allSatisfy { $0.parent == 0 && $0.members.count == 16 })
    }

    @Test func `siblings of a core have a replica each, and share those of their cache and node`() throws {
        let (workers, caches) = try Self.machine(nodes: 2, cores: 64, threads: 2)
        #expect(caches.count == 16 && workers.count == 256)
        let perCore = ReplicaPlan(.perCore, workers: workers, caches: caches)
        check(perCore, workers: 256)
        #expect(perCore.replicas == 256 && perCore.copies[1].children == 128 && perCore.copies.count == 1 + 2 + 256)
        let perCache = ReplicaPlan(.perCache, workers: workers, caches: caches)
        check(perCache, workers: 256)
        #expect(perCache.replicas == 16)
        for copy in perCache.copies.dropFirst(3) {
            #expect(Set(copy.members.map { workers[$0].cpu! % 128 / 8 }).count == 1 && copy.members.count == 16)
        }
        let perNode = ReplicaPlan(.perNode, workers: workers, caches: caches)
        check(perNode, workers: 256)
        #expect(perNode.replicas == 2 && perNode.copies.dropFirst().allSatisfy { $0.members.count == 128 })
    }

    @Test func `on one node replicas are merged into the model`() throws {
        let (workers, caches) = try Self.machine(nodes: 1, cores: 16, threads: 1)
        let perCore = ReplicaPlan(.perCore, workers: workers, caches: caches)
        check(perCore, workers: 16)
        #expect(perCore.copies.count == 17 && perCore.copies.dropFirst().allSatisfy { $0.parent == 0 })
        let perCache = ReplicaPlan(.perCache, workers: workers, caches: caches)
        #expect(perCache.replicas == 2 && perCache.copies.map(\.members.count) == [0, 8, 8])
        // All on one node: nothing to merge.
        #expect(ReplicaPlan(.perNode, workers: workers, caches: caches).copies.isEmpty)
        #expect(ReplicaPlan(.shared, workers: workers, caches: caches).replicas == 1)
        #expect(ReplicaPlan(.perCore, workers: Array(workers.prefix(1)), caches: caches).replicas == 1)
    }

    @Test func `a node with one replica has no copy of its own`() {
        let workers = Self.workers(3, perNode: 2)
        let plan = ReplicaPlan(.perCore, workers: workers, caches: [])
        check(plan, workers: 3)
        #expect(plan.copies.map(\.parent) == [0, 0, 1, 1, 0])
        let unpinned = ReplicaPlan(.perCache, workers: Placement.unpinned(workers: 4).workers, caches: [])
        #expect(unpinned.replicas == 1)
    }
}
