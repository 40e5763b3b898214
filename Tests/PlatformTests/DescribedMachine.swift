import Foundation
import Platform

/// A machine as a folder of small files, which goes away with the value.
final class DescribedMachine {
    let root: String

    /// An empty folder.
    init() throws {
        root = NSTemporaryDirectory() + "relaxed-machine-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    func topology() throws -> Topology { try Topology(machineRoot: root) }

    /// Writes a file with a final newline, as the kernel does.
    func write(_ path: String, _ text: String) throws {
        let full = "\(root)/\(path)"
        try FileManager.default.createDirectory(
            atPath: (full as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: full))
    }

    func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: "\(root)/\(path)") }

    func cpu(_ cpu: Int, package: Int, core: Int, siblings: String) throws {
        let folder = "sys/devices/system/cpu/cpu\(cpu)/topology"
        try write("\(folder)/physical_package_id", "\(package)")
        try write("\(folder)/core_id", "\(core)")
        try write("\(folder)/thread_siblings_list", siblings)
    }

    func node(_ node: Int, cpus: String, distances: [Int], kilobytes: Int) throws {
        let folder = "sys/devices/system/node/node\(node)"
        try write("\(folder)/cpulist", cpus)
        try write("\(folder)/distance", distances.map { "\($0)" }.joined(separator: " "))
        try write("\(folder)/meminfo", "\nNode \(node) MemTotal:       \(kilobytes) kB\nNode \(node) MemFree: 1 kB")
    }

    // MARK: The machines that the placements are checked on

    /// 2 packages of 64 cores of 2 threads (c and c + 128), in 8 nodes of 16 cores.
    static func twoSockets() throws -> DescribedMachine {
        let machine = try DescribedMachine()
        try machine.write("sys/devices/system/cpu/online", "0-255")
        for cpu in 0..<256 {
            let core = cpu % 128
            try machine.cpu(cpu, package: core / 64, core: core % 64, siblings: "\(core),\(core + 128)")
        }
        for node in 0..<8 {
            let first = 16 * node
            try machine.node(
                node, cpus: "\(first)-\(first + 15),\(first + 128)-\(first + 143)",
                distances: (0..<8).map { $0 == node ? 10 : $0 / 4 == node / 4 ? 12 : 32 }, kilobytes: 1 << 26)
        }
        return machine
    }

    /// 4 nodes of 2 cores of 2 threads (2c and 2c + 1); node 2 has no memory and is nearest to node 3.
    static func nodeWithoutMemory() throws -> DescribedMachine {
        let machine = try DescribedMachine()
        try machine.write("sys/devices/system/cpu/online", "0-15")
        for cpu in 0..<16 {
            try machine.cpu(cpu, package: cpu / 8, core: cpu / 2 % 4, siblings: "\(cpu / 2 * 2)-\(cpu / 2 * 2 + 1)")
        }
        let distances = [[10, 15, 20, 20], [15, 10, 20, 20], [20, 20, 10, 15], [20, 20, 15, 10]]
        for node in 0..<4 {
            try machine.node(
                node, cpus: "\(4 * node)-\(4 * node + 3)", distances: distances[node],
                kilobytes: node == 2 ? 0 : 1 << 20)
        }
        return machine
    }

    /// 4 cores of 2 threads (c and c + 4) in one node; core 2 is off, and the second thread of core 1.
    static func offlineCores() throws -> DescribedMachine {
        let machine = try DescribedMachine()
        try machine.write("sys/devices/system/cpu/present", "0-7")
        try machine.write("sys/devices/system/cpu/online", "0-1,3-4,7")
        for cpu in [0, 1, 3, 4, 7] {
            try machine.cpu(cpu, package: 0, core: cpu % 4, siblings: cpu == 1 ? "1" : "\(cpu % 4),\(cpu % 4 + 4)")
        }
        try machine.node(0, cpus: "0-1,3-4,7", distances: [10], kilobytes: 1 << 20)
        return machine
    }

    /// The two sockets, of which a control group leaves cores 3, 5 and 70, memory on nodes 0 to 3, and time of 1.5 CPUs.
    ///
    /// Old kernels have no `proc/self/cgroup`: then `proc/self/cpuset` alone names the group.
    static func controlGroup(version: Int, pathFile: String = "cgroup") throws -> DescribedMachine {
        let machine = try twoSockets()
        let cpus = "3,5,70,131,133,198"
        if version == 2 {
            try machine.write(
                "proc/mounts", "proc /proc proc rw 0 0\nnone /sys/fs/my\\040groups cgroup2 rw,nsdelegate 0 0")
            try machine.write("proc/self/\(pathFile)", (pathFile == "cgroup" ? "0::" : "") + "/jobs/one/step")
            try machine.write("sys/fs/my groups/cpuset.cpus.effective", "0-255")
            try machine.write("sys/fs/my groups/jobs/cpu.max", "max 100000")
            try machine.write("sys/fs/my groups/jobs/one/cpuset.cpus.effective", cpus)
            try machine.write("sys/fs/my groups/jobs/one/cpuset.mems.effective", "0-3")
            try machine.write("sys/fs/my groups/jobs/one/cpu.max", "150000 100000")
            try machine.write("sys/fs/my groups/jobs/one/step/cpu.max", "400000 100000")
            try machine.write("sys/fs/my groups/jobs/one/step/cpuset.cpus.effective", "")
        } else {
            try machine.write(
                "proc/mounts",
                """
                cgroup /cg/cpuset cgroup rw,relatime,cpuset 0 0
                cgroup /cg/cpu cgroup rw,relatime,cpu,cpuacct 0 0
                cgroup2 /cg/unified cgroup2 rw 0 0
                """)
            try machine.write("proc/self/cgroup", "7:cpuset:/box\n4:cpu,cpuacct:/box/inner\n0::/elsewhere")
            try machine.write("cg/cpuset/cpuset.cpus", "0-255")
            try machine.write("cg/cpuset/cpuset.mems", "0-7")
            try machine.write("cg/cpuset/box/cpuset.cpus", cpus)
            try machine.write("cg/cpuset/box/cpuset.mems", "0-3")
            try machine.write("cg/cpu/box/cpu.cfs_quota_us", "75000")
            try machine.write("cg/cpu/box/cpu.cfs_period_us", "50000")
            try machine.write("cg/cpu/box/inner/cpu.cfs_quota_us", "-1")
            try machine.write("cg/cpu/box/inner/cpu.cfs_period_us", "100000")
        }
        return machine
    }

    // MARK: Captures of real machines

    /// Whether the captures lie beside this checkout.
    static let capturesArePresent = FileManager.default.fileExists(atPath: captures)
    private static let captures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../shared/data/topologies").standardizedFileURL.path

    /// Unpacks a capture into a folder of its own, without the thousands of files that the placement does not ask for.
    static func capture(_ archive: String, folder: String) throws -> (holder: DescribedMachine, root: String) {
        let holder = try DescribedMachine()
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        tar.arguments = [
            "tar", "xjf", "\(captures)/\(archive)", "-C", holder.root, "--exclude=cache", "--exclude=device-tree",
        ]
        try tar.run()
        tar.waitUntilExit()
        return (holder, "\(holder.root)/\(folder)")
    }
}
