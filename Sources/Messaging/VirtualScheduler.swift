// The virtual clock: one rank runs at a time, always the one with the smallest (time, rank), so that the switch sees all messages in
// that order. All state belongs to the rank that runs.

internal import CPlatformShims
internal import Platform
internal import SwitchModel

/// Lets ranks run in the order of (time, rank), and keeps the messages under way.
@safe final class VirtualScheduler: @unchecked Sendable {
    // Sendable: everything is read and written by the rank that runs only; `RankTurns` orders one after the other.

    /// What a rank is in the middle of.
    private struct State {
        var seconds = 0.0
        /// The peer whose message it waits for, or -1.
        var awaited = -1
        var hasEnded = false
    }

    private let count: Int
    let turns: RankTurns
    private var runnable: ReadyQueue
    private var ports: Switch
    private let states: UnsafeMutablePointer<State>
    private var inBarrier: [Int] = []
    private let mail: VirtualMail
    private var active: Int
    /// After a failure: all ranks before it have ended.
    private var firstActive = 0
    private let failure: FabricFailure

    /// Throws where there is no room for so many ranks.
    init(count: Int, cost: NetworkCost, failure: FabricFailure) throws(InputError) {
        self.count = count
        active = count
        ports = Switch(ranks: count, cost: cost)
        self.failure = failure
        mail = VirtualMail(count: count)
        turns = relaxed_is_sanitized() != 0 ? try ThreadRanks(count: count) : try LightRanks(count: count)
        runnable = ReadyQueue(ranks: count)
        unsafe states = .allocate(capacity: count)
        unsafe states.initialize(repeating: State(), count: count)
    }

    deinit { unsafe states.deallocate() }

    /// Runs `body` for every rank; see `RankTurns.run`.
    func run(on team: WorkerTeam?, whileWaiting: () -> Void, _ body: @Sendable (Int) -> Void) throws(InputError) {
        let first = runnable.popFirst()!.rank
        try turns.run(first: first, on: team, whileWaiting: whileWaiting) { rank in
            body(rank)
            return self.successor(of: rank)
        }
    }

    /// Lets the next rank go on, and returns when it is this rank's turn again, or the run is over.
    private func leave(_ rank: Int) {
        guard let next = runnable.popFirst() else { return reportDeadlock(rank) }
        turns.handOver(from: rank, to: next.rank)
    }

    private func reportDeadlock(_ rank: Int) {
        let waiting = (0..<count).filter { unsafe states[$0].awaited >= 0 }
        let error = FabricError.deadlock(
            waiting: waiting, for: waiting.map { unsafe states[$0].awaited }, inBarrier: inBarrier.sorted())
        _ = failure.note(rank: rank, error)
    }

    /// Which rank goes on once the program of `rank` has ended.
    private func successor(of rank: Int) -> Int? {
        unsafe states[rank].hasEnded = true
        active -= 1
        if active == 0 { return nil }
        if !failure.isOver {
            if let next = runnable.popFirst() { return next.rank }
            reportDeadlock(rank)
        }
        // Each rank goes on once, to find that the run is over.
        while unsafe states[firstActive].hasEnded { firstActive += 1 }
        return firstActive
    }

    // MARK: What a rank does while it runs; after a failure every call returns at once

    func seconds(of rank: Int) -> Double { unsafe states[rank].seconds }

    /// Moves the rank's clock to `time` and lets all ranks that come before it go first.
    func advance(_ rank: Int, to time: Double) {
        // As long as no time passes the rank goes on, whoever else could.
        if unsafe failure.isOver || time == states[rank].seconds { return }
        unsafe states[rank].seconds = time
        let turn = ReadyQueue.Entry(time: time, rank: rank)
        guard let first = runnable.first, first < turn else { return }
        runnable.push(turn)
        leave(rank)
    }

    /// From when the next message of `rank` finds its send port free.
    func sendPortFree(of rank: Int) -> Double { ports.sendPortFree(of: rank) }

    /// Sends `byteCount` bytes that `fill` writes, at the rank's time. The rank's clock does not move.
    func send(byteCount: Int, from rank: Int, to peer: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        if failure.isOver { return }
        let end = unsafe ports.reserve(at: states[rank].seconds, from: rank, to: peer, bytes: byteCount).end
        let message = unsafe mail.make(byteCount: byteCount)
        unsafe message.pointee.arrivalSeconds = end
        unsafe fill(message.bytes)
        unsafe mail.append(message, from: rank, to: peer)
        let state = unsafe states + peer
        if unsafe state.pointee.awaited == rank {
            unsafe state.pointee.awaited = -1
            unsafe state.pointee.seconds = max(state.pointee.seconds, end)
            unsafe runnable.push(ReadyQueue.Entry(time: state.pointee.seconds, rank: peer))
        }
    }

    /// The next message from `peer`, at the time it has arrived, for `done`; nil where the run is over.
    func receive(_ rank: Int, from peer: Int) -> UnsafeMutablePointer<VirtualMessage>? {
        if failure.isOver { return nil }
        if let message = unsafe mail.first(from: peer, to: rank) {
            unsafe advance(rank, to: max(states[rank].seconds, message.pointee.arrivalSeconds))
        } else {
            unsafe states[rank].awaited = peer
            leave(rank)
        }
        return failure.isOver ? nil : unsafe mail.takeFirst(from: peer, to: rank)
    }

    /// Gives the memory of a received message back.
    func done(_ message: UnsafeMutablePointer<VirtualMessage>) { unsafe mail.free(message) }

    /// Waits for all ranks; their clocks move to the latest one.
    func barrier(_ rank: Int) {
        if failure.isOver { return }
        if inBarrier.count + 1 < count {
            inBarrier.append(rank)
            return leave(rank)
        }
        let latest = unsafe inBarrier.reduce(states[rank].seconds) { unsafe max($0, states[$1].seconds) }
        for other in inBarrier {
            unsafe states[other].seconds = latest
            runnable.push(ReadyQueue.Entry(time: latest, rank: other))
        }
        inBarrier = []
        advance(rank, to: latest)
    }
}
