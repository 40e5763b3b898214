import Foundation
import Testing

/// What `relaxed machine` and `relaxed data info` print.
struct MachineTests {
    struct Machine: Decodable {
        struct Node: Decodable {
            let node: Int
            let cpus: [Int]
            let distances: [Int]
            let bytes: Int
        }

        struct Core: Decodable {
            let package: Int
            let core: Int
            let node: Int
            let cpus: [Int]
        }

        let schema: Int
        let nodes: [Node]
        let cores: [Core]
        let usableCPUs: [Int]
        let placement: [Int?]
    }

    @Test func `this machine has cores, and each worker a place among them`() throws {
        let workspace = try Workspace()
        let outcome = try workspace.relaxed("machine --workers 3 --json -")
        #expect(outcome.code == 0)
        let machine: Machine = try decode(outcome.output)
        #expect(machine.schema == 1 && !machine.cores.isEmpty && !machine.usableCPUs.isEmpty)
        #expect(machine.placement.count == 3)
        #expect(machine.placement.allSatisfy { machine.usableCPUs.contains($0 ?? -1) })
        let unpinned: Machine = try decode(workspace.relaxed("machine --workers 2 --placement none --json -").output)
        #expect(unpinned.placement == [nil, nil])
        let tables = try workspace.relaxed("machine --workers 3")
        #expect(tables.code == 0 && tables.output.contains("usable CPUs:") && tables.output.contains("of 3 workers"))
    }

    @Test func `a described machine is placed on without being there`() throws {
        let workspace = try Workspace()
        // 4 cores of 2 threads, c and c + 4, in 2 nodes.
        try workspace.write("m/sys/devices/system/cpu/online", "0-7\n")
        for cpu in 0..<8 {
            let folder = "m/sys/devices/system/cpu/cpu\(cpu)/topology"
            try workspace.write("\(folder)/physical_package_id", "0\n")
            try workspace.write("\(folder)/core_id", "\(cpu % 4)\n")
            try workspace.write("\(folder)/thread_siblings_list", "\(cpu % 4),\(cpu % 4 + 4)\n")
        }
        for node in 0..<2 {
            let folder = "m/sys/devices/system/node/node\(node)"
            try workspace.write("\(folder)/cpulist", "\(2 * node)-\(2 * node + 1),\(2 * node + 4)-\(2 * node + 5)\n")
            try workspace.write("\(folder)/distance", node == 0 ? "10 21\n" : "21 10\n")
            try workspace.write("\(folder)/meminfo", "Node \(node) MemTotal: 1024 kB\n")
        }
        func placement(_ policy: String) throws -> [Int?] {
            try decode(
                Machine.self,
                workspace.relaxed("machine --machine-root m --workers 5 --placement \(policy) --json -").output
            ).placement
        }
        #expect(try placement("compact") == [0, 4, 1, 5, 2])
        #expect(try placement("physical-first") == [0, 1, 2, 3, 4])
        #expect(try placement("scatter") == [0, 2, 1, 3, 4])
        #expect(try placement("6,1") == [6, 1, 6, 1, 6])
        let machine: Machine = try decode(workspace.relaxed("machine --machine-root m --json -").output)
        #expect(
            machine.nodes.map(\.distances) == [[10, 21], [21, 10]] && machine.nodes.map(\.bytes) == [1 << 20, 1 << 20])
        #expect(machine.cores.map(\.cpus) == [[0, 4], [1, 5], [2, 6], [3, 7]])
    }

    @Test func `data info counts rows, features and labels`() throws {
        struct Info: Decodable {
            struct Label: Decodable, Equatable {
                let label: Double
                let rows: Int
            }

            let schema: Int
            let rows: Int
            let features: Int
            let nonzeros: Int
            let density: Double
            let labels: [Label]
        }
        let workspace = try Workspace()
        try workspace.write("data", "1 1:1 4:1\n-1 4:2\n\n1 # none\n-1 2:1\n")
        let info: Info = try decode(workspace.relaxed("data info data --json -").output)
        #expect(info.schema == 1 && info.rows == 4 && info.features == 4 && info.nonzeros == 4 && info.density == 0.25)
        #expect(info.labels == [.init(label: -1, rows: 2), .init(label: 1, rows: 2)])
    }
}
