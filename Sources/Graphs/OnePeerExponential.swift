// one-peer-exponential: one target a round, at the next power of 2 (Ying et al. 2021). Plain values; any thread.

public import Platform

/// In round t rank n sends to n + 2^(t mod m) mod N with m = ceil(log2 N), and takes the mean of its own and what it gets.
///
/// Where N is a power of 2, m rounds are the exact mean; else they never are.
public struct OnePeerExponential: Graph {
    public static let facts = GraphFacts(
        name: "one-peer-exponential", summary: "one at distance 1, then 2, 4, …, another each round; one way",
        source: "Ying et al. 2021")

    public let workers: Int

    public init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError) {
        self.workers = workers
    }

    public var period: Int { max(1, Exponential.distances(workers: workers).count) }
    public var isVertexTransitive: Bool { true }
    public var isDirected: Bool { true }

    public func targets(of rank: Int, round: Int) -> [Int] {
        workers == 1 ? [] : [(rank + (1 << round)) % workers]
    }

    public func sources(of rank: Int, round: Int) -> [Int] {
        workers == 1 ? [] : [(rank + workers - (1 << round)) % workers]
    }
}
