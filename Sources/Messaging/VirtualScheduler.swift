// The virtual clock: one rank runs at a time, always the one with the smallest (time, rank), so that the switch sees all messages in
// that order. The ranks' own threads run it; all state belongs to the rank that holds the token.

internal import DequeModule
internal import Platform
internal import SwitchModel
internal import Synchronization

/// Hands a token from rank to rank in the order of (time, rank), and keeps the messages under way.
@safe final class VirtualScheduler: @unchecked Sendable {
    // Sendable: everything is read and written by the holder of the token only; passing it on releases, getting it acquires.

    /// A message that was posted and not yet received.
    struct Message {
        let bytes: [UInt8]
        let arrivalSeconds: Double
    }

    private let count: Int
    private let tokens: PageBuffer<UInt8>
    private var runnable: ReadyQueue
    private var ports: Switch
    /// Per rank: its time, the peer whose message it waits for (or -1), and whether it is in the barrier.
    private(set) var seconds: [Double]
    private var awaited: [Int]
    private var inBarrier: [Int] = []
    private var messages: [[Int: Deque<Message>]]
    private var active: Int
    private let failure: FabricFailure

    init(count: Int, cost: NetworkCost, failure: FabricFailure) throws(InputError) {
        self.count = count
        ports = Switch(ranks: count, cost: cost)
        self.failure = failure
        tokens = try PageBuffer(count: 128 * count)
        seconds = Array(repeating: 0, count: count)
        awaited = Array(repeating: -1, count: count)
        messages = Array(repeating: [:], count: count)
        active = count
        runnable = ReadyQueue(ranks: count)
        _ = runnable.popFirst()
        // Before any rank runs: the token lies ready for rank 0.
        unsafe token(0).pointee.store(1, ordering: .relaxed)
    }

    private func token(_ rank: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        unsafe UnsafeMutableRawPointer(tokens.pointer + 128 * rank).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    // MARK: The token

    /// Waits for this rank's turn, or for the run to be over.
    func takeToken(_ rank: Int) {
        let word = unsafe token(rank)
        // Acquires what the last holder wrote: pairs with the release in `giveToken`.
        while unsafe word.pointee.load(ordering: .acquiring) == 0 {
            if failure.isOver { return }
            unsafe Futex.wait(on: word, while: 0)
        }
        unsafe word.pointee.store(0, ordering: .relaxed)
    }

    private func giveToken(_ rank: Int) {
        // Releases everything this holder wrote: pairs with the acquire in `takeToken`.
        unsafe token(rank).pointee.store(1, ordering: .releasing)
        unsafe Futex.wake(1, on: token(rank))
    }

    /// After a failure: lets every rank go on, each to find that it is over.
    func releaseAll() {
        for rank in 0..<count { giveToken(rank) }
    }

    /// Passes the token to the next rank and waits for it to come back.
    private func passToken(from rank: Int) {
        guard let next = runnable.popFirst() else {
            reportDeadlock(rank)
            return
        }
        giveToken(next.rank)
        takeToken(rank)
    }

    private func reportDeadlock(_ rank: Int) {
        let waiting = awaited.indices.filter { awaited[$0] >= 0 }
        let error = FabricError.deadlock(
            waiting: waiting, for: waiting.map { awaited[$0] }, inBarrier: inBarrier.sorted())
        if failure.note(rank: rank, error) { releaseAll() }
    }

    // MARK: What a rank does while it holds the token

    // After a failure all ranks run at once: from then on nobody touches the state, and every call returns at once.

    /// Moves the rank's clock to `time` and lets all ranks that come before it go first.
    func advance(_ rank: Int, to time: Double) {
        // As long as no time passes the rank goes on, whoever else could.
        if failure.isOver || time == seconds[rank] { return }
        seconds[rank] = time
        let turn = ReadyQueue.Entry(time: time, rank: rank)
        guard let first = runnable.first, first < turn else { return }
        runnable.push(turn)
        passToken(from: rank)
    }

    /// From when the next message of `rank` finds its send port free.
    func sendPortFree(of rank: Int) -> Double { ports.sendPortFree(of: rank) }

    /// Sends a copy of `bytes` at the rank's time. The rank's clock does not move.
    func post(_ bytes: UnsafeRawBufferPointer, from rank: Int, to peer: Int) {
        if failure.isOver { return }
        let end = ports.reserve(at: seconds[rank], from: rank, to: peer, bytes: bytes.count).end
        let message = unsafe Message(bytes: Array(bytes), arrivalSeconds: end)
        messages[peer][rank, default: []].append(message)
        if awaited[peer] == rank {
            awaited[peer] = -1
            seconds[peer] = max(seconds[peer], end)
            runnable.push(ReadyQueue.Entry(time: seconds[peer], rank: peer))
        }
    }

    /// The next message from `peer`, at the time it has arrived; nil where the run is over.
    func receive(_ rank: Int, from peer: Int) -> Message? {
        if failure.isOver { return nil }
        if let message = messages[rank][peer]?.first {
            advance(rank, to: max(seconds[rank], message.arrivalSeconds))
        } else {
            awaited[rank] = peer
            passToken(from: rank)
        }
        return failure.isOver ? nil : messages[rank][peer]?.popFirst()
    }

    /// Waits for all ranks; their clocks move to the latest one.
    func barrier(_ rank: Int) {
        if failure.isOver { return }
        if inBarrier.count + 1 < count {
            inBarrier.append(rank)
            passToken(from: rank)
            return
        }
        let latest = inBarrier.reduce(seconds[rank]) { max($0, seconds[$1]) }
        for other in inBarrier {
            seconds[other] = latest
            runnable.push(ReadyQueue.Entry(time: latest, rank: other))
        }
        inBarrier = []
        advance(rank, to: latest)
    }

    /// The rank's program has ended.
    func finish(_ rank: Int) {
        if failure.isOver { return }
        active -= 1
        if active == 0 { return }
        if let next = runnable.popFirst() { giveToken(next.rank) } else { reportDeadlock(rank) }
    }
}
