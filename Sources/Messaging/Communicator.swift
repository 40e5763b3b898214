// One rank's view of a fabric. The thread of that rank uses it, and nobody else.

internal import Platform

/// What a worker program is written against: its rank, its peers, messages, a barrier and a clock.
///
/// Messages between two ranks arrive in the order in which they were sent. All calls block; none is for another thread.
public final class Communicator {
    /// This rank, in 0..<count.
    public let rank: Int
    /// N.
    public let count: Int
    /// What this rank has sent.
    public private(set) var sent = Traffic()
    /// What it has received.
    public private(set) var received = Traffic()
    /// The most that the wall clock was late for an arrival, in seconds.
    public private(set) var largestLatenessSeconds = 0.0

    /// Bytes and messages.
    public struct Traffic: Sendable, Equatable {
        public var bytes = 0
        public var messages = 0
    }

    /// A message that may still be read from memory lent by `post`.
    public struct Posted: Sendable {
        let peer: Int
        /// The message's number in its channel; nil where it was copied.
        let number: UInt64?
    }

    private let fabric: Fabric
    /// Computations so far: the step of the straggler model.
    private var steps: UInt64 = 0
    /// Under the wall clock: the time this rank ought to be at, and the real time at which it last left a call.
    private var dueSeconds = 0.0
    private var barriers = 0
    private var leftSeconds = 0.0
    /// What `send` writes in place, per peer and slot.
    private var payloads: [PayloadKey: Payload] = [:]

    private struct PayloadKey: Hashable {
        let peer: Int
        let slot: UInt64
    }

    private final class Payload {
        var bytes: PageBuffer<UInt8>
        init() throws(InputError) { bytes = try PageBuffer(count: 0) }
    }

    init(fabric: Fabric, rank: Int) {
        self.fabric = fabric
        self.rank = rank
        count = fabric.count
    }

    // MARK: Time

    /// Seconds since the run began: of the model under the virtual clock, else of the real clock.
    public var now: Double {
        if let scheduler = fabric.scheduler { return scheduler.seconds[rank] }
        if let wall = fabric.wall { return wall.seconds }
        return Double(monotonicNanoseconds()) / 1e9
    }

    /// Runs `body` as this rank's computation.
    ///
    /// Under the virtual clock it takes `seconds`, or where that is nil the real time that `body` takes, times the straggler's
    /// factor. Under the wall clock it takes at least so long. Under the native clock it takes what it takes.
    public func compute<Result>(seconds: Double? = nil, _ body: () throws -> Result) throws -> Result {
        let factor = fabric.straggler.factor(rank: rank, step: steps)
        steps += 1
        let due = enter()
        let start = monotonicNanoseconds()
        let result = try body()
        let duration = factor * (seconds ?? Double(monotonicNanoseconds() - start) / 1e9)
        if let scheduler = fabric.scheduler {
            scheduler.advance(rank, to: scheduler.seconds[rank] + duration)
            try check()
        } else if let wall = fabric.wall {
            leave(wall, at: due + duration)
        }
        return result
    }

    // MARK: Messages

    /// Sends `bytes` to `peer` without waiting; they must stay as they are until `complete` has returned.
    ///
    /// Nothing is copied but what fits into the mailbox's line.
    public func post(_ bytes: UnsafeRawBufferPointer, to peer: Int) throws(FabricError) -> Posted {
        try check(peer)
        count(&sent, bytes.count)
        if let scheduler = fabric.scheduler {
            unsafe scheduler.post(bytes, from: rank, to: peer)
            return Posted(peer: peer, number: nil)
        }
        let channel = unsafe fabric.channel(from: rank, to: peer)
        let arrival = arrivalSeconds(of: bytes.count, to: peer)
        try unsafe waitToSend(channel)
        if unsafe bytes.count <= MessageChannel.inlineBytes {
            unsafe channel.sendInline(bytes, arrivalSeconds: arrival)
            return Posted(peer: peer, number: nil)
        }
        let number = unsafe channel.nextNumber
        unsafe channel.sendAddress(bytes, arrivalSeconds: arrival)
        return Posted(peer: peer, number: number)
    }

    /// Waits until the peer has read what was posted, so that the memory is the caller's again.
    public func complete(_ posted: Posted) throws(FabricError) {
        guard let number = posted.number else { return }
        let channel = unsafe fabric.channel(from: rank, to: posted.peer)
        if unsafe channel.isComplete(number) { return }
        let failure = fabric.failure
        unsafe channel.waitUntilComplete(number, threads: count) { failure.isOver }
        if unsafe !channel.isComplete(number) { throw failure.forPeers }
    }

    /// Sends `byteCount` bytes that `fill` writes in place, in memory of the receiver's node; returns when they are written.
    ///
    /// Waits while four earlier messages to `peer` have not been received.
    public func send(
        byteCount: Int, to peer: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void
    ) throws {
        try check(peer)
        count(&sent, byteCount)
        if let scheduler = fabric.scheduler {
            unsafe withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 64) { buffer in
                unsafe fill(buffer)
                unsafe scheduler.post(UnsafeRawBufferPointer(buffer), from: rank, to: peer)
            }
            return
        }
        let channel = unsafe fabric.channel(from: rank, to: peer)
        let arrival = arrivalSeconds(of: byteCount, to: peer)
        try unsafe waitToSend(channel)
        let key = PayloadKey(peer: peer, slot: unsafe channel.nextNumber % UInt64(MessageChannel.slotCount))
        let payload = try payloads[key] ?? Payload()
        payloads[key] = payload
        if payload.bytes.count < byteCount {
            try payload.bytes.resize(to: byteCount)
            if let node = fabric.memoryNode(of: peer) { payload.bytes.bind(0..<byteCount, toNode: node) }
        }
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: payload.bytes.pointer, count: byteCount)
        unsafe fill(bytes)
        unsafe channel.sendAddress(UnsafeRawBufferPointer(bytes), arrivalSeconds: arrival)
    }

    /// Waits for the next message from `peer` and reads it in place; the bytes are valid within `body` only.
    ///
    /// Throws where the message has another length than `byteCount` bytes, where that is given.
    public func receive<Result>(
        byteCount: Int? = nil, from peer: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(FabricError) -> Result {
        try check(peer)
        if let scheduler = fabric.scheduler {
            guard let message = scheduler.receive(rank, from: peer) else { throw fabric.failure.forPeers }
            try accept(message.bytes.count, byteCount, from: peer)
            return unsafe message.bytes.withUnsafeBytes { unsafe body($0) }
        }
        let channel = unsafe fabric.channel(from: peer, to: rank)
        let due = enter()
        if unsafe !channel.canReceive {
            let failure = fabric.failure
            unsafe channel.waitToReceive(threads: count) { failure.isOver }
            if unsafe !channel.canReceive { throw failure.forPeers }
        }
        let message = unsafe channel.peek()
        try accept(unsafe message.bytes.count, byteCount, from: peer)
        if let wall = fabric.wall { leave(wall, at: max(due, unsafe message.arrivalSeconds)) }
        let result = unsafe body(message.bytes)
        unsafe channel.release()
        return result
    }

    /// Waits for all ranks.
    public func barrier() throws(FabricError) {
        if let scheduler = fabric.scheduler {
            scheduler.barrier(rank)
            return try check()
        }
        let due = enter()
        fabric.wall?.announce(dueSeconds: due, barrier: barriers, rank: rank)
        let failure = fabric.failure
        fabric.barrier.wait(rank: rank) { failure.isOver }
        if failure.isOver { throw failure.forPeers }
        if let wall = fabric.wall { leave(wall, at: wall.latestDueSeconds(barrier: barriers)) }
        barriers += 1
    }

    // MARK: What all calls share

    private func check() throws(FabricError) {
        if fabric.failure.isOver { throw fabric.failure.forPeers }
    }

    private func check(_ peer: Int) throws(FabricError) {
        guard peer >= 0 && peer < count && peer != rank else {
            throw .noSuchPeer(rank: rank, peer: peer, count: count)
        }
        try check()
    }

    private func accept(_ found: Int, _ expected: Int?, from peer: Int) throws(FabricError) {
        count(&received, found)
        if let expected, expected != found {
            throw .lengthMismatch(from: peer, to: rank, foundBytes: found, expectedBytes: expected)
        }
    }

    private func count(_ traffic: inout Traffic, _ bytes: Int) {
        traffic.bytes += bytes
        traffic.messages += 1
    }

    private func waitToSend(_ channel: MessageChannel) throws(FabricError) {
        if unsafe channel.canSend { return }
        let failure = fabric.failure
        unsafe channel.waitToSend(threads: count) { failure.isOver }
        if unsafe !channel.canSend { throw failure.forPeers }
    }

    private func arrivalSeconds(of bytes: Int, to peer: Int) -> Double {
        guard let wall = fabric.wall else { return 0 }
        let due = enter()
        let arrival = wall.reserve(at: due, from: rank, to: peer, bytes: bytes)
        leave(wall, at: due)
        return arrival
    }

    /// The time at which this rank ought to be: where its last call ended, plus the real time since.
    private func enter() -> Double {
        guard let wall = fabric.wall else { return 0 }
        return dueSeconds + (wall.seconds - leftSeconds)
    }

    /// Leaves a call that ought to end at `due`.
    private func leave(_ wall: WallClock, at due: Double) {
        largestLatenessSeconds = max(largestLatenessSeconds, wall.wait(until: due))
        dueSeconds = due
        leftSeconds = wall.seconds
    }
}
