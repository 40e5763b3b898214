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
        switch text {
        case "compact": self = .compact
        case "scatter": self = .scatter
        case "physical-first": self = .physicalFirst
        case "none": self = .none
        default:
            guard let cpus = try? CPUList.parse(text, at: "--placement") else {
                throw InputError(
                    at: "--placement", found: "\"\(text)\"",
                    expected: "compact, scatter, physical-first, none or CPUs such as 0-3,8")
            }
            self = .explicit(cpus)
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

extension PlacementPolicy: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
