// Collectives on vectors that own their memory, for algorithms without an unsafe word. The thread of each rank runs them.

public import Messaging

/// With whom a rank exchanges vectors in one round, in the order in which it sends and receives.
public struct NeighbourRound: Sendable {
    fileprivate let targets: [Int]
    fileprivate let sources: [(place: Int, peer: Int)]

    /// Sends to `targets` in their order, and receives from `sources`, of which those that stand at `order` come first, second, and so on. One who stands
    /// there twice is sent to, or received from, twice.
    public init(targets: [Int], sources: [Int], receivingOrder order: [Int]) {
        precondition(order.sorted() == Array(sources.indices), "\(order) of \(sources.count) sources")
        self.targets = targets
        self.sources = order.map { (place: $0, peer: sources[$0]) }
    }

    /// Neighbours both ways: by distance to the right, mod N, and what was sent at distance k comes from k to the left.
    fileprivate init(neighbours: [Int], rank: Int, count: Int) {
        func right(_ peer: Int) -> Int { (peer - rank + count) % count }
        func left(_ peer: Int) -> Int { (rank - peer + count) % count }
        targets = neighbours.sorted { right($0) < right($1) }
        sources = neighbours.enumerated().map { (place: $0.offset, peer: $0.element) }.sorted {
            left($0.peer) < left($1.peer)
        }
    }
}

extension Communicator {
    /// Leaves the sum of the workers' vectors in each of them; otherwise as the function of the same name on floats in memory of the caller.
    public func allReduce(_ vector: Vector, by algorithm: AllReduceAlgorithm = .ring) throws {
        try unsafe allReduce(vector.floats, by: algorithm)
    }

    /// Sends `vector` to each of `neighbours` and calls `combine` with the vector of each, where it lies; returns once all have been read.
    ///
    /// Who is a neighbour is so both ways; otherwise as `exchange(_:in:_:)`.
    public func exchange(
        _ vector: Vector, with neighbours: [Int],
        _ combine: (_ place: Int, _ theirs: Span<Float>) -> Void
    ) throws(FabricError) {
        try exchange(vector, in: NeighbourRound(neighbours: neighbours, rank: rank, count: count), combine)
    }

    /// Sends `vector` to all targets of a round and calls `combine` with the vector of each source, where it lies; returns once all have been
    /// read.
    ///
    /// `combine` may not change `vector`, which the neighbours are reading; `place` is where the source stands among those of the round. Each
    /// message leaves as soon as the one before is on its way: where the first targets of all ranks are different ones, and the second, and so on,
    /// nobody waits for a port, and k of them cost k (t_latency + t_transfer) under `occupied`. N = 1, or no neighbours: nothing is sent.
    public func exchange(
        _ vector: Vector, in round: NeighbourRound, _ combine: (_ place: Int, _ theirs: Span<Float>) -> Void
    ) throws(FabricError) {
        try exchange(in: round, count: vector.count, { _ in vector }, combine)
    }

    /// The same with a vector of its own for each target of the round, in their order. All vectors of all ranks have as many floats; with
    /// `count` that is said where a rank may have no target.
    public func exchange(
        _ vectors: [Vector], count: Int, in round: NeighbourRound,
        _ combine: (_ place: Int, _ theirs: Span<Float>) -> Void
    ) throws(FabricError) {
        precondition(
            vectors.count == round.targets.count && vectors.allSatisfy { $0.count == count },
            "\(vectors.map(\.count)) floats for \(round.targets.count) targets of \(count)")
        try exchange(in: round, count: count, { vectors[$0] }, combine)
    }

    private func exchange(
        in round: NeighbourRound, count: Int, _ vector: (_ place: Int) -> Vector,
        _ combine: (_ place: Int, _ theirs: Span<Float>) -> Void
    ) throws(FabricError) {
        for (i, peer) in round.targets.enumerated() {
            if i > 0 { try awaitSendPort() }
            try unsafe post(UnsafeRawBufferPointer(vector(i).floats), to: peer)
        }
        for source in round.sources {
            try unsafe receive(byteCount: 4 * count, from: source.peer) { theirs in
                unsafe combine(source.place, Span(_unsafeElements: theirs.assumingMemoryBound(to: Float.self)))
            }
        }
        try completeAll()
    }
}
