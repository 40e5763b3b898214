// One rank's view of a fabric. The thread of that rank uses it, and nobody else.

public import Platform

/// What a worker program is written against: its rank, its peers, messages, a barrier and a clock.
///
/// Messages between two ranks arrive in the order in which they were sent. All calls block; none is for another thread.
@safe public final class Communicator {
    /// This rank, in 0..<count.
    public let rank: Int
    /// N.
    public let count: Int
    /// What this rank has sent.
    public private(set) var sent = Traffic()
    /// What it has received.
    public private(set) var received = Traffic()
    /// The most that the wall clock was late in a wait since the last `beginTogether`, in seconds.
    public private(set) var largestLatenessSeconds = 0.0

    /// Bytes and messages.
    public struct Traffic: Sendable, Equatable {
        public var bytes = 0
        public var messages = 0
    }

    /// Messages that may be under way to one peer: `post` and `send` wait until the last but three has been received.
    public static let messagesUnderWay = unsafe MessageChannel.slotCount

    /// A message that may still be read from memory lent by `post`.
    public struct Posted: Sendable {
        let peer: Int
        /// The message's number in its channel; nil where it was copied.
        let number: UInt64?
    }

    private let fabric: Fabric
    // Views, and answers asked once: the fabric itself would cost a count of references, on a line that all ranks write.
    let signals: FailureSignals
    let shared: SharedMemory
    private let meeting: DisseminationBarrier
    private let channels: ChannelTable
    private let sleepers: RankSleepers
    private let isVirtual: Bool
    private let isWall: Bool
    /// Whether the switch model prices messages.
    public let isModel: Bool
    /// Computations so far: the step of the straggler model.
    private var steps: UInt64
    /// Under the wall clock: the time this rank ought to be at, and its thread's time when it last left a call.
    private var dueSeconds = 0.0
    private var leftSeconds = 0.0
    private var barriers = 0
    /// The peers to whom memory was lent since `completeAll`: room for all of them, so that posting allocates nothing.
    private let lentPeers: UnsafeMutablePointer<Int>
    private var lentPeerCount = 0
    /// What `scratch` gives out.
    private var scratchMemory: Payload?
    /// What `send` writes in place, per peer and slot.
    private var payloads: [PayloadKey: Payload] = [:]

    private struct PayloadKey: Hashable {
        let peer: Int
        let slot: UInt64
    }

    private final class Payload {
        var bytes: PageBuffer<UInt8>
        init(bytes: consuming PageBuffer<UInt8>) { self.bytes = bytes }
    }

    init(fabric: Fabric, rank: Int) {
        self.fabric = fabric
        self.rank = rank
        count = fabric.count
        steps = fabric.firstStep
        signals = fabric.failure.signals
        shared = fabric.shared
        meeting = fabric.barrier
        channels = fabric.channels
        sleepers = fabric.sleepers
        isModel = fabric.clock.isModel
        isWall = fabric.wall != nil
        isVirtual = fabric.scheduler != nil
        // Under the virtual clock messages are copied, and nothing is lent.
        unsafe lentPeers = .allocate(capacity: fabric.scheduler == nil ? fabric.count : 0)
    }

    deinit { unsafe lentPeers.deallocate() }

    // MARK: Time

    /// Seconds since the run began: of the model under the virtual clock, else of the real clock.
    public var now: Double {
        if isVirtual, let scheduler = fabric.scheduler { return scheduler.seconds(of: rank) }
        if isWall, let wall = fabric.wall { return wall.seconds }
        return Double(monotonicNanoseconds()) / 1e9
    }

    /// Runs `body` as this rank's computation.
    ///
    /// Under the virtual clock it takes `seconds`, or where that is nil the processor time that `body` takes, times the
    /// straggler's factor. Under the wall clock it takes at least so long. Under the native clock it takes what it takes.
    ///
    /// `seconds` are finite and at least 0. Without `isStep` the computation belongs to the step of the straggler model before it; otherwise
    /// a new one begins.
    public func compute<Result>(
        seconds: Double? = nil, isStep: Bool = true, _ body: () throws -> Result
    ) throws -> Result {
        if let seconds { precondition(seconds >= 0 && seconds.isFinite, "\(seconds) seconds of computation") }
        if !isModel { return try body() }
        if isStep { steps += 1 }
        let factor = fabric.straggler.factor(rank: rank, step: max(steps, 1) - 1)
        let due = enter()
        let start = threadSeconds()
        let result = try body()
        let duration = factor * (seconds ?? threadSeconds() - start)
        if isVirtual, let scheduler = fabric.scheduler {
            scheduler.advance(rank, to: scheduler.seconds(of: rank) + duration)
            try check()
        } else if isWall, let wall = fabric.wall {
            try wait(wall, until: due + duration)
            leave(at: due + duration)
        }
        return result
    }

    /// Runs `body` outside the model's time: what it takes is made up for in the next wait.
    public func unpriced(_ body: () -> Void) {
        let due = enter()
        body()
        leave(at: due)
    }

    /// Waits until this rank's send port is free, so that the messages it has sent are on their way; at once under the native clock.
    public func awaitSendPort() throws(FabricError) {
        if isVirtual, let scheduler = fabric.scheduler {
            scheduler.advance(rank, to: max(scheduler.seconds(of: rank), scheduler.sendPortFree(of: rank)))
            return try check()
        }
        guard isWall, let wall = fabric.wall else { return }
        var due = enter()
        while true {
            let free = wall.sendPortFree(of: rank)
            if free <= due { break }
            due = free
            try wait(wall, until: due)
        }
        leave(at: due)
    }

    // MARK: Messages

    /// Sends `bytes` to `peer` without waiting; they must stay as they are until `complete` or `completeAll` has returned.
    ///
    /// Nothing is copied but what fits into the mailbox's slot, a kilobyte. Waits while `messagesUnderWay` earlier ones have not been received.
    /// A program that throws an error of its own while memory is lent calls `withdraw` before that memory goes away.
    @discardableResult
    public func post(_ bytes: UnsafeRawBufferPointer, to peer: Int) throws(FabricError) -> Posted {
        try check(peer)
        count(&sent, bytes.count)
        if isModel { return try unsafe postPriced(bytes, to: peer) }
        let channel = unsafe channels.channel(from: rank, to: peer)
        if unsafe !channel.canSend { try unsafe waitToSend(channel, to: peer) }
        return unsafe put(bytes, into: channel, to: peer, arrivalSeconds: 0)
    }

    /// `post` under a clock that prices messages.
    private func postPriced(_ bytes: UnsafeRawBufferPointer, to peer: Int) throws(FabricError) -> Posted {
        if isVirtual, let scheduler = fabric.scheduler {
            unsafe scheduler.send(byteCount: bytes.count, from: rank, to: peer) { unsafe $0.copyMemory(from: bytes) }
            return Posted(peer: peer, number: nil)
        }
        let channel = unsafe channels.channel(from: rank, to: peer)
        let due = enter()
        let arrival = reserve(at: due, to: peer, bytes: bytes.count)
        try unsafe waitToSend(channel, to: peer)
        let posted = unsafe put(bytes, into: channel, to: peer, arrivalSeconds: arrival)
        leave(at: due)
        return posted
    }

    /// Sends bytes in the free slot's line where they fit, else by their address.
    @inline(__always) private func put(
        _ bytes: UnsafeRawBufferPointer, into channel: MessageChannel, to peer: Int, arrivalSeconds: Double
    ) -> Posted {
        if unsafe bytes.count <= MessageChannel.inlineBytes {
            unsafe channel.sendInline(bytes, arrivalSeconds: arrivalSeconds)
            sleepers.wake(peer, from: .message(from: rank))
            return Posted(peer: peer, number: nil)
        }
        let number = unsafe channel.nextNumber
        if unsafe channel.noteLent(number) {
            unsafe lentPeers[lentPeerCount] = peer
            lentPeerCount += 1
        }
        unsafe channel.sendAddress(bytes, arrivalSeconds: arrivalSeconds)
        sleepers.wake(peer, from: .message(from: rank))
        return Posted(peer: peer, number: number)
    }

    /// Waits until the peer has read what was posted, so that the memory is the caller's again. It takes no time of the model.
    public func complete(_ posted: Posted) throws(FabricError) {
        guard let number = posted.number else { return }
        let channel = unsafe channels.channel(from: rank, to: posted.peer)
        if unsafe channel.isComplete(number) { return }
        try unsafe waitUntilComplete(channel, number, by: posted.peer)
    }

    @inline(never) private func waitUntilComplete(
        _ channel: MessageChannel, _ number: UInt64, by peer: Int
    ) throws(FabricError) {
        let due = enter()
        sleepers.wait(rank, for: .reading(by: peer)) { [signals] in
            unsafe channel.isComplete(number) || signals.isLost(peer)
        }
        if unsafe !channel.isComplete(number) { throw lost(peer) }
        leave(at: due)
    }

    /// Waits until all that this rank has posted has been read.
    public func completeAll() throws(FabricError) {
        while lentPeerCount > 0 {
            let peer = unsafe lentPeers[lentPeerCount - 1]
            // Messages to one peer are received in order: the last one completes all.
            let channel = unsafe channels.channel(from: rank, to: peer)
            try complete(Posted(peer: peer, number: unsafe channel.lastLent))
            unsafe channel.forgetLent()
            lentPeerCount -= 1
        }
    }

    /// Sends `bytes` to `peer` and reads in place the message of the same length that `peer` sends, both being under way at once.
    ///
    /// Returns when both have been read; otherwise as `post` and `receive`.
    public func exchange<Result>(
        _ bytes: UnsafeRawBufferPointer, with peer: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(FabricError) -> Result {
        let posted = try unsafe post(bytes, to: peer)
        let result = try unsafe receive(byteCount: bytes.count, from: peer, body)
        try complete(posted)
        return result
    }

    /// Sends `byteCount` bytes that `fill` writes in place, in memory of the receiver's node; returns when they are written.
    ///
    /// Waits while `messagesUnderWay` earlier messages to `peer` have not been received. What `fill` takes is no time of the model.
    public func send(
        byteCount: Int, to peer: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(FabricError) {
        precondition(byteCount >= 0, "\(byteCount) bytes")
        try check(peer)
        count(&sent, byteCount)
        if isVirtual, let scheduler = fabric.scheduler {
            return unsafe scheduler.send(byteCount: byteCount, from: rank, to: peer, fill)
        }
        let channel = unsafe channels.channel(from: rank, to: peer)
        let due = enter()
        let arrival = reserve(at: due, to: peer, bytes: byteCount)
        try unsafe waitToSend(channel, to: peer)
        let key = PayloadKey(peer: peer, slot: unsafe channel.nextNumber % UInt64(MessageChannel.slotCount))
        let payload: Payload
        do {
            payload = try payloads[key] ?? Payload(bytes: PageBuffer(count: 0))
            payloads[key] = payload
            if payload.bytes.count < byteCount {
                try payload.bytes.resize(to: byteCount)
                if let node = fabric.memoryNode(of: peer) { payload.bytes.bind(0..<byteCount, toNode: node) }
            }
        } catch { throw leaveRun(.rankFailed(rank: rank, reason: "\(error)")) }
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: payload.bytes.pointer, count: byteCount)
        unsafe fill(bytes)
        unsafe channel.sendAddress(UnsafeRawBufferPointer(bytes), arrivalSeconds: arrival)
        sleepers.wake(peer, from: .message(from: rank))
        leave(at: due)
    }

    /// `byteCount` bytes of this rank's memory, of any content, to work in and to lend from; they are the caller's until the next
    /// call of this function.
    public func scratch(byteCount: Int) throws(InputError) -> UnsafeMutableRawBufferPointer {
        if scratchMemory.map({ $0.bytes.count < byteCount }) ?? true {
            scratchMemory = Payload(bytes: try PageBuffer(count: byteCount, hugePages: true))
        }
        let memory = scratchMemory!
        return unsafe UnsafeMutableRawBufferPointer(start: memory.bytes.pointer, count: byteCount)
    }

    /// Waits for the next message from `peer` and reads it in place; the bytes are valid within `body` only.
    ///
    /// Throws where the message has another length than `byteCount` bytes, where that is given. What `body` takes is no time of
    /// the model: the switch prices the transfer, and `compute` what a rank does with it. Under the wall clock `body` therefore runs
    /// while the message is under way, and the call returns when it has arrived.
    ///
    /// `releasing` is false where `release` follows soon: a message to the peer that is posted between them leaves at once,
    /// and not behind the word that this one has been read.
    @inlinable public func receive<Result>(
        byteCount: Int? = nil, from peer: Int, releasing: Bool = true, _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(FabricError) -> Result {
        if isModel {
            var result: Result?
            try unsafe receivePriced(byteCount: byteCount, from: peer, releasing) { bytes in
                result = unsafe body(bytes)
            }
            return result!
        }
        let bytes = try unsafe awaitMessage(byteCount: byteCount, from: peer)
        let result = unsafe body(bytes)
        finishMessage(from: peer, releasing)
        return result
    }

    /// Tells `peer` that all messages received from it have been read, where `receive` has not.
    public func release(from peer: Int) throws(FabricError) {
        try check(peer)
        if !isVirtual { unsafe release(channels.channel(from: peer, to: rank), from: peer) }
    }

    @inline(__always) private func release(_ channel: MessageChannel, from peer: Int) {
        unsafe channel.release()
        sleepers.wake(peer, from: .reading(by: rank))
    }

    /// The bytes of the next message from `peer`, in place until `finishMessage`; native clock only.
    @usableFromInline func awaitMessage(byteCount: Int?, from peer: Int) throws(FabricError) -> UnsafeRawBufferPointer {
        try check(peer)
        let channel = unsafe channels.channel(from: peer, to: rank)
        if unsafe !channel.canReceive { try unsafe waitToReceive(channel, from: peer) }
        let bytes = unsafe channel.peek().bytes
        try accept(bytes.count, byteCount, from: peer)
        return unsafe bytes
    }

    @usableFromInline func finishMessage(from peer: Int, _ releasing: Bool) {
        let channel = unsafe channels.channel(from: peer, to: rank)
        unsafe channel.advance()
        if releasing { unsafe release(channel, from: peer) }
    }

    /// `receive` under a clock that prices messages.
    @usableFromInline func receivePriced(
        byteCount: Int?, from peer: Int, _ releasing: Bool, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(FabricError) {
        try check(peer)
        if isVirtual, let scheduler = fabric.scheduler {
            guard let message = unsafe scheduler.receive(rank, from: peer) else { throw over() }
            defer { unsafe scheduler.done(message) }
            try accept(unsafe message.pointee.byteCount, byteCount, from: peer)
            return unsafe body(UnsafeRawBufferPointer(message.bytes))
        }
        let channel = unsafe channels.channel(from: peer, to: rank)
        var due = enter()
        if unsafe !channel.canReceive { try unsafe waitToReceive(channel, from: peer) }
        let message = unsafe channel.peek()
        try accept(unsafe message.bytes.count, byteCount, from: peer)
        var arrival = unsafe message.arrivalSeconds
        unsafe body(message.bytes)
        unsafe channel.advance()
        if releasing { unsafe release(channel, from: peer) }
        if isWall, let wall = fabric.wall {
            while true {
                due = max(due, arrival)
                try wait(wall, until: due)
                arrival = wall.settle(from: peer, to: rank, at: due)
                if arrival <= due { break }
            }
            leave(at: due)
        }
    }

    /// Waits for all ranks.
    public func barrier() throws(FabricError) {
        if isVirtual, let scheduler = fabric.scheduler {
            scheduler.barrier(rank)
            return try check()
        }
        try meet(at: enter(), extraSeconds: 0)
    }

    /// Waits for all ranks, to begin a measurement: as `barrier`, but under the wall clock how late ranks were so far is forgotten,
    /// and all go on at the same real time.
    public func beginTogether() throws(FabricError) {
        guard isWall, let wall = fabric.wall else { return try barrier() }
        // Time for all to be woken, so that none begins late.
        try meet(at: max(enter(), wall.seconds), extraSeconds: 1e-4 + 5e-5 * Double(count))
        largestLatenessSeconds = 0
    }

    private func meet(at due: Double, extraSeconds: Double) throws(FabricError) {
        if isWall { fabric.wall?.announce(dueSeconds: due, barrier: barriers, rank: rank) }
        let missing = meeting.wait(rank: rank) { [signals] in signals.isLost($0) }
        if let missing { throw lost(missing) }
        if isWall, let wall = fabric.wall {
            let latest = wall.latestDueSeconds(barrier: barriers) + extraSeconds
            try wait(wall, until: latest)
            leave(at: latest)
        }
        barriers += 1
    }

    // MARK: What all calls share

    private func check() throws(FabricError) {
        if signals.isOver { throw over() }
    }

    @inline(__always) func check(_ peer: Int) throws(FabricError) {
        if peer < 0 || peer >= count || peer == rank || signals.isOver { throw refusal(of: peer) }
    }

    // Errors are made out of line: the calls that find none are then short.

    @inline(never) private func refusal(of peer: Int) -> FabricError {
        peer < 0 || peer >= count || peer == rank
            ? leaveRun(.noSuchPeer(rank: rank, peer: peer, count: count)) : over()
    }

    @inline(__always) private func accept(_ found: Int, _ expected: Int?, from peer: Int) throws(FabricError) {
        count(&received, found)
        if let expected, expected != found { throw mismatch(found, expected, from: peer) }
    }

    @inline(never) private func mismatch(_ found: Int, _ expected: Int, from peer: Int) -> FabricError {
        leaveRun(.lengthMismatch(from: peer, to: rank, foundBytes: found, expectedBytes: expected))
    }

    private func count(_ traffic: inout Traffic, _ bytes: Int) {
        traffic.bytes &+= bytes
        traffic.messages &+= 1
    }

    @inline(never) private func waitToSend(_ channel: MessageChannel, to peer: Int) throws(FabricError) {
        if unsafe channel.canSend { return }
        sleepers.wait(rank, for: .reading(by: peer)) { [signals] in unsafe channel.canSend || signals.isLost(peer) }
        if unsafe !channel.canSend { throw lost(peer) }
    }

    @inline(never) private func waitToReceive(_ channel: MessageChannel, from peer: Int) throws(FabricError) {
        sleepers.wait(rank, for: .message(from: peer)) { [signals] in unsafe channel.canReceive || signals.isLost(peer)
        }
        if unsafe !channel.canReceive { throw lost(peer) }
    }

    /// Why `peer` will not answer: the run is over, or the peer's program has ended.
    func lost(_ peer: Int) -> FabricError {
        signals.isOver ? over() : leaveRun(.rankEnded(rank: peer, waiting: rank))
    }

    private func over() -> FabricError { leaveRun(fabric.failure.forPeers) }

    /// Ends this rank's part in the run because of an error of the program's own, which `Fabric.run` throws if it is the first: once it
    /// has returned, nobody reads what was lent.
    public func withdraw(because error: any Error) {
        _ = fabric.failure.note(rank: rank, error)
        signals.leave(rank)
        while lentPeerCount > 0 {
            lentPeerCount -= 1
            let peer = unsafe lentPeers[lentPeerCount]
            let channel = unsafe channels.channel(from: rank, to: peer)
            let number = unsafe channel.lastLent
            func isRead() -> Bool { unsafe channel.isComplete(number) || signals.hasLeft(peer) }
            if !isRead() { sleepers.wait(rank, for: .reading(by: peer), until: isRead) }
            unsafe channel.forgetLent()
        }
    }

    /// Ends this rank's part in the run: from now on it reads nobody's memory, and nobody reads what it has lent.
    ///
    /// The caller's memory is about to go away, and a peer may be reading it at this moment; each peer is therefore waited for until
    /// it has read the message or has found, in this function too, that the run is over.
    func leaveRun(_ error: FabricError) -> FabricError {
        withdraw(because: error)
        return error
    }

    // MARK: The wall clock

    /// Reserves the ports for a message and says when it arrives; 0 under the native clock.
    private func reserve(at due: Double, to peer: Int, bytes: Int) -> Double {
        guard isWall, let wall = fabric.wall else { return 0 }
        return wall.reserve(at: due, from: rank, to: peer, bytes: bytes)
    }

    /// The time at which this rank ought to be: where its last call ended, plus what its thread has computed since.
    ///
    /// Processor time, so that ranks which share a processor do not pay for each other.
    private func enter() -> Double { !isWall ? 0 : dueSeconds + (threadSeconds() - leftSeconds) }

    /// Leaves a call that ought to end at `due`, whenever it does: a late wake-up is made up for in the next wait.
    private func leave(at due: Double) {
        if !isWall { return }
        dueSeconds = due
        leftSeconds = threadSeconds()
    }

    private func wait(_ wall: WallClock, until due: Double) throws(FabricError) {
        func isOver() -> Bool { signals.isOver }
        let late = wall.wait(until: due, or: isOver) { nanoseconds in
            sleepers.sleep(rank, nanoseconds: nanoseconds, unless: isOver)
        }
        guard let late else { throw over() }
        largestLatenessSeconds = max(largestLatenessSeconds, late)
    }

    /// Before the program: what the thread did until now is not this rank's computation.
    func begin() {
        guard isWall, let wall = fabric.wall else { return }
        WallClock.sharpenTimer()
        leave(at: wall.seconds)
    }
}
