// complete: everybody has everybody (section 5.1, W_1). Plain values; any thread.

public import Platform

/// All N - 1 others are neighbours: one round is an AllReduce.
public struct Complete: Graph {
    public static let facts = GraphFacts(
        name: "complete", summary: "all others: a round is the mean of all", source: "5.1, W_1")

    public let workers: Int

    public init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError) {
        self.workers = workers
    }

    public var isVertexTransitive: Bool { true }
    public func targets(of rank: Int, round: Int) -> [Int] { (1..<max(1, workers)).map { (rank + $0) % workers } }
}
