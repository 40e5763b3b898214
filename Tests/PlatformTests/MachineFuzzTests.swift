import Foundation
import Glibc
import Platform
import Testing

/// Machines whose files have been damaged: each is read, or refused in one line; nothing traps, hangs or asks for much memory.
@Suite struct MachineFuzzTests {
    /// What the mutations draw from: SplitMix64.
    private struct Draws: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    /// Contents that broke readers, here or elsewhere.
    private static let contents = [
        "", "0", "-1", "-0", "1", "255", "1024", "65535", "65536", "4294967295", "4294967296", "9223372036854775807",
        "-9223372036854775808", "18446744073709551615", "99999999999999999999999", "1e308", "nan", "inf", "max", "0-0",
        "0-65535",
        "0-4294967296", "0-9223372036854775807", "5-2", "0-", "-", ",", "0,,1", "0,0,0", "0-3,0-3", "1,3,5,7", "10 20",
        "10 -20 30 40",
        "0 0 0 0", "10 99999999999 20 20", "max 100000", "150000 100000", "0 0", "-5 100000", "100000 0",
        "1 9223372036854775807",
        "9223372036854775807 1", "ffffffff", "ffffffff,ffffffff", "ffffffffffffffffffff", "00000000,0000000g", "512K",
        "9223372036854775807K",
        "-4M", "K", "9007199254740993G", "MemTotal: 18446744073709551615 kB", "Node 0 MemTotal: 9223372036854775807 kB",
        "Node 0 MemTotal: -1 kB", "MemTotal: kB", "Cpus_allowed_list:\t0-4294967296\nMems_allowed_list:\t-1",
        "0::/../..", "0::",
        "::::::", "cgroup2 cgroup2 cgroup2 cgroup2", "x / cgroup2 rw 0 0\nx / cgroup rw,cpuset,cpu,memory 0 0",
        "\\777 \\9 \\",
        String(repeating: "0-65535,", count: 60_000) + "0", String(repeating: "f,", count: 250_000) + "f",
        String(repeating: "1,", count: 4_000) + "1", "0::" + String(repeating: "/a", count: 200_000),
        String(repeating: "none /sys/fs/cgroup cgroup2 rw 0 0\n", count: 10_000),
        (0..<2_000).map { "none /cg\($0) cgroup2 rw 0 0" }.joined(separator: "\n"),
    ]

    /// 4 cores of 2 threads in 2 nodes, with caches, a status and control groups of both versions.
    private static func machine() throws -> DescribedMachine {
        let machine = try DescribedMachine()
        let cpus = "sys/devices/system/cpu"
        try machine.write("\(cpus)/present", "0-7")
        try machine.write("\(cpus)/online", "0-7")
        for cpu in 0..<8 {
            try machine.cpu(cpu, package: 0, core: cpu % 4, siblings: "\(cpu % 4),\(cpu % 4 + 4)")
            try machine.write("\(cpus)/cpu\(cpu)/online", "1")
            try machine.write("\(cpus)/cpu\(cpu)/topology/die_id", "0")
            try machine.write("\(cpus)/cpu\(cpu)/topology/thread_siblings", "\(1 << (cpu % 4))\(1 << (cpu % 4))")
            let cache = "\(cpus)/cpu\(cpu)/cache/index0"
            for (name, text) in [("level", "1"), ("type", "Data"), ("size", "48K"), ("shared_cpu_list", "\(cpu)")] {
                try machine.write("\(cache)/\(name)", text)
            }
        }
        for node in 0..<2 {
            try machine.node(
                node, cpus: "\(2 * node)-\(2 * node + 1),\(2 * node + 4)-\(2 * node + 5)",
                distances: node == 0 ? [10, 21] : [21, 10], kilobytes: 1 << 20)
        }
        try machine.write("sys/devices/system/node/online", "0-1")
        try machine.write("sys/devices/system/node/has_memory", "0-1")
        try machine.write("proc/meminfo", "MemTotal: 2097152 kB")
        try machine.write("proc/self/status", "Cpus_allowed_list:\t0-7\nMems_allowed_list:\t0-1")
        try machine.write("proc/mounts", "none /cg cgroup2 rw 0 0\nnone /old cgroup rw,cpuset,cpu,memory 0 0")
        try machine.write("proc/self/cgroup", "0::/job\n1:cpuset,cpu,memory:/job")
        for (name, text) in [
            ("cg/job/cpuset.cpus.effective", "0-5"), ("cg/job/cpuset.mems.effective", "0-1"),
            ("cg/job/cpu.max", "150000 100000"),
            ("cg/job/memory.max", "1000000"), ("old/job/cpuset.cpus", "0-6"), ("old/job/cpuset.mems", "0"),
            ("old/job/cpu.cfs_quota_us", "-1"), ("old/job/cpu.cfs_period_us", "100000"),
            ("old/job/memory.limit_in_bytes", "5"),
        ] {
            try machine.write(name, text)
        }
        return machine
    }

    /// One damage to a file of the machine.
    private static func damage(_ machine: DescribedMachine, _ path: String, _ draws: inout Draws) throws {
        let full = "\(machine.root)/\(path)"
        switch Int.random(in: 0..<12, using: &draws) {
        case 0...7: try machine.write(path, contents.randomElement(using: &draws)!)
        case 8:
            // Bytes without sense.
            let bytes = (0..<Int.random(in: 1...300, using: &draws)).map { _ in UInt8.random(in: 0...255, using: &draws)
            }
            try Data(bytes).write(to: URL(fileURLWithPath: full))
        case 9:
            // A folder in the place of a file.
            try machine.remove(path)
            try FileManager.default.createDirectory(atPath: full, withIntermediateDirectories: true)
        case 10:
            // A link to itself, or to a folder above.
            try machine.remove(path)
            unsafe symlink(Bool.random(using: &draws) ? full : "..", full)
        default: try machine.remove(path)
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: [1, 2] as [UInt64])
    func `damaged machines are read or refused, and what is read can be placed on`(seed: UInt64) throws {
        var draws = Draws(state: seed)
        let machine = try Self.machine()
        #expect(try machine.topology().usableCPUs == Array(0...5))
        var texts: [String: Data] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: machine.root) {
            texts[path] = try? Data(contentsOf: URL(fileURLWithPath: "\(machine.root)/\(path)"))
        }
        let paths = texts.keys.sorted()
        #expect(paths.count > 80)
        var readable = 0
        for _ in 0..<100 {
            let damaged = Set(
                (0..<Int.random(in: 1...6, using: &draws)).map { _ in paths.randomElement(using: &draws)! }
            ).sorted()
            for path in damaged { try Self.damage(machine, path, &draws) }
            do {
                let topology = try machine.topology()
                readable += 1
                #expect(
                    !topology.usableCPUs.isEmpty && topology.usableCPUs.count <= 65_536
                        && topology.cpuQuota != .infinity)
                #expect(topology.nodes.allSatisfy { $0.bytes >= 0 && $0.distances.count == topology.nodes.count })
                for policy in [PlacementPolicy.compact, .scatter, .physicalFirst, .none] {
                    let placement = try Placement(policy, on: topology)
                    #expect(placement.workers.count >= 1 && placement.workers.count <= topology.usableCoreCount)
                }
            } catch let error as InputError {
                #expect(!error.description.contains("\n") && error.description.utf8.count < 1_000)
            }
            for path in damaged {
                try? machine.remove(path)
                try texts[path]!.write(to: URL(fileURLWithPath: "\(machine.root)/\(path)"))
            }
        }
        #expect(readable > 50)
    }

    @Test(.timeLimit(.minutes(5))) func `the worst contents in many files at once are read or refused`() throws {
        let machine = try Self.machine()
        for text in Self.contents {
            for path in [
                "sys/devices/system/cpu/present", "sys/devices/system/cpu/cpu0/topology/thread_siblings_list",
                "sys/devices/system/cpu/cpu0/topology/core_id", "sys/devices/system/cpu/cpu0/cache/index0/size",
                "sys/devices/system/cpu/cpu0/cache/index0/level",
                "sys/devices/system/cpu/cpu1/cache/index0/shared_cpu_list", "sys/devices/system/node/node0/cpulist",
                "sys/devices/system/node/node0/distance", "sys/devices/system/node/node0/meminfo",
                "sys/devices/system/node/has_memory", "cg/job/cpu.max", "old/job/cpu.cfs_quota_us",
                "proc/self/cgroup", "proc/mounts",
            ] {
                try machine.write(path, text)
            }
            do { _ = try Placement(.scatter, on: machine.topology()) } catch let error as InputError {
                #expect(!error.description.contains("\n"))
            }
        }
    }

    @Test func `a core of half of all CPUs is spread like any other`() throws {
        let machine = try DescribedMachine()
        try machine.write("sys/devices/system/cpu/online", "0-65535")
        try machine.cpu(0, package: 0, core: 0, siblings: "0-32767")
        let topology = try machine.topology()
        #expect(topology.cores.count == 32_769)
        let placement = try Placement(.scatter, workers: 65_536, on: topology)
        #expect(placement.workers[32_768].cpu == 65_535 && placement.workers[65_535].cpu == 32_767)
    }

    @Test func `more memory nodes than Linux can have are refused`() throws {
        let machine = try DescribedMachine.offlineCores()
        for node in 1...1_024 { try machine.write("sys/devices/system/node/node\(node)/cpulist", "") }
        let error = #expect(throws: InputError.self) { try machine.topology() }
        #expect(error?.found == "1025 memory nodes" && error?.expected == "at most 1024, as Linux has")
    }
}
