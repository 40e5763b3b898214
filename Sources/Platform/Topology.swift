// What a machine is made of and what of it this process may use. The thread that asks for it.

/// Memory nodes, cores, SMT siblings and caches of a machine, and the part of it that this process may use.
public struct Topology: Sendable, Equatable, Codable {
    /// A NUMA node: CPUs and memory that are near each other; either may be missing.
    public struct Node: Sendable, Equatable, Codable {
        /// The kernel's number; numbers may have gaps.
        public let node: Int
        /// Its online CPUs, ascending.
        public let cpus: [Int]
        /// To every node in the order of `Topology.nodes`; 10 is local.
        public let distances: [Int]
        /// Its memory; 0 where it has none or the kernel does not say.
        public let bytes: Int

        public init(node: Int, cpus: [Int], distances: [Int], bytes: Int) {
            self.node = node
            self.cpus = cpus
            self.distances = distances
            self.bytes = bytes
        }
    }

    /// A physical core.
    public struct Core: Sendable, Equatable, Codable {
        /// The kernel's number of the package, -1 where it does not say.
        public let package: Int
        /// The kernel's number of the core; not unique, as it counts anew in every package or die.
        public let core: Int
        public let node: Int
        /// Its online CPUs (SMT siblings), ascending.
        public let cpus: [Int]

        public init(package: Int, core: Int, node: Int, cpus: [Int]) {
            self.package = package
            self.core = core
            self.node = node
            self.cpus = cpus
        }
    }

    /// A cache, shared by the CPUs of a core or of many.
    public struct Cache: Sendable, Equatable, Codable {
        public let level: Int
        /// `Data`, `Instruction` or `Unified`.
        public let type: String
        /// 0 where the kernel does not say.
        public let bytes: Int
        /// The online CPUs that share it, ascending.
        public let cpus: [Int]

        public init(level: Int, type: String, bytes: Int, cpus: [Int]) {
            self.level = level
            self.type = type
            self.bytes = bytes
            self.cpus = cpus
        }
    }

    /// By number.
    public let nodes: [Node]
    /// By node, then package, then core number, then CPU.
    public let cores: [Core]
    /// By level, then type, then CPU.
    public let caches: [Cache]
    public let onlineCPUs: [Int]
    /// CPUs that the machine has but that are switched off.
    public let offlineCPUs: [Int]
    /// The CPUs on which this process may run, never empty, ascending: online, in its affinity and in its control group.
    public let usableCPUs: [Int]
    /// The nodes whose memory this process may use, ascending.
    public let memoryNodes: [Int]
    /// The affinity of the process, or nil where it is not known.
    public let affinityCPUs: [Int]?
    /// The CPUs of its control group, or nil where none limits them.
    public let cgroupCPUs: [Int]?
    /// The memory nodes of its control group, or nil where none limits them.
    public let cgroupMemoryNodes: [Int]?
    /// How many CPUs' worth of time its control group grants it, or nil where there is no quota.
    public let cpuQuota: Double?
    /// Whether memory can be placed on nodes here; for a described machine, whether it has more than one.
    public let numaAvailable: Bool
    /// What the user should know, one line each.
    public let notices: [String]

    /// The machine this process runs on, within the calling thread's affinity.
    public static func ofThisMachine() throws(InputError) -> Topology {
        try Topology(files: MachineFiles(root: "/"), isThisMachine: true, place: "/sys")
    }

    /// A described machine: a folder that holds its `sys`, its `proc` and the control-group mounts named in `proc/mounts`.
    ///
    /// The affinity is that of `proc/self/status`, if there. Throws where `sys/devices/system/cpu` cannot be read or no CPU
    /// is usable.
    public init(machineRoot: String) throws(InputError) {
        if machineRoot.isEmpty {
            // No root at all would be that of this machine.
            throw InputError(at: "--machine-root", found: "an empty path", expected: Self.machineFolder)
        }
        try self.init(
            files: MachineFiles(root: machineRoot), isThisMachine: false, place: "--machine-root \(machineRoot)")
    }

    private static let machineFolder = "a folder that holds the sys and proc of a machine"

    private init(files: MachineFiles, isThisMachine: Bool, place: String) throws(InputError) {
        let reader = SysfsReader(files)
        guard let cpus = reader.cpus() else {
            throw InputError(
                at: place, found: "no folder sys/devices/system/cpu that can be read",
                expected: Self.machineFolder)
        }
        let online = cpus.online
        let limits = ControlGroup(of: files)
        let status = reader.processStatus()
        let affinity = isThisMachine ? Set(Affinity.ofCallingThread()) : status.cpus
        let usable = [affinity, limits.cpus].compactMap { $0 }.reduce(online) { $0.intersection($1) }
        guard !usable.isEmpty else {
            throw InputError(
                at: place,
                found: "no usable CPU (online \(CPUList.format(online.sorted())), affinity "
                    + "\(affinity.map { CPUList.format($0.sorted()) } ?? "any"), control group "
                    + "\(limits.cpus.map { CPUList.format($0.sorted()) } ?? "any"))",
                expected: "at least one CPU that is in all of them")
        }

        let found = try reader.nodes(online: online, place: place)
        let numbers = found.map(\.number)
        nodes = found.enumerated().map { index, node in
            Node(
                node: node.number, cpus: node.cpus.sorted(),
                distances: numbers.indices.map { other in
                    (isThisMachine ? NUMA.distance(node.number, numbers[other]) : nil) ?? node.distances[other]
                },
                bytes: (isThisMachine ? NUMA.bytes(ofNode: node.number) : nil) ?? node.bytes ?? 0)
        }
        cores = reader.cores(online: online, nodes: nodes)
        caches = reader.caches(online: online)
        onlineCPUs = online.sorted()
        offlineCPUs = cpus.present.subtracting(online).sorted()
        usableCPUs = usable.sorted()
        let allowed = [isThisMachine ? NUMA.allowedNodes().map { Set($0) } : status.memoryNodes, limits.memoryNodes]
            .compactMap { $0 }
        memoryNodes = found.filter { node in node.hasMemory && allowed.allSatisfy { $0.contains(node.number) } }
            .map(\.number)
        affinityCPUs = affinity?.sorted()
        cgroupCPUs = limits.cpus?.sorted()
        cgroupMemoryNodes = limits.memoryNodes?.sorted()
        cpuQuota = limits.cpuQuota
        numaAvailable = isThisMachine ? NUMA.isAvailable : numbers.count > 1
        notices =
            limits.notices
            + (isThisMachine && !NUMA.isAvailable
                ? ["libnuma finds no NUMA here: workers are pinned, and memory lies where the kernel puts it"] : [])
    }

    /// The number of physical cores of which this process may use at least one CPU.
    public var usableCoreCount: Int {
        let usable = Set(usableCPUs)
        return cores.count { core in core.cpus.contains { usable.contains($0) } }
    }

    /// How many threads are worth starting: one per usable core, but no more than the time that the control group grants, rounded up.
    public var defaultWorkerCount: Int {
        guard let cpuQuota, cpuQuota < Double(usableCoreCount) else { return usableCoreCount }
        return max(1, Int(cpuQuota.rounded(.up)))
    }

    /// The usable node with memory that is nearest to `node`: itself if it can be, the lowest number among equals; nil where
    /// no memory node is usable.
    func memoryNode(nearestTo node: Int) -> Int? {
        if memoryNodes.contains(node) { return node }
        guard let from = nodes.first(where: { $0.node == node }) else { return memoryNodes.first }
        return zip(nodes, from.distances).filter { memoryNodes.contains($0.0.node) }.min { $0.1 < $1.1 }?.0.node
    }
}
