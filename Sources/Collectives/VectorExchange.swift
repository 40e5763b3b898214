// Collectives on vectors that own their memory, for algorithms without an unsafe word. The thread of each rank runs them.

public import Messaging

extension Communicator {
    /// Leaves the sum of the workers' vectors in each of them; otherwise as the function of the same name on floats in memory of the caller.
    public func allReduce(_ vector: Vector, by algorithm: AllReduceAlgorithm = .ring) throws {
        try unsafe allReduce(vector.floats, by: algorithm)
    }

    /// Sends `vector` to each of `neighbours` and calls `combine` with the vector of each, where it lies; returns once all have been read.
    ///
    /// `combine` may not change `vector`, which the neighbours are reading. Who is a neighbour is so both ways, and a rank that stands
    /// there twice is sent to twice. Messages leave in the order of the distance to the right, mod N, each as soon as the one before is
    /// on its way: where all ranks have neighbours at the same distances, nobody waits for a port, and k of them cost
    /// k (t_latency + t_transfer) under `occupied`. N = 1, or no neighbours: nothing is sent.
    public func exchange(
        _ vector: Vector, with neighbours: [Int],
        _ combine: (_ neighbour: Int, _ theirs: Span<Float>) -> Void
    ) throws(FabricError) {
        func distance(_ peer: Int) -> Int { (peer - rank + count) % count }
        let bytes = unsafe UnsafeRawBufferPointer(vector.floats)
        let outwards = neighbours.sorted { distance($0) < distance($1) }
        for (i, peer) in outwards.enumerated() {
            if i > 0 { try awaitSendPort() }
            try unsafe post(bytes, to: peer)
        }
        // What was sent at distance k comes from distance N - k: in the order in which it arrives.
        for peer in outwards.reversed() {
            try unsafe receive(byteCount: bytes.count, from: peer) { theirs in
                unsafe combine(peer, Span(_unsafeElements: theirs.assumingMemoryBound(to: Float.self)))
            }
        }
        try completeAll()
    }
}
