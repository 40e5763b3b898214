// exponential: those at distances that are powers of 2 (Ying et al. 2021). Plain values; any thread.

public import Platform

/// Rank n sends to n + 2^j mod N for each 2^j < N, one way: about log2 N targets, and its matrix is doubly stochastic though not symmetric.
public struct Exponential: Graph {
    public static let facts = GraphFacts(
        name: "exponential", summary: "those at distance 1, 2, 4, … ahead; one way", source: "Ying et al. 2021")

    public let workers: Int

    public init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError) {
        self.workers = workers
    }

    /// Powers of 2 below N.
    static func distances(workers: Int) -> [Int] {
        Array(sequence(first: 1) { $0 < 1 << 60 ? 2 * $0 : nil }.prefix { $0 < workers })
    }

    public var isVertexTransitive: Bool { true }
    public var isDirected: Bool { true }

    public func targets(of rank: Int, round: Int) -> [Int] {
        Self.distances(workers: workers).map { (rank + $0) % workers }
    }

    public func sources(of rank: Int, round: Int) -> [Int] {
        Self.distances(workers: workers).map { (rank + workers - $0) % workers }
    }
}
