// hypercube: ranks that differ in one bit. Plain values; any thread.

public import Platform

/// N = 2^m; rank n has n XOR 2^j for each j < m.
public struct Hypercube: Graph {
    public static let facts = GraphFacts(
        name: "hypercube", summary: "those whose number differs in one bit", source: "Nedic et al. 2018")

    public let workers: Int

    public init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError) {
        guard workers.nonzeroBitCount == 1 else {
            throw InputError(at: settings.place, found: "hypercube for \(workers) workers", expected: "a power of 2")
        }
        self.workers = workers
    }

    public var isVertexTransitive: Bool { true }
    public func targets(of rank: Int, round: Int) -> [Int] { (0..<workers.trailingZeroBitCount).map { rank ^ 1 << $0 } }
}
