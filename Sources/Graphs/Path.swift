// path: a ring with one edge less. Plain values; any thread.

public import Platform

/// Rank n has n - 1 and n + 1, where they are.
public struct Path: Graph {
    public static let facts = GraphFacts(
        name: "path", summary: "a ring that is cut: the ends have one neighbour", source: "Boyd et al. 2006")

    public let workers: Int

    public init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError) {
        self.workers = workers
    }

    public func targets(of rank: Int, round: Int) -> [Int] {
        (rank + 1 < workers ? [rank + 1] : []) + (rank > 0 ? [rank - 1] : [])
    }
}
