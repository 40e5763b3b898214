// disconnected: two parts that never meet (section 5.1, W_3). Plain values; any thread.

public import Platform

/// All but the last rank are complete among themselves, and the last is alone: rho is 1, and no training reaches a consensus.
///
/// The last one and rank 0 do exchange messages, and give them no weight: so the end of a run comes to all.
public struct Disconnected: Graph {
    public static let facts = GraphFacts(
        name: "disconnected", summary: "the last rank is alone, the others are complete: a control", source: "5.1, W_3")

    public let workers: Int

    public init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError) {
        guard workers >= 2 else {
            throw InputError(at: settings.place, found: "disconnected for 1 worker", expected: "at least 2")
        }
        self.workers = workers
    }

    public var isDisconnectedOnPurpose: Bool { true }

    public func targets(of rank: Int, round: Int) -> [Int] {
        let last = workers - 1
        if rank == last { return [0] }
        return (1..<max(1, last)).map { (rank + $0) % last } + (rank == 0 ? [last] : [])
    }

    public func weights(of rank: Int, round: Int) -> [Double]? {
        let last = workers - 1
        if rank == last { return [0] }
        return Array(repeating: 1 / Double(last), count: last - 1) + (rank == 0 ? [0] : [])
    }
}
