// One rank's view of a fabric. The thread of that rank uses it, and nobody else.

public import Platform

/// What a worker program is written against: its rank, its peers, messages, windows, a barrier and a clock.
///
/// Messages between two ranks arrive in the order in which they were sent. All calls block; none is for another thread.
@safe public final class Communicator {
    /// This rank, in 0..<count.
    public let rank: Int
    /// N.
    public let count: Int
    /// What this rank has counted so far.
    private(set) var traffic = AllTraffic()
    /// What this rank has sent in messages.
    public var sent: Traffic { traffic.sent }
    /// What it has received in messages.
    public var received: Traffic { traffic.received }

    /// Bytes and messages.
    public struct Traffic: Sendable, Equatable {
        public var bytes = 0
        public var messages = 0
    }

    /// What one rank has moved: in messages, and to and from windows. An average counts as both of the latter.
    public struct AllTraffic: Sendable, Equatable {
        public internal(set) var sent = Traffic()
        public internal(set) var received = Traffic()
        public internal(set) var pushed = Traffic()
        public internal(set) var pulled = Traffic()
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
    let signals: FailureSignals
    let shared: SharedMemory
    let transport: any Transport
    /// Its messages where it is native: calls in the path of a message of 40 ns go there directly.
    private let native: NativeMessages?
    /// The transport where it is native, without counting references: `transport` keeps it.
    private let nativeWindows: Unmanaged<NativeTransport>?
    /// Whether the switch model prices messages.
    public let isModel: Bool
    /// Computations so far: the step of the straggler model.
    private var steps: UInt64
    /// What `scratch` gives out.
    private var scratchMemory: Scratch?

    private final class Scratch {
        let bytes: PageBuffer<UInt8>
        init(bytes: consuming PageBuffer<UInt8>) { self.bytes = bytes }
    }

    init(fabric: Fabric, rank: Int) {
        self.fabric = fabric
        self.rank = rank
        count = fabric.count
        steps = fabric.firstStep
        signals = fabric.failure.signals
        shared = fabric.shared
        isModel = fabric.clock.isModel
        transport = fabric.makeTransport(rank: rank)
        let nativeTransport = transport as? NativeTransport
        unsafe nativeWindows = nativeTransport.map { unsafe .passUnretained($0) }
        native = nativeTransport?.messages
    }

    /// Before the program.
    func begin() { transport.begin() }

    // MARK: Time

    /// Seconds since the run began, pauses not counted: of the model under the virtual clock, else of the real clock.
    public var now: Double { native?.now ?? transport.now }

    /// The most that the wall clock was late in a wait since the last `beginTogether`, in seconds.
    public var largestLatenessSeconds: Double { transport.largestLatenessSeconds }

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
        let (result, duration) = try timed(seconds, isStep, body)
        try call { () throws(FabricError) in try transport.endComputation(seconds: duration) }
        return result
    }

    /// As `compute`, but given up as soon as a message from `peer` has arrived, which is then there to be received: nil.
    ///
    /// `body` is run in any case. Under the native clock it cannot be given up, and what it has found is nil where such a message has
    /// arrived meanwhile.
    public func compute<Result>(
        seconds: Double? = nil, untilMessageFrom peer: Int, _ body: () throws -> Result
    ) throws -> Result? {
        if let seconds { precondition(seconds >= 0 && seconds.isFinite, "\(seconds) seconds of computation") }
        try check(peer)
        let (result, duration) = isModel ? try timed(seconds, true, body) : (try body(), 0)
        let isAtItsEnd = try call { () throws(FabricError) in
            try transport.endComputation(seconds: duration, untilMessageFrom: peer)
        }
        return isAtItsEnd ? result : nil
    }

    /// Runs `body`, as the beginning of a computation on a clock of the model; how long that takes.
    private func timed<Result>(
        _ seconds: Double?, _ isStep: Bool, _ body: () throws -> Result
    ) throws -> (Result, seconds: Double) {
        if isStep { steps += 1 }
        let straggler = fabric.straggler
        // A trace has the seconds of steps, and says nothing of what belongs to one besides.
        let factor = isStep || !straggler.isTrace ? straggler.factor(rank: rank, step: max(steps, 1) - 1) : 1
        transport.beginComputation()
        let start = threadSeconds()
        let result = try body()
        return (result, factor * (seconds ?? threadSeconds() - start))
    }

    /// Runs `body` outside the model's time: what it takes is made up for in the next wait.
    public func unpriced(_ body: () -> Void) { transport.unpriced(body) }

    /// Waits until this rank's send port is free, so that the messages it has sent are on their way; at once under the native clock.
    public func awaitSendPort() throws(FabricError) {
        try call { () throws(FabricError) in try transport.awaitSendPort() }
    }

    // MARK: Messages

    /// Sends `bytes` to `peer` without waiting; they must stay as they are until `complete` or `completeAll` has returned.
    ///
    /// Nothing is copied but what fits into the mailbox's slot, a kilobyte. Waits while `messagesUnderWay` earlier ones have not been received.
    /// A program that throws an error of its own while memory is lent calls `withdraw` before that memory goes away.
    @discardableResult
    public func post(_ bytes: UnsafeRawBufferPointer, to peer: Int) throws(FabricError) -> Posted {
        try check(peer)
        count(&traffic.sent, bytes.count)
        do {
            if let native { return try unsafe native.post(bytes, to: peer) }
            return try unsafe transport.post(bytes, to: peer)
        } catch { throw leaveRun(error) }
    }

    /// Waits until the peer has read what was posted, so that the memory is the caller's again. It takes no time of the model.
    public func complete(_ posted: Posted) throws(FabricError) {
        do {
            if let native { return try native.complete(posted) }
            try transport.complete(posted)
        } catch { throw leaveRun(error) }
    }

    /// Waits until all that this rank has posted has been read.
    public func completeAll() throws(FabricError) {
        do {
            if let native { return try native.completeAll() }
            try transport.completeAll()
        } catch { throw leaveRun(error) }
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
        count(&traffic.sent, byteCount)
        do { try unsafe transport.send(byteCount: byteCount, to: peer, fill) } catch { throw leaveRun(error) }
    }

    /// `byteCount` bytes of this rank's memory, of any content, to work in and to lend from; they are the caller's until the next
    /// call of this function.
    public func scratch(byteCount: Int) throws(InputError) -> UnsafeMutableRawBufferPointer {
        if scratchMemory.map({ $0.bytes.count < byteCount }) ?? true {
            scratchMemory = Scratch(bytes: try PageBuffer(count: byteCount, hugePages: true))
        }
        return unsafe UnsafeMutableRawBufferPointer(start: scratchMemory!.bytes.pointer, count: byteCount)
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
        let bytes = try unsafe awaitMessage(byteCount: byteCount, from: peer)
        let result = unsafe body(bytes)
        try finishMessage(from: peer, releasing)
        return result
    }

    /// As `receive`, of the message of `peers` that arrives first; `body` is told whose it is.
    ///
    /// Under the native clock, where several are there, none of `peers` is left out for ever; under the others the one that arrives first
    /// is read, and of those that arrive together that of the lowest rank. Throws once all of `peers`, which are not none, have ended.
    public func receiveAny<Result>(
        byteCount: Int? = nil, from peers: [Int], _ body: (_ peer: Int, UnsafeRawBufferPointer) -> Result
    ) throws(FabricError) -> Result {
        precondition(!peers.isEmpty, "a message of nobody")
        for peer in peers { try check(peer) }
        let peer = try call { () throws(FabricError) in try transport.firstToArrive(of: peers) }
        return try unsafe receive(byteCount: byteCount, from: peer) { bytes in unsafe body(peer, bytes) }
    }

    /// As `receive` where a message from `peer` has arrived, else nil at once.
    ///
    /// It takes no time of the model: between two calls a program does something that does, or it would wait for ever.
    public func tryReceive<Result>(
        byteCount: Int? = nil, from peer: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(FabricError) -> Result? {
        try check(peer)
        guard try call({ () throws(FabricError) in try transport.hasArrived(from: peer) }) else { return nil }
        return try unsafe receive(byteCount: byteCount, from: peer, body)
    }

    /// Tells `peer` that all messages received from it have been read, where `receive` has not.
    public func release(from peer: Int) throws(FabricError) {
        try check(peer)
        if let native { return native.release(from: peer) }
        transport.release(from: peer)
    }

    /// The bytes of the next message from `peer`, in place until `finishMessage`.
    @usableFromInline func awaitMessage(byteCount: Int?, from peer: Int) throws(FabricError) -> UnsafeRawBufferPointer {
        try check(peer)
        let bytes: UnsafeRawBufferPointer
        do {
            if let native {
                unsafe bytes = try unsafe native.peek(from: peer)
            } else {
                unsafe bytes = try unsafe transport.peek(from: peer)
            }
        } catch { throw leaveRun(error) }
        count(&traffic.received, bytes.count)
        if let byteCount, bytes.count != byteCount { throw mismatch(bytes.count, byteCount, from: peer) }
        return unsafe bytes
    }

    @usableFromInline func finishMessage(from peer: Int, _ releasing: Bool) throws(FabricError) {
        if let native { return native.finish(from: peer, releasing: releasing) }
        try call { () throws(FabricError) in try transport.finish(from: peer, releasing: releasing) }
    }

    // MARK: All ranks

    /// Waits for all ranks.
    public func barrier() throws(FabricError) {
        do {
            if let native { return try native.barrier() }
            try transport.barrier()
        } catch { throw leaveRun(error) }
    }

    /// Waits for all ranks, to begin a measurement: as `barrier`, but under the wall clock how late ranks were so far is forgotten,
    /// and all go on at the same real time.
    public func beginTogether() throws(FabricError) {
        if native != nil { return try barrier() }
        try call { () throws(FabricError) in try transport.beginTogether() }
    }

    /// Stands still until the coordinator has looked at what the ranks have; see `FabricRun.advance`. No clock moves meanwhile, and
    /// messages stay under way.
    ///
    /// Under the virtual clock one rank calls it, and all stand still where they are at this instant. Under the native and the wall clock
    /// all ranks that have not ended call it, and wait for each other.
    public func pause() throws(FabricError) {
        try call { () throws(FabricError) in try transport.pause() }
    }

    /// The first step that this rank does not make, as far as it knows.
    ///
    /// It travels with every message, window operation, barrier and meeting in shared memory, and whoever receives one lowers its own to
    /// it before the call returns: a rank that depends on another, through however many, knows what that one knew.
    public internal(set) var endsBefore: UInt64 {
        get { native?.endsBefore ?? transport.endsBefore }
        set { if let native { native.endsBefore = newValue } else { transport.endsBefore = newValue } }
    }

    /// Lowers `endsBefore` to `step`; never raises it.
    public func end(before step: UInt64) { endsBefore = min(endsBefore, step) }

    // MARK: Windows

    /// The window that was opened as `name` on `owner`, by `Fabric.openWindow`.
    public func window(_ name: WindowName, on owner: Int) -> Window {
        Window(memory: fabric.windowMemory(name, on: owner), communicator: self)
    }

    /// The most updates of a window that this rank has seen in what it pulled and pushed; on a clock of the model, of one that counts.
    public private(set) var newestVersion: UInt64 = 0

    /// On a clock of the model, when this rank has read a window last.
    public private(set) var lastReadSeconds = 0.0

    func noteRead() {
        if isModel { lastReadSeconds = transport.now }
    }

    /// Waits for the condition, then lets `read` look at the window's vector; its version then.
    func pull(
        _ window: WindowMemory, byteCount: Int, when condition: ((WindowState) -> Bool)?, _ read: (Vector) -> Void
    ) throws(FabricError) -> UInt64 {
        if window.owner != rank { count(&traffic.pulled, byteCount) }
        var version: UInt64 = 0
        if condition == nil, let nativeWindows = unsafe nativeWindows, !signals.isOver {
            version = unsafe nativeWindows._withUnsafeGuaranteedRef { $0.pull(window, read) }
        } else {
            try call { () throws(FabricError) in
                try transport.pull(window, byteCount: byteCount, when: condition) {
                    noteRead()
                    version = window.version
                    read(window.vector)
                }
            }
            if !window.isCounted { return version }
        }
        newestVersion = max(newestVersion, version)
        return version
    }

    /// Lets `apply` change the window's vector, and say whether that was an update; its version before that.
    @inline(__always) func push(
        _ window: WindowMemory, byteCount: Int, _ apply: (Vector, UInt64) -> Bool
    ) throws(FabricError) -> (t: UInt64, isUpdate: Bool) {
        if window.owner != rank { count(&traffic.pushed, byteCount) }
        var (t, isUpdate) = (UInt64(0), false)
        if let nativeWindows = unsafe nativeWindows, !signals.isOver {
            (t, isUpdate) = unsafe nativeWindows._withUnsafeGuaranteedRef { $0.push(window, apply) }
        } else {
            try call { () throws(FabricError) in
                try transport.push(window, byteCount: byteCount) {
                    t = window.version
                    isUpdate = apply(window.vector, t)
                    if isUpdate { window.note(updateBy: rank) }
                    return isUpdate
                }
            }
        }
        newestVersion = max(newestVersion, isUpdate ? t + 1 : t)
        return (t, isUpdate)
    }

    func countPulled(_ bytes: Int) { count(&traffic.pulled, bytes) }
    func countPushed(_ bytes: Int) { count(&traffic.pushed, bytes) }
    func note(version: UInt64, of window: WindowMemory) {
        if window.isCounted { newestVersion = max(newestVersion, version) }
    }

    func exchange(
        _ window: WindowMemory, with own: WindowMemory, byteCount: Int, _ apply: () -> Void
    ) throws(FabricError) {
        count(&traffic.pushed, byteCount)
        count(&traffic.pulled, byteCount)
        try call { () throws(FabricError) in
            try transport.exchange(window, with: own, byteCount: byteCount, apply)
        }
    }

    // MARK: The end of the run

    /// Runs a call of the transport; where it fails, this rank's part in the run ends.
    func call<Result>(_ body: () throws(FabricError) -> Result) throws(FabricError) -> Result {
        if signals.isOver { throw over() }
        do { return try body() } catch { throw leaveRun(error) }
    }

    @inline(__always) func check(_ peer: Int) throws(FabricError) {
        if peer < 0 || peer >= count || peer == rank || signals.isOver { throw refusal(of: peer) }
    }

    // Errors are made out of line: the calls that find none are then short.

    @inline(never) private func refusal(of peer: Int) -> FabricError {
        peer < 0 || peer >= count || peer == rank
            ? leaveRun(.noSuchPeer(rank: rank, peer: peer, count: count)) : over()
    }

    @inline(never) private func mismatch(_ found: Int, _ expected: Int, from peer: Int) -> FabricError {
        leaveRun(.lengthMismatch(from: peer, to: rank, foundBytes: found, expectedBytes: expected))
    }

    private func count(_ traffic: inout Traffic, _ bytes: Int) {
        traffic.bytes &+= bytes
        traffic.messages &+= 1
    }

    /// Why `peer` will not answer: the run is over, or the peer's program has ended.
    func lost(_ peer: Int) -> FabricError {
        signals.isOver ? over() : leaveRun(.rankEnded(rank: peer, waiting: rank))
    }

    private func over() -> FabricError { leaveRun(fabric.failure.forPeers) }

    /// Ends this rank's part in the run because of an error of the program's own, which `Fabric.run` throws if it is the first: once it
    /// has returned, nobody reads what was lent.
    public func withdraw(because error: any Error) {
        fabric.failure.note(rank: rank, error)
        signals.leave(rank)
        transport.awaitReaders()
    }

    /// Ends this rank's part in the run: from now on it reads nobody's memory, and nobody reads what it has lent.
    ///
    /// The caller's memory is about to go away, and a peer may be reading it at this moment; each peer is therefore waited for until
    /// it has read the message or has found, in this function too, that the run is over.
    @inline(never) func leaveRun(_ error: FabricError) -> FabricError {
        withdraw(because: error)
        return error
    }
}
