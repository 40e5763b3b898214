// How workers are spread over a machine's CPUs, by name.

/// The order in which CPUs are given to workers.
public enum PlacementPolicy: Sendable, Equatable, CustomStringConvertible {
    /// All SMT siblings of a core, then the next core of the node, node after node.
    case compact
    /// Round robin over nodes, then packages, then cores; SMT siblings when all cores are used.
    case scatter
    /// One worker per physical core in node order; SMT siblings when all cores are used.
    case physicalFirst
    /// No pinning.
    case none
    /// These CPUs in this order; a CPU may be named more than once.
    case explicit([Int])

    /// A policy by name, or a list of CPUs such as `0-3,8`.
    public init(parsing text: String) throws(InputError) {
        let named: [PlacementPolicy] = [.compact, .scatter, .physicalFirst, .none]
        if let policy = named.first(where: { $0.description == text }) {
            self = policy
        } else if let cpus = try? CPUList.parse(text, at: "--placement") {
            self = .explicit(cpus)
        } else {
            throw InputError(
                at: "--placement", unknown: text, expected: named.map(\.description),
                as: "CPUs such as 0-3,8 or a policy: ")
        }
    }

    public var description: String {
        switch self {
        case .compact: "compact"
        case .scatter: "scatter"
        case .physicalFirst: "physical-first"
        case .none: "none"
        case .explicit(let cpus): CPUList.format(cpus)
        }
    }
}

extension PlacementPolicy {
    /// How many workers to start where the user does not say: one per CPU listed, else `Topology.defaultWorkerCount`.
    public func defaultWorkerCount(on topology: Topology) -> Int {
        if case .explicit(let cpus) = self { return cpus.count }
        return topology.defaultWorkerCount
    }

    /// The CPUs in the order in which workers get them; empty for `none`.
    func order(on topology: Topology) throws(InputError) -> [Int] {
        let usable = Set(topology.usableCPUs)
        /// The usable CPUs of each core, core by core in node order.
        let cores = topology.cores.map { core in core.cpus.filter { usable.contains($0) } }
        switch self {
        case .none: return []
        case .compact: return cores.flatMap(\.self)
        case .physicalFirst: return Self.inTurn(cores)
        case .scatter:
            // The first CPU of every core, then the second of those that have one: of each round nodes, and in them packages, in turn.
            var rounds: [[(core: Topology.Core, cpu: Int)]] = []
            for (core, cpus) in zip(topology.cores, cores) {
                for (sibling, cpu) in cpus.enumerated() {
                    if sibling == rounds.count { rounds.append([]) }
                    rounds[sibling].append((core, cpu))
                }
            }
            return rounds.flatMap { round in
                let nodes = Dictionary(grouping: round) { $0.core.node }.sorted { $0.key < $1.key }
                return Self.inTurn(
                    nodes.map { node in
                        let packages = Dictionary(grouping: node.value) { $0.core.package }.sorted { $0.key < $1.key }
                        return Self.inTurn(packages.map { $0.value.map(\.cpu) })
                    })
            }
        case .explicit(let cpus):
            for cpu in cpus where !usable.contains(cpu) {
                throw Self.refusal(of: cpu, on: topology)
            }
            return cpus
        }
    }

    /// The first of every list, then the second of every list that has one, and so on.
    private static func inTurn(_ lists: [[Int]]) -> [Int] {
        var taken: [Int] = []
        var left = lists.filter { !$0.isEmpty }
        var index = 0
        while !left.isEmpty {
            taken += left.map { $0[index] }
            index += 1
            left.removeAll { $0.count == index }
        }
        return taken
    }

    private static func refusal(of cpu: Int, on topology: Topology) -> InputError {
        let usable = CPUList.format(topology.usableCPUs)
        if topology.offlineCPUs.contains(cpu) {
            return InputError(
                at: "--placement", found: "CPU \(cpu), which is offline", expected: "CPUs among \(usable)")
        }
        if topology.onlineCPUs.contains(cpu) {
            return InputError(
                at: "--placement", found: "CPU \(cpu), which this process's affinity or control group excludes",
                expected: "CPUs among \(usable)")
        }
        return InputError(
            at: "--placement", found: "CPU \(cpu), which this machine does not have", expected: "CPUs among \(usable)")
    }
}

extension PlacementPolicy: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
