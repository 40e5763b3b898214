// The exchange with both neighbours on a ring (section 5.1). The thread of each rank runs it.
//
// Each rank sends its vector to the right and then to the left, and gets its neighbours' vectors: 2 messages of d elements per rank.

public import Messaging

extension Communicator {
    /// Calls `combine` with the vector of the left neighbour and with that of the right one, each where it lies, and returns once the
    /// neighbours have read this rank's.
    ///
    /// Neither `combine` may change `vector`, which the neighbours are reading: they write elsewhere. With N = 2 both neighbours are
    /// the same rank, and `combine` gets its vector twice; with N = 1 it gets this rank's own twice and nothing is sent. Every rank
    /// calls it with equally many elements.
    public func ringExchange(
        _ vector: UnsafeBufferPointer<Float>,
        _ combine: (_ side: RingSide, _ neighbour: UnsafeBufferPointer<Float>) -> Void
    ) throws(FabricError) {
        guard count > 1 else {
            unsafe combine(.left, vector)
            return unsafe combine(.right, vector)
        }
        try unsafe post(UnsafeRawBufferPointer(vector), to: right())
        // Posted together, the messages of one rank would take receive ports ahead of its neighbours' first ones.
        try awaitSendPort()
        try unsafe post(UnsafeRawBufferPointer(vector), to: left())
        for (side, peer) in [(RingSide.left, left()), (.right, right())] {
            try unsafe receive(byteCount: 4 * vector.count, from: peer) { bytes in
                unsafe combine(side, bytes.assumingMemoryBound(to: Float.self))
            }
        }
        try completeAll()
    }
}

/// Which neighbour on the ring.
public enum RingSide: Sendable {
    case left, right
}
