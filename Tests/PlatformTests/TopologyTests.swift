import Glibc
import Platform
import Testing

@Suite struct TopologyTests {
    @Test func `nodes, cores and memory are read as the kernel writes them`() throws {
        let topology = try DescribedMachine.twoSockets().topology()
        #expect(topology.nodes.count == 8)
        #expect(topology.nodes[5].cpus == Array(80...95) + Array(208...223))
        #expect(topology.nodes[5].distances == [32, 32, 32, 32, 12, 10, 12, 12])
        #expect(topology.nodes[5].bytes == 64 << 30)
        #expect(topology.cores.count == 128)
        #expect(topology.cores[64] == Topology.Core(package: 1, core: 0, node: 4, cpus: [64, 192]))
        #expect(topology.offlineCPUs == [])
        #expect(topology.cpuQuota == nil)
        #expect(topology.cgroupCPUs == nil)
    }

    @Test func `caches are listed once, whoever shares them`() throws {
        let machine = try DescribedMachine()
        for cpu in 0..<4 {
            try machine.cpu(cpu, package: 0, core: cpu, siblings: "\(cpu)")
            let folder = "sys/devices/system/cpu/cpu\(cpu)/cache"
            for (index, level, type, size, shared) in [
                (0, 1, "Data", "48K", "shared_cpu_list \(cpu)"), (1, 1, "Instruction", "32K", "shared_cpu_list \(cpu)"),
                (2, 3, "Unified", "4M", "shared_cpu_map 0000000\(cpu < 2 ? "3" : "c")"),
            ] {
                try machine.write("\(folder)/index\(index)/level", "\(level)")
                try machine.write("\(folder)/index\(index)/type", type)
                try machine.write("\(folder)/index\(index)/size", size)
                let file = shared.split(separator: " ")
                try machine.write("\(folder)/index\(index)/\(file[0])", String(file[1]))
            }
        }
        let caches = try machine.topology().caches
        #expect(caches.map(\.level) == [1, 1, 1, 1, 1, 1, 1, 1, 3, 3])
        #expect(caches.first == Topology.Cache(level: 1, type: "Data", bytes: 48 << 10, cpus: [0]))
        #expect(caches.last == Topology.Cache(level: 3, type: "Unified", bytes: 4 << 20, cpus: [2, 3]))
    }

    @Test func `a machine without node folders is one node with everything`() throws {
        let machine = try DescribedMachine()
        for cpu in 0..<4 {
            try machine.cpu(cpu, package: 0, core: cpu / 2, siblings: "\(cpu / 2 * 2)-\(cpu / 2 * 2 + 1)")
        }
        try machine.write("proc/meminfo", "MemTotal:       2048 kB\nMemFree: 1 kB")
        let topology = try machine.topology()
        #expect(topology.nodes == [Topology.Node(node: 0, cpus: [0, 1, 2, 3], distances: [10], bytes: 2 << 20)])
        #expect(topology.memoryNodes == [0])
        #expect(topology.cores.map(\.cpus) == [[0, 1], [2, 3]])
        #expect(!topology.numaAvailable)
    }

    @Test func `masks stand in for lists, and CPUs without a description are cores of their own`() throws {
        let machine = try DescribedMachine()
        try machine.write("sys/devices/system/cpu/online", "0-2,40")
        for cpu in [0, 40] {
            try machine.write("sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings", "00000100,00000001")
        }
        try machine.write("sys/devices/system/node/node3/cpumap", "00000100,00000001")
        try machine.write("sys/devices/system/node/node7/cpumap", "00000000,00000006")
        let topology = try machine.topology()
        #expect(topology.nodes.map(\.node) == [3, 7])
        #expect(topology.nodes.map(\.cpus) == [[0, 40], [1, 2]])
        #expect(topology.nodes.map(\.distances) == [[10, 20], [20, 10]])
        #expect(topology.memoryNodes == [3, 7])
        #expect(topology.cores.map(\.cpus) == [[0, 40], [1], [2]])
        #expect(topology.cores.map(\.package) == [-1, -1, -1])
    }

    @Test func `cores of equal number are told apart by package and node`() throws {
        let machine = try DescribedMachine()
        for cpu in 0..<8 {
            // Without siblings the numbers must do: core 0 and 1 in each of 2 nodes, two threads each.
            let folder = "sys/devices/system/cpu/cpu\(cpu)/topology"
            try machine.write("\(folder)/physical_package_id", "0")
            try machine.write("\(folder)/core_id", "\(cpu / 2 % 2)")
        }
        try machine.node(0, cpus: "0-3", distances: [10, 11], kilobytes: 1)
        try machine.node(1, cpus: "4-7", distances: [11, 10], kilobytes: 1)
        let cores = try machine.topology().cores
        #expect(cores.map(\.cpus) == [[0, 1], [2, 3], [4, 5], [6, 7]])
        #expect(cores.map(\.core) == [0, 1, 0, 1])
    }

    @Test func `the affinity and the memory nodes of the process limit what is usable`() throws {
        let machine = try DescribedMachine.nodeWithoutMemory()
        try machine.write("proc/self/status", "Name:\tx\nCpus_allowed_list:\t1,8-9,30\nMems_allowed_list:\t0-2")
        let topology = try machine.topology()
        #expect(topology.usableCPUs == [1, 8, 9])
        #expect(topology.memoryNodes == [0, 1])
        #expect(topology.usableCoreCount == 2)
        #expect(try Placement(.compact, workers: 3, on: topology).workers.map(\.memoryNode) == [0, 0, 0])
    }

    @Test func `a folder that describes no machine, or one with nothing to use, is refused`() throws {
        let machine = try DescribedMachine()
        #expect(throws: InputError.self) { try machine.topology() }
        try machine.cpu(0, package: 0, core: 0, siblings: "0")
        #expect(try machine.topology().usableCPUs == [0])
        try machine.write("proc/self/status", "Cpus_allowed_list:\t4")
        let error = #expect(throws: InputError.self) { try machine.topology() }
        #expect(error?.found == "no usable CPU (online 0, affinity 4, control group any)")
    }

    @Test func `no root is not taken for that of this machine`() {
        let error = #expect(throws: InputError.self) { try Topology(machineRoot: "") }
        #expect(error?.description.hasPrefix("--machine-root: found an empty path, expected a folder") == true)
    }

    @Test func `pipes, devices and texts without end are passed over`() throws {
        let machine = try DescribedMachine()
        try machine.cpu(0, package: 0, core: 0, siblings: "0")
        let cpus = "\(machine.root)/sys/devices/system/cpu"
        unsafe mkfifo("\(cpus)/present", 0o600)
        unsafe symlink("/dev/zero", "\(cpus)/online")
        try machine.write("proc/self/status", "Cpus_allowed_list:\t7\n" + String(repeating: "x", count: 16 << 20))
        let topology = try machine.topology()
        #expect(topology.usableCPUs == [0])
        #expect(topology.affinityCPUs == nil)
    }

    @Test func `limits of a control group that cannot be read are no silent freedom`() throws {
        let machine = try DescribedMachine.controlGroup(version: 2)
        #expect(try machine.topology().notices == [])
        try machine.write("sys/fs/my groups/jobs/one/cpuset.cpus.effective", "garbage")
        let garbled = try machine.topology()
        #expect(garbled.cgroupCPUs?.count == 256)
        #expect(
            garbled.notices == [
                "/sys/fs/my groups/jobs/one/cpuset.cpus.effective cannot be read as a list such as 0-3,8 and is not heeded"
            ])
        try machine.write("proc/self/cgroup", "0::/elsewhere")
        #expect(try machine.topology().notices == [])
        try machine.remove("sys/fs/my groups/cpuset.cpus.effective")
        let lost = try machine.topology()
        #expect(lost.cgroupCPUs == nil)
        #expect(lost.notices == ["control group /sys/fs/my groups/elsewhere is not there: its limits are not known"])
    }

    @Test func `this machine has what it says this thread may use`() throws {
        let topology = try Topology.ofThisMachine()
        #expect(Set(topology.usableCPUs).isSubset(of: topology.onlineCPUs))
        #expect(Set(topology.usableCPUs).isSubset(of: Affinity.ofCallingThread()))
        #expect(topology.cores.flatMap(\.cpus).sorted() == topology.onlineCPUs)
        #expect(topology.nodes.flatMap(\.cpus).sorted() == topology.onlineCPUs)
        #expect(!topology.memoryNodes.isEmpty)
    }
}
