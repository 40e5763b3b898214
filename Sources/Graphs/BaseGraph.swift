// base: exact consensus after a few rounds for any N (Takezawa et al. 2023). Plain values; any thread.

public import Platform

/// The Base-(k+1) graph: each rank has at most k neighbours a round, and after one period all have the exact mean, whatever N.
///
/// Of m ranks whose prime factors are at most k + 1 the k-peer hyper-hypercube takes a round for each of the fewest factors up to k + 1. Other numbers are written in
/// base k + 1, N = a_1 (k+1)^p_1 + a_2 (k+1)^p_2 + …: the parts take their means side by side, then part after part hands its mean to
/// the smaller ones in one round and takes up theirs in p rounds more, at most 2 log_(k+1) N + 2 in all. Where N = m q, with m of small factors only, q such groups
/// and then hyper-hypercubes across them may be shorter.
public struct BaseGraph: Graph {
    public static let facts = GraphFacts(
        name: "base", summary: "at most k neighbours, another matching each round: the exact mean after one period",
        source: "Takezawa et al. 2023", settings: [SettingFacts("k", default: "1", "neighbours in a round, at most")])

    public let workers: Int
    /// By round the edges of each rank.
    private let rounds: [[[Edge]]]

    struct Edge: Sendable {
        let peer: Int
        let weight: Double
    }

    public init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError) {
        let k = try settings.integer("k", default: 1, in: 1...1_000)
        self.workers = workers
        var made: [[[Edge]]] = []
        for round in Self.base(Array(0..<workers), k) {
            var edges = [[Edge]](repeating: [], count: workers)
            for (a, b, weight) in round {
                edges[a].append(Edge(peer: b, weight: weight))
                edges[b].append(Edge(peer: a, weight: weight))
            }
            made.append(edges.map { $0.sorted { $0.peer < $1.peer } })
        }
        rounds = made.isEmpty ? [Array(repeating: [], count: workers)] : made
    }

    public var period: Int { rounds.count }
    public func targets(of rank: Int, round: Int) -> [Int] { rounds[round][rank].map(\.peer) }
    public func weights(of rank: Int, round: Int) -> [Double]? { rounds[round][rank].map(\.weight) }

    // MARK: Rounds of edges

    /// Edges of one round with their weights.
    private typealias Round = [(a: Int, b: Int, weight: Double)]

    /// n as the fewest factors that are at most `largest`; nil where a prime factor is larger.
    static func factors(_ n: Int, upTo largest: Int) -> [Int]? {
        if n == 1 { return [] }
        var best: [Int]?
        for factor in stride(from: min(n, largest), through: 2, by: -1) where n.isMultiple(of: factor) {
            guard let rest = factors(n / factor, upTo: largest) else { continue }
            if best.map({ rest.count + 1 < $0.count }) ?? true { best = [factor] + rest }
        }
        return best
    }

    /// The hyper-hypercube: ranks are numbers with a digit for each factor, and in round l those that differ in digit l alone take their mean.
    private static func hyperHypercube(_ ranks: [Int], _ k: Int) -> [Round]? {
        guard let factors = factors(ranks.count, upTo: k + 1) else { return nil }
        var stride = 1
        var rounds: [Round] = []
        for factor in factors {
            var round: Round = []
            for i in ranks.indices {
                let digit = i / stride % factor
                for other in digit + 1..<max(digit + 1, factor) {
                    round.append((ranks[i], ranks[i + (other - digit) * stride], 1 / Double(factor)))
                }
            }
            rounds.append(round)
            stride *= factor
        }
        return rounds
    }

    /// n = sum a_l (k+1)^p_l with p_1 > p_2 > …, a_l in 1...k.
    private static func digits(_ n: Int, base: Int) -> [(a: Int, power: Int)] {
        var found: [(a: Int, power: Int)] = []
        var (rest, power) = (n, 1)
        while rest > 0 {
            if rest % base > 0 { found.insert((rest % base, power), at: 0) }
            rest /= base
            power = power.multipliedReportingOverflow(by: base).partialValue
        }
        return found
    }

    /// Algorithm 2.
    private static func simple(_ ranks: [Int], _ k: Int) -> [Round] {
        if let rounds = hyperHypercube(ranks, k) { return rounds }
        let n = ranks.count
        // Parts V_l, each of a_l groups of (k+1)^p_l.
        var parts: [[[Int]]] = []
        var rest = ranks[...]
        for (a, size) in digits(n, base: k + 1) {
            var groups: [[Int]] = []
            for _ in 0..<a {
                groups.append(Array(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            parts.append(groups)
        }
        // Side by side: each part its own mean.
        let own = parts.map { hyperHypercube($0.flatMap { $0 }, k)! }
        let first = own[0].count
        let inGroups = parts.map { $0.map { hyperHypercube($0, k)! } }
        let total = first + 1 + inGroups[0][0].count
        var rounds = [Round](repeating: [], count: max(total, first + parts.count))
        for rounds0 in own.enumerated() {
            for (index, round) in rounds0.element.enumerated() { rounds[index] += round }
        }
        var left = n
        for (l, groups) in parts.enumerated() where l + 1 < parts.count {
            let size = groups.reduce(0) { $0 + $1.count }
            // Each of the smaller parts takes `size / left` of this one's mean, from one rank in each of its groups.
            let weight = Double(size) / Double(left) / Double(groups.count)
            for (index, rank) in parts[(l + 1)...].flatMap({ $0 }).flatMap({ $0 }).enumerated() {
                for group in groups { rounds[first + l].append((group[index], rank, weight)) }
            }
            // And each group takes the mean of what its ranks now have.
            for group in inGroups[l] {
                for (index, round) in group.enumerated() { rounds[first + l + 1 + index] += round }
            }
            left -= size
        }
        // The last part has been given the mean by all others, and it is the same in all its ranks.
        while rounds.last?.isEmpty == true { rounds.removeLast() }
        return rounds
    }

    /// Algorithm 3: the shorter of the simple graph and groups with hyper-hypercubes across them.
    private static func base(_ ranks: [Int], _ k: Int) -> [Round] {
        let direct = simple(ranks, k)
        let n = ranks.count
        // n = m q, with all small factors in m.
        var (m, q) = (1, n)
        for prime in 2...max(2, k + 1) {
            while q.isMultiple(of: prime) && q > 1 {
                q /= prime
                m *= prime
            }
        }
        guard m > 1 && q > 1 else { return direct }
        let groups = (0..<m).map { Array(ranks[$0 * q..<($0 + 1) * q]) }
        let within = groups.map { simple($0, k) }
        var rounds = (0..<within[0].count).map { index in within.flatMap { $0[index] } }
        let across = (0..<q).map { member in hyperHypercube(groups.map { $0[member] }, k)! }
        rounds += (0..<across[0].count).map { index in across.flatMap { $0[index] } }
        return rounds.count < direct.count ? rounds : direct
    }
}
