// CPUs, nodes, cores and caches as sysfs describes them, with what to make of the files that a kernel leaves out. The
// thread that asks for the topology.

/// Reads `/sys/devices/system` and the process's status.
struct SysfsReader {
    private static let cpuFolder = "/sys/devices/system/cpu"
    private static let nodeFolder = "/sys/devices/system/node"
    /// As many as Linux can be built for.
    private static let mostNodes = 1_024
    private let files: MachineFiles

    init(_ files: MachineFiles) { self.files = files }

    /// The CPUs that the machine has and those that are switched on, or nil where it has no CPU folder.
    func cpus() -> (present: Set<Int>, online: Set<Int>)? {
        guard let folders = files.numbers(inFolder: Self.cpuFolder, prefix: "cpu") else { return nil }
        var present = files.list(Self.cpuFolder + "/present") ?? []
        if present.isEmpty { present = Set(folders) }
        var online = files.list(Self.cpuFolder + "/online") ?? []
        if online.isEmpty { online = present }
        // A CPU that cannot be switched off has no such file.
        online.subtract(folders.filter { files.integer("\(Self.cpuFolder)/cpu\($0)/online") == 0 })
        return (present.union(online), online)
    }

    /// What `proc/self/status` says the process may use.
    func processStatus() -> (cpus: Set<Int>?, memoryNodes: Set<Int>?) {
        let lines = (files.text("/proc/self/status") ?? "").split(separator: "\n")
        func list(_ name: String) -> Set<Int>? {
            guard let line = lines.first(where: { $0.hasPrefix(name + ":") }) else { return nil }
            let text = String(line.dropFirst(name.count + 1).drop { $0 == " " || $0 == "\t" })
            return (try? CPUList.parse(text, at: name)).map { Set($0) }
        }
        return (list("Cpus_allowed_list"), list("Mems_allowed_list"))
    }

    // MARK: Nodes

    struct Node {
        var number: Int
        var cpus: Set<Int>
        var distances: [Int]
        var bytes: Int?
        var hasMemory: Bool
    }

    /// The nodes by number; one node 0 with everything where the kernel names none.
    ///
    /// Throws where there are more than a kernel can have; `place` names the machine.
    func nodes(online: Set<Int>, place: String) throws(InputError) -> [Node] {
        var numbers = files.numbers(inFolder: Self.nodeFolder, prefix: "node") ?? []
        if let switchedOn = files.list(Self.nodeFolder + "/online"), !switchedOn.isEmpty {
            numbers.removeAll { !switchedOn.contains($0) }
        }
        guard !numbers.isEmpty else {
            let bytes = files.memoryBytes("/proc/meminfo")
            return [Node(number: 0, cpus: online, distances: [10], bytes: bytes, hasMemory: true)]
        }
        if numbers.count > Self.mostNodes {
            throw InputError(
                at: place, found: "\(numbers.count) memory nodes", expected: "at most \(Self.mostNodes), as Linux has")
        }
        let named = [files.list(Self.nodeFolder + "/has_memory"), files.list(Self.nodeFolder + "/has_normal_memory")]
            .compactMap { $0 }
        var homeless = online
        var nodes = numbers.enumerated().map { index, number in
            let folder = "\(Self.nodeFolder)/node\(number)"
            let cpus = files.numbers(inLists: [folder + "/cpulist"], masks: [folder + "/cpumap"]) ?? []
            let bytes = files.memoryBytes(folder + "/meminfo")
            let hasMemory = bytes.map { $0 > 0 } ?? (named.isEmpty || named.contains { $0.contains(number) })
            // Emulated nodes may name a CPU more than once: the first node has it.
            let own = cpus.filter { homeless.contains($0) }
            homeless.subtract(own)
            return Node(
                number: number, cpus: own, distances: distances(from: index, of: numbers), bytes: bytes,
                hasMemory: hasMemory)
        }
        nodes[0].cpus.formUnion(homeless)
        return nodes
    }

    /// One row of distances; the kernel writes one number per online node.
    private func distances(from index: Int, of numbers: [Int]) -> [Int] {
        let text = files.text("\(Self.nodeFolder)/node\(numbers[index])/distance") ?? ""
        let row = text.split(separator: " ").compactMap { CPUList.number($0) }
        return row.count == numbers.count && !row.contains(0) ? row : numbers.indices.map { $0 == index ? 10 : 20 }
    }

    // MARK: Cores

    /// The cores, told apart by their SMT siblings, or by their numbers where siblings are not named.
    func cores(online: Set<Int>, nodes: [Topology.Node]) -> [Topology.Core] {
        struct Numbers: Hashable {
            var node: Int
            var package: Int
            var die: Int
            var core: Int
        }
        var nodeOf: [Int: Int] = [:]
        for node in nodes { for cpu in node.cpus { nodeOf[cpu] = node.node } }
        var sameNumbers: [Numbers: Set<Int>] = [:]
        let described = described(online)
        var lists = OnlineLists(files, online: online)
        let found: [(cpu: Int, numbers: Numbers, siblings: Set<Int>?)] = online.sorted().map { cpu in
            guard described.contains(cpu) else {
                return (cpu, Numbers(node: nodeOf[cpu] ?? 0, package: -1, die: 0, core: cpu), [cpu])
            }
            let folder = "\(Self.cpuFolder)/cpu\(cpu)/topology"
            let core = files.integer(folder + "/core_id") ?? -1
            let numbers = Numbers(
                node: nodeOf[cpu] ?? 0, package: max(-1, files.integer(folder + "/physical_package_id") ?? -1),
                die: files.integer(folder + "/die_id") ?? 0, core: core < 0 ? cpu : core)
            sameNumbers[numbers, default: []].insert(cpu)
            let siblings = lists.numbers(
                inLists: [folder + "/thread_siblings_list", folder + "/core_cpus_list"],
                masks: [folder + "/thread_siblings", folder + "/core_cpus"])
            return (cpu, numbers, siblings)
        }
        // Filtered by hand: the difference of two sets takes as long as the other set has elements.
        var taken: Set<Int> = []
        var cores: [Topology.Core] = []
        for (cpu, numbers, siblings) in found where !taken.contains(cpu) {
            let cpus = (siblings ?? sameNumbers[numbers] ?? []).union([cpu]).filter { !taken.contains($0) }
            taken.formUnion(cpus)
            cores.append(
                Topology.Core(package: numbers.package, core: numbers.core, node: numbers.node, cpus: cpus.sorted()))
        }
        return cores.sorted { ($0.node, $0.package, $0.core, $0.cpus[0]) < ($1.node, $1.package, $1.core, $1.cpus[0]) }
    }

    // MARK: Caches

    /// Every cache once.
    func caches(online: Set<Int>) -> [Topology.Cache] {
        struct Identity: Hashable {
            var level: Int
            var type: String
            var cpus: [Int]
        }
        var bytes: [Identity: Int] = [:]
        var lists = OnlineLists(files, online: online)
        for cpu in described(online) {
            let folder = "\(Self.cpuFolder)/cpu\(cpu)/cache"
            for index in files.numbers(inFolder: folder, prefix: "index") ?? [] {
                let cache = "\(folder)/index\(index)"
                guard let level = files.integer(cache + "/level") else { continue }
                let sharing = lists.numbers(inLists: [cache + "/shared_cpu_list"], masks: [cache + "/shared_cpu_map"])
                let cpus = (sharing ?? []).union([cpu]).sorted()
                let named = files.text(cache + "/type") ?? ""
                let type = ["Data", "Instruction"].contains(named) ? named : "Unified"
                bytes[Identity(level: level, type: type, cpus: cpus)] = Self.bytes(files.text(cache + "/size") ?? "")
            }
        }
        return bytes.map { Topology.Cache(level: $0.level, type: $0.type, bytes: $1, cpus: $0.cpus) }
            .sorted { ($0.level, $0.type, $0.cpus[0]) < ($1.level, $1.type, $1.cpus[0]) }
    }

    /// A size such as 512K or 4M; 0 where it is none.
    private static func bytes(_ text: String) -> Int {
        let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
        let unit = text.last.flatMap { units[$0] }
        let number = Int(unit == nil ? text[...] : text.dropLast()) ?? 0
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit ?? 1)
        return overflow ? 0 : max(0, bytes)
    }

    /// Those of the CPUs `online` that have a folder of their own: lists may name far more.
    private func described(_ online: Set<Int>) -> Set<Int> {
        online.intersection(files.numbers(inFolder: Self.cpuFolder, prefix: "cpu") ?? [])
    }
}

/// Sets of online CPUs as files give them, each text parsed once: a thousand CPUs may share one long list.
private struct OnlineLists {
    private let files: MachineFiles
    private let online: Set<Int>
    private var parsed: [String: Set<Int>?] = [:]

    init(_ files: MachineFiles, online: Set<Int>) {
        self.files = files
        self.online = online
    }

    /// The numbers of the first readable one of some list files, else of some mask files.
    mutating func numbers(inLists lists: [String], masks: [String]) -> Set<Int>? {
        for (paths, parse) in [(lists, MachineFiles.parseList), (masks, CPUList.parseMask)] {
            for text in paths.lazy.compactMap({ [files] in files.text($0) }) {
                if let known = parsed[text] ?? nil { return known }
                let found = parse(text)?.filter { online.contains($0) }
                parsed[text] = .some(found)
                if let found { return found }
            }
        }
        return nil
    }
}
