// star: one in the middle. Plain values; any thread.

public import Platform

/// Rank 0 has all others as neighbours, and they have rank 0.
public struct Star: Graph {
    public static let facts = GraphFacts(
        name: "star", summary: "rank 0 and all others", source: "Nedic et al. 2018")

    public let workers: Int

    public init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError) {
        self.workers = workers
    }

    public func targets(of rank: Int, round: Int) -> [Int] { rank == 0 ? Array(1..<max(1, workers)) : [0] }
}
