// Messages of floats, and who is a neighbour. The thread of the rank runs these.

internal import Kernels
internal import Messaging

/// A float32 vector in memory of the caller.
public typealias FloatVector = UnsafeMutableBufferPointer<Float>

extension Communicator {
    /// Lends `vector` to `peer` until `completeAll`.
    @discardableResult
    func lend(_ vector: FloatVector, to peer: Int) throws(FabricError) -> Posted {
        try unsafe post(UnsafeRawBufferPointer(vector), to: peer)
    }

    /// vector += what `peer` sends.
    func receiveAdding(into vector: FloatVector, from peer: Int, releasing: Bool = true) throws(FabricError) {
        try unsafe receive(byteCount: 4 * vector.count, from: peer, releasing: releasing) { bytes in
            guard let target = vector.baseAddress, vector.count > 0 else { return }
            unsafe add(
                into: target, from: bytes.baseAddress!.assumingMemoryBound(to: Float.self), count: vector.count)
        }
    }

    /// vector = what `peer` sends.
    func receiveCopying(into vector: FloatVector, from peer: Int, releasing: Bool = true) throws(FabricError) {
        try unsafe receive(byteCount: 4 * vector.count, from: peer, releasing: releasing) { bytes in
            guard let target = vector.baseAddress, vector.count > 0 else { return }
            unsafe copy(
                into: target, from: bytes.baseAddress!.assumingMemoryBound(to: Float.self), count: vector.count)
        }
    }

    /// The rank `distance` to the right, at most N, mod N.
    func right(by distance: Int = 1) -> Int { rank + distance < count ? rank + distance : rank + distance - count }

    /// The rank `distance` to the left.
    func left(by distance: Int = 1) -> Int { rank >= distance ? rank - distance : rank + count - distance }
}
