// A rank's end of its channels. The thread of the rank runs it.

internal import Platform

/// Messages through shared memory between one rank and all others.
///
/// A pointer and no class: a count of references would cost as much as what a message of 40 ns does here. Whoever makes it calls
/// `deallocate`; what it refers to belongs to the fabric.
@safe struct NativeMessages {
    @unsafe private struct Own {
        let rank: Int
        let channels: ChannelTable
        let sleepers: RankSleepers
        let signals: FailureSignals
        let meeting: DisseminationBarrier
        let time: RunTime
        let failure: Unmanaged<FabricFailure>
        /// The peers to whom memory was lent since `completeAll`: room for all of them, so that posting allocates nothing.
        let lentPeers: UnsafeMutablePointer<Int>
        var lentPeerCount = 0
        var endsBefore = UInt64.max
        /// From which peer on `firstToArrive` looks.
        var firstPeer = 0
    }

    private let own: UnsafeMutablePointer<Own>

    init(fabric: Fabric, rank: Int) {
        unsafe own = .allocate(capacity: 1)
        unsafe own.initialize(
            to: Own(
                rank: rank, channels: fabric.channels, sleepers: fabric.sleepers, signals: fabric.failure.signals,
                meeting: fabric.barrier, time: fabric.gate.time, failure: Unmanaged.passUnretained(fabric.failure),
                lentPeers: .allocate(capacity: fabric.count)))
    }

    func deallocate() {
        unsafe own.pointee.lentPeers.deallocate()
        unsafe own.deallocate()
    }

    private var rank: Int { unsafe own.pointee.rank }
    private var channels: ChannelTable { unsafe own.pointee.channels }
    private var sleepers: RankSleepers { unsafe own.pointee.sleepers }
    private var signals: FailureSignals { unsafe own.pointee.signals }
    private var lentPeers: UnsafeMutablePointer<Int> { unsafe own.pointee.lentPeers }

    var endsBefore: UInt64 {
        get { unsafe own.pointee.endsBefore }
        nonmutating set { unsafe own.pointee.endsBefore = newValue }
    }

    /// Seconds of real time since the run began, from an arbitrary zero.
    var now: Double { unsafe Double(own.pointee.time.nanoseconds) / 1e9 }

    func barrier() throws(FabricError) {
        let missing = unsafe own.pointee.meeting.wait(rank: rank, endsBefore: &own.pointee.endsBefore) {
            signals.isLost($0)
        }
        if let missing { throw lost(missing) }
    }

    // MARK: The sender's side

    @inline(__always)
    func post(_ bytes: UnsafeRawBufferPointer, to peer: Int) throws(FabricError) -> Communicator.Posted {
        let channel = unsafe channel(to: peer)
        if unsafe !channel.canSend { try unsafe waitToSend(channel, to: peer) }
        // In the free slot's line where they fit, else by their address.
        if unsafe bytes.count <= MessageChannel.inlineBytes {
            unsafe channel.sendInline(bytes, endsBefore: endsBefore)
            sleepers.wake(peer, from: .message(from: rank))
            return Communicator.Posted(peer: peer, number: nil)
        }
        let number = unsafe channel.nextNumber
        if unsafe channel.noteLent(number) {
            unsafe lentPeers[own.pointee.lentPeerCount] = peer
            unsafe own.pointee.lentPeerCount += 1
        }
        unsafe sendAddress(bytes, through: channel, to: peer)
        return Communicator.Posted(peer: peer, number: number)
    }

    /// Sends bytes by their address, through a channel that can send.
    func sendAddress(_ bytes: UnsafeRawBufferPointer, through channel: MessageChannel, to peer: Int) {
        unsafe channel.sendAddress(bytes, endsBefore: endsBefore)
        sleepers.wake(peer, from: .message(from: rank))
    }

    @inline(__always) func complete(_ posted: Communicator.Posted) throws(FabricError) {
        guard let number = posted.number else { return }
        let channel = unsafe channel(to: posted.peer)
        if unsafe channel.isComplete(number) { return }
        try unsafe waitUntilComplete(channel, number, by: posted.peer)
    }

    func completeAll() throws(FabricError) {
        while unsafe own.pointee.lentPeerCount > 0 {
            let peer = unsafe lentPeers[own.pointee.lentPeerCount - 1]
            // Messages to one peer are received in order: the last one completes all.
            let channel = unsafe channel(to: peer)
            try complete(Communicator.Posted(peer: peer, number: unsafe channel.lastLent))
            unsafe channel.forgetLent()
            unsafe own.pointee.lentPeerCount -= 1
        }
    }

    /// After a failure: waits until nobody reads any more what was lent.
    func awaitReaders() {
        while unsafe own.pointee.lentPeerCount > 0 {
            unsafe own.pointee.lentPeerCount -= 1
            let peer = unsafe lentPeers[own.pointee.lentPeerCount]
            let channel = unsafe channel(to: peer)
            let number = unsafe channel.lastLent
            func isRead() -> Bool { unsafe channel.isComplete(number) || signals.hasLeft(peer) }
            if !isRead() { sleepers.wait(rank, for: .reading(by: peer), until: isRead) }
            unsafe channel.forgetLent()
        }
    }

    // MARK: The receiver's side

    @inline(__always) func peek(from peer: Int) throws(FabricError) -> UnsafeRawBufferPointer {
        let channel = unsafe channel(from: peer)
        if unsafe !channel.canReceive { try unsafe waitToReceive(channel, from: peer) }
        let message = unsafe channel.peek()
        if unsafe message.endsBefore < endsBefore { unsafe endsBefore = message.endsBefore }
        return unsafe message.bytes
    }

    @inline(__always) func finish(from peer: Int, releasing: Bool) {
        unsafe channel(from: peer).advance()
        if releasing { release(from: peer) }
    }

    @inline(__always) func release(from peer: Int) {
        unsafe channel(from: peer).release()
        sleepers.wake(peer, from: .reading(by: rank))
    }

    func isThere(from peer: Int) -> Bool { unsafe channel(from: peer).canReceive }

    func hasArrived(from peer: Int) throws(FabricError) -> Bool {
        if isThere(from: peer) { return true }
        // Left after it had sent: looked at in this order nothing is missed.
        if signals.isLost(peer), !isThere(from: peer) { throw lost(peer) }
        return false
    }

    func firstToArrive(of peers: [Int]) throws(FabricError) -> Int {
        // Each time from the next peer on, so that none waits for ever behind busier ones.
        let start = unsafe (own.pointee.firstPeer + 1) % peers.count
        unsafe own.pointee.firstPeer = start
        func find() -> Int? {
            for offset in peers.indices {
                let peer = peers[(start + offset) % peers.count]
                if isThere(from: peer) { return peer }
            }
            return nil
        }
        if let peer = find() { return peer }
        sleepers.wait(rank, for: .anything) { find() != nil || signals.isOver || peers.allSatisfy(signals.hasLeft) }
        guard let peer = find() else { throw lost(peers[0]) }
        return peer
    }

    // MARK: Waiting

    @inline(__always) func channel(to peer: Int) -> MessageChannel { unsafe channels.channel(from: rank, to: peer) }
    @inline(__always) private func channel(from peer: Int) -> MessageChannel {
        unsafe channels.channel(from: peer, to: rank)
    }

    @inline(never) func waitToSend(_ channel: MessageChannel, to peer: Int) throws(FabricError) {
        if unsafe channel.canSend { return }
        sleepers.wait(rank, for: .reading(by: peer)) { unsafe channel.canSend || signals.isLost(peer) }
        if unsafe !channel.canSend { throw lost(peer) }
    }

    @inline(never) private func waitUntilComplete(
        _ channel: MessageChannel, _ number: UInt64, by peer: Int
    ) throws(FabricError) {
        sleepers.wait(rank, for: .reading(by: peer)) { unsafe channel.isComplete(number) || signals.isLost(peer) }
        if unsafe !channel.isComplete(number) { throw lost(peer) }
    }

    @inline(never) private func waitToReceive(_ channel: MessageChannel, from peer: Int) throws(FabricError) {
        sleepers.wait(rank, for: .message(from: peer)) { unsafe channel.canReceive || signals.isLost(peer) }
        if unsafe !channel.canReceive { throw lost(peer) }
    }

    /// Why `peer` will not answer: the run is over, or the peer's program has ended.
    func lost(_ peer: Int) -> FabricError {
        signals.isOver
            ? unsafe own.pointee.failure.takeUnretainedValue().forPeers : .rankEnded(rank: peer, waiting: rank)
    }
}
