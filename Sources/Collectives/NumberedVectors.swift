// Vectors that say which iteration they belong to, for those who do not wait for all. The thread of each rank runs these.

public import Messaging

extension Communicator {
    /// Bytes of the number before the floats.
    private static var numberBytes: Int { MemoryLayout<UInt64>.size }

    /// Bytes of a message of `count` floats and a number.
    public static func numberedBytes(of count: Int) -> Int { numberBytes + 4 * count }

    /// Sends a copy of `vector` and `number`: the vector may change at once.
    public func send(_ vector: Vector, number: UInt64, to peer: Int) throws(FabricError) {
        try unsafe send(byteCount: Self.numberedBytes(of: vector.count), to: peer) { bytes in
            unsafe bytes.storeBytes(of: number, as: UInt64.self)
            unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[Self.numberBytes...])
                .copyMemory(from: UnsafeRawBufferPointer(vector.floats))
        }
    }

    /// Waits for the message of `peers` that arrives first, as `receiveAny`: whose it is, its number and its `count` floats, where they lie.
    public func receiveNumbered<Result>(
        count: Int, from peers: [Int], _ body: (_ peer: Int, _ number: UInt64, _ theirs: Span<Float>) -> Result
    ) throws(FabricError) -> Result {
        try unsafe receiveAny(byteCount: Self.numberedBytes(of: count), from: peers) { peer, bytes in
            let floats = unsafe UnsafeRawBufferPointer(rebasing: bytes[Self.numberBytes...])
            return unsafe body(
                peer, bytes.loadUnaligned(as: UInt64.self),
                Span(_unsafeElements: floats.assumingMemoryBound(to: Float.self)))
        }
    }

    /// Takes all messages from `peers` away that have arrived, unread.
    public func discard(from peers: [Int]) throws(FabricError) {
        for peer in peers {
            while try unsafe tryReceive(from: peer, { _ in true }) ?? false {}
        }
    }

    /// Lends `vector` to `peer` until `complete`.
    public func post(_ vector: Vector, to peer: Int) throws(FabricError) -> Posted {
        try unsafe post(UnsafeRawBufferPointer(vector.floats), to: peer)
    }

    /// `vector` = what `peer` sends next.
    public func receive(into vector: Vector, from peer: Int) throws(FabricError) {
        try unsafe receiveCopying(into: vector.floats, from: peer)
    }

    /// The same where a message from `peer` has arrived, else false at once.
    public func tryReceive(into vector: Vector, from peer: Int) throws(FabricError) -> Bool {
        try unsafe tryReceive(byteCount: 4 * vector.count, from: peer) { bytes in
            unsafe UnsafeMutableRawBufferPointer(vector.floats).copyMemory(from: bytes)
            return true
        } ?? false
    }
}
