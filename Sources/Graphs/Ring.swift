// ring: one neighbour to each side (section 5.1, W_2). Plain values; any thread.

public import Platform

/// Rank n has n - 1 and n + 1, mod N. With N = 2 both are the same one, which counts twice, as the book's "mod N" has it.
public struct Ring: Graph {
    public static let facts = GraphFacts(name: "ring", summary: "one neighbour to each side", source: "5.1, W_2")

    public let workers: Int

    public init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError) {
        self.workers = workers
    }

    public var isVertexTransitive: Bool { true }

    public func targets(of rank: Int, round: Int) -> [Int] {
        workers == 1 ? [] : [(rank + 1) % workers, (rank + workers - 1) % workers]
    }
}
