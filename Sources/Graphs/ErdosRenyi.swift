// erdos-renyi: every pair is an edge with the same probability. Plain values; any thread.

internal import Glibc
internal import Kernels
public import Platform

/// G(N, p) (Gilbert 1959), drawn anew until it is connected.
public struct ErdosRenyi: Graph {
    public static let facts = GraphFacts(
        name: "erdos-renyi", summary: "each pair with the same probability, drawn until all are connected",
        source: "Gilbert 1959",
        settings: [SettingFacts("probability", default: nil, "of each edge; min(1, 2 ln N / N)")])

    private static let mostTries = 200

    public let workers: Int
    private let neighbours: [[Int]]

    public init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError) {
        self.workers = workers
        let usual = workers < 2 ? 1 : min(1, 2 * log(Double(workers)) / Double(workers))
        let probability = try settings.positiveNumber("probability", upTo: 1) ?? usual
        for attempt in 0..<Self.mostTries {
            var stream = RandomStream(seed: seed, for: .graph, rank: 1, step: UInt64(attempt))
            var drawn = [[Int]](repeating: [], count: workers)
            for i in 0..<workers {
                for j in i + 1..<max(i + 1, workers) where stream.nextUnitDouble() < probability {
                    drawn[i].append(j)
                    drawn[j].append(i)
                }
            }
            if Connections.areConnected(drawn) {
                neighbours = Connections.byColour(drawn)
                return
            }
        }
        throw InputError(
            at: settings.place,
            found:
                "erdos-renyi of probability \(probability), not connected for \(workers) workers in \(Self.mostTries) draws",
            expected: "a larger probability: they are connected mostly above ln N / N")
    }

    public func targets(of rank: Int, round: Int) -> [Int] { neighbours[rank] }
}
