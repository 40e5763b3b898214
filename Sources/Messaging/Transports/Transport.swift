// How the messages of one rank travel, and what time is meanwhile: the only part of Messaging that knows of clocks.

internal import Platform

/// What a communicator asks of the clock it runs under: one object a rank, which the rank's thread uses.
///
/// All calls block. They throw what they find and leave it to the communicator to end the rank's part in the run.
protocol Transport: AnyObject {
    /// Seconds of this rank's clock since the run began.
    var now: Double { get }
    /// The most that a wait was late since the last `beginTogether`, in seconds.
    var largestLatenessSeconds: Double { get }

    /// See `Communicator.endsBefore`. It travels with whatever this rank sends, and is lowered by whatever it receives.
    var endsBefore: UInt64 { get set }

    // MARK: Time

    /// Before the program: what the thread did until now is not this rank's computation.
    func begin()
    /// Before a computation, of which `endComputation` says how many seconds of this clock it takes.
    func beginComputation()
    func endComputation(seconds: Double) throws(FabricError)
    /// The same, but no longer than until a message from `peer` arrives; whether the computation came to its end before.
    func endComputation(seconds: Double, untilMessageFrom peer: Int) throws(FabricError) -> Bool
    /// Runs `body` outside the model's time.
    func unpriced(_ body: () -> Void)
    /// Waits until this rank's send port is free.
    func awaitSendPort() throws(FabricError)

    // MARK: Messages

    /// See `Communicator.post` and the functions of the same names there; `peer` is another rank.
    func post(_ bytes: UnsafeRawBufferPointer, to peer: Int) throws(FabricError) -> Communicator.Posted
    func send(
        byteCount: Int, to peer: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(FabricError)
    func complete(_ posted: Communicator.Posted) throws(FabricError)
    func completeAll() throws(FabricError)
    /// Waits for the next message from `peer` and shows it, until `finish`, which waits until it has arrived.
    func peek(from peer: Int) throws(FabricError) -> UnsafeRawBufferPointer
    func finish(from peer: Int, releasing: Bool) throws(FabricError)
    func release(from peer: Int)
    /// Whether a message from `peer` has arrived; takes no time.
    func hasArrived(from peer: Int) throws(FabricError) -> Bool
    /// Waits for a message of any of `peers` and says whose arrives first.
    func firstToArrive(of peers: [Int]) throws(FabricError) -> Int
    /// After a failure: waits until nobody reads any more what was lent.
    func awaitReaders()

    // MARK: All ranks

    func barrier() throws(FabricError)
    func beginTogether() throws(FabricError)
    /// Stands still until the coordinator has looked; see `Communicator.pause`.
    func pause() throws(FabricError)

    // MARK: Windows

    /// Waits until `condition` holds of the window, then moves `byteCount` bytes from its owner to this rank and calls `read` at the
    /// beginning of that.
    func pull(
        _ window: WindowMemory, byteCount: Int, when condition: ((WindowState) -> Bool)?, _ read: () -> Void
    ) throws(FabricError)
    /// Moves a message from the owner of the stream to this rank, calls `read` for each window at the beginning, and returns when the receive
    /// port is free; `awaitPulled` waits until all has arrived.
    func beginPull(_ stream: WindowStream, _ read: (_ place: Int) -> Void) throws(FabricError)
    func awaitPulled() throws(FabricError)
    /// Begins to move a message to the owner of the stream; `apply` is called for each window when its part has arrived, and told
    /// when.
    func post(
        _ stream: WindowStream, _ apply: @escaping (_ place: Int, _ seconds: Double) -> Void
    ) throws(FabricError)
    /// Waits until at most `count` of the posted messages are under way.
    func awaitPosted(atMost count: Int) throws(FabricError)
    /// Whether nobody else runs where a posted push is applied.
    var appliesPostedInTurn: Bool { get }
    /// Moves `byteCount` bytes from this rank to the window's owner and calls `apply` at the end of that, which says whether it was an update.
    func push(_ window: WindowMemory, byteCount: Int, _ apply: () -> Bool) throws(FabricError)
    /// Moves `byteCount` bytes each way between this rank, which owns `own`, and the owner of `window`, both at once, and calls `apply` at
    /// the end of that.
    func exchange(
        _ window: WindowMemory, with own: WindowMemory, byteCount: Int, _ apply: () -> Void
    ) throws(FabricError)
}

/// What every transport knows of its rank.
struct RankContext {
    let rank: Int
    let count: Int
    let failure: FabricFailure
    let signals: FailureSignals
    let sleepers: RankSleepers
    let gate: PauseGate

    init(fabric: Fabric, rank: Int) {
        self.rank = rank
        count = fabric.count
        failure = fabric.failure
        signals = fabric.failure.signals
        sleepers = fabric.sleepers
        gate = fabric.gate
    }

    /// Why `peer` will not answer: the run is over, or the peer's program has ended.
    func lost(_ peer: Int) -> FabricError {
        signals.isOver ? failure.forPeers : .rankEnded(rank: peer, waiting: rank)
    }

    /// Stands still until the coordinator has looked.
    func pause() throws(FabricError) {
        gate.pause { signals.isOver }
        try check()
    }

    func check() throws(FabricError) {
        if signals.isOver { throw failure.forPeers }
    }
}
