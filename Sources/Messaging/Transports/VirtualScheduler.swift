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
        /// The peer whose message it waits for, or one of the three below.
        var awaited = State.nobody
        var hasEnded = false
        /// Of a rank that computes: whose message makes it give up.
        var interrupter = State.nobody
        /// What it knows of the end of the run.
        var endsBefore = UInt64.max

        static let nobody = -1
        static let anybody = -2
        static let window = -3
    }

    private let count: Int
    let turns: any RankTurns
    private var runnable: ReadyQueue
    private var actions = ActionQueue()
    private var ports: Switch
    private let states: UnsafeMutablePointer<State>
    private var inBarrier: [Int] = []
    /// Of a rank that waits for a message of any of several: of whom.
    private var peers: [Int: [Int]] = [:]
    /// Windows at which ranks may wait.
    private var awaitedWindows: [WindowMemory] = []
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

    /// The threads that all ranks take.
    var threadCount: Int { turns.threadCount }

    /// What each of `threadCount` threads does so that all ranks run `body`.
    func threadBody(_ body: @escaping @Sendable (Int) -> Void) -> @Sendable (Int) -> Void {
        turns.threadBody(first: runnable.popFirst()!.rank) { rank in
            body(rank)
            return self.successor(of: rank)
        }
    }

    /// The rank that goes on next, once all has been done that comes before.
    private func nextRank() -> Int? {
        while let action = actions.first, !failure.isOver, runnable.first.map({ !($0 < action.turn) }) ?? true {
            actions.popFirst()
            action.body()
        }
        return runnable.popFirst()?.rank
    }

    /// Lets `action` be performed at `time`, as if `rank` did it then: on the stack of whichever rank runs.
    func perform(at time: Double, for rank: Int, _ action: @escaping () -> Void) {
        if failure.isOver { return }
        if unsafe time == states[rank].seconds { return action() }
        actions.push(ReadyQueue.Entry(time: time, rank: rank), action)
    }

    /// Lets the next rank go on, and returns when it is this rank's turn again, or the run is over.
    private func leave(_ rank: Int) {
        guard let next = nextRank() else { return reportDeadlock(rank) }
        if next == rank { return }
        turns.handOver(from: rank, to: next)
    }

    private func reportDeadlock(_ rank: Int) {
        func ranks(_ condition: (State) -> Bool) -> [Int] { (0..<count).filter { unsafe condition(states[$0]) } }
        let waiting = ranks { $0.awaited >= 0 }
        let error = FabricError.deadlock(
            waiting: waiting, for: waiting.map { unsafe states[$0].awaited }, inBarrier: inBarrier.sorted(),
            forAnybody: ranks { $0.awaited == State.anybody }, atWindow: ranks { $0.awaited == State.window })
        failure.note(rank: rank, error)
    }

    /// Which rank goes on once the program of `rank` has ended.
    private func successor(of rank: Int) -> Int? {
        unsafe states[rank].hasEnded = true
        active -= 1
        // Whoever waits for a condition is not to wait for this rank any more.
        for window in awaitedWindows {
            announceChange(of: window, by: rank)
            window.isAwaited = false
        }
        awaitedWindows = []
        if active == 0 { return nil }
        if !failure.isOver {
            if let next = nextRank() { return next }
            reportDeadlock(rank)
        }
        // Each rank goes on once, to find that the run is over.
        while unsafe states[firstActive].hasEnded { firstActive += 1 }
        return firstActive
    }

    // MARK: What a rank does while it runs; after a failure every call returns at once

    func endsBefore(of rank: Int) -> UInt64 { unsafe states[rank].endsBefore }

    func setEnd(of rank: Int, before step: UInt64) { unsafe states[rank].endsBefore = step }

    func seconds(of rank: Int) -> Double { unsafe states[rank].seconds }

    /// Moves the rank's clock to `time` and lets all ranks that come before it go first.
    func advance(_ rank: Int, to time: Double) {
        // As long as no time passes the rank goes on, whoever else could.
        if unsafe failure.isOver || time == states[rank].seconds { return }
        unsafe states[rank].seconds = time
        let turn = ReadyQueue.Entry(time: time, rank: rank)
        let isFirst = runnable.first.map { !($0 < turn) } ?? true
        // Most runs post nothing.
        if isFirst && (actions.first.map { turn < $0.turn } ?? true) { return }
        runnable.push(turn)
        leave(rank)
    }

    /// As `advance`, but no further than to the arrival of the next message from `peer`; whether the rank came to `time` before it.
    func advance(_ rank: Int, to time: Double, untilMessageFrom peer: Int) -> Bool {
        if failure.isOver { return true }
        let state = unsafe states + rank
        if let message = unsafe mail.first(from: peer, to: rank) {
            let arrival = unsafe message.pointee.arrivalSeconds
            unsafe advance(rank, to: min(time, max(state.pointee.seconds, arrival)))
            return arrival >= time
        }
        if unsafe time == state.pointee.seconds { return true }
        unsafe state.pointee.interrupter = peer
        // Whoever sends meanwhile sets the clock back to the arrival.
        advance(rank, to: time)
        unsafe state.pointee.interrupter = State.nobody
        return unsafe state.pointee.seconds == time
    }

    /// From when the next message of `rank` finds its send port free.
    func sendPortFree(of rank: Int) -> Double { ports.sendPortFree(of: rank) }

    /// Sends `byteCount` bytes that `fill` writes, at the rank's time. The rank's clock does not move.
    func send(byteCount: Int, from rank: Int, to peer: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        if failure.isOver { return }
        let end = unsafe ports.reserve(at: states[rank].seconds, from: rank, to: peer, bytes: byteCount).end
        let message = unsafe mail.make(byteCount: byteCount)
        unsafe message.pointee.arrivalSeconds = end
        unsafe message.pointee.endsBefore = states[rank].endsBefore
        unsafe fill(message.bytes)
        unsafe mail.append(message, from: rank, to: peer)
        let awaited = unsafe states[peer].awaited
        if awaited == rank || awaited == State.anybody && peers[peer]!.contains(rank) { wake(peer, at: end) }
        if unsafe states[peer].interrupter == rank && end < states[peer].seconds {
            unsafe states[peer].seconds = end
            runnable.hasten(peer, to: end)
        }
    }

    /// Lets a rank that waits go on at `time`, or at its own where that is later.
    private func wake(_ rank: Int, at time: Double) {
        let state = unsafe states + rank
        unsafe state.pointee.awaited = State.nobody
        unsafe state.pointee.seconds = max(state.pointee.seconds, time)
        unsafe runnable.push(ReadyQueue.Entry(time: state.pointee.seconds, rank: rank))
    }

    /// The next message from `peer`, at the time it has arrived, until `finish`; nil where the run is over.
    func receive(_ rank: Int, from peer: Int) -> UnsafeMutablePointer<VirtualMessage>? {
        if failure.isOver { return nil }
        if let message = unsafe mail.first(from: peer, to: rank) {
            unsafe advance(rank, to: max(states[rank].seconds, message.pointee.arrivalSeconds))
        } else {
            unsafe states[rank].awaited = peer
            leave(rank)
        }
        guard !failure.isOver, let message = unsafe mail.first(from: peer, to: rank) else { return nil }
        unsafe states[rank].endsBefore = min(states[rank].endsBefore, message.pointee.endsBefore)
        return unsafe message
    }

    /// Takes the message away that `receive` has shown.
    func finish(_ rank: Int, from peer: Int) {
        if let message = unsafe mail.takeFirst(from: peer, to: rank) { unsafe mail.free(message) }
    }

    /// Whether a message from `peer` has arrived at the rank's time.
    func hasArrived(_ rank: Int, from peer: Int) -> Bool {
        guard let message = unsafe mail.first(from: peer, to: rank) else { return false }
        return unsafe message.pointee.arrivalSeconds <= states[rank].seconds
    }

    /// Whether `peer` has ended and nothing of it is under way to the rank.
    func isLost(_ peer: Int, to rank: Int) -> Bool {
        unsafe states[peer].hasEnded && mail.first(from: peer, to: rank) == nil
    }

    /// Waits for a message of any of `peers` and says whose arrives first, of several together that of the lowest rank; nil where the run is
    /// over. The caller receives it: the rank's clock does not move.
    func firstToArrive(_ rank: Int, of peers: [Int]) -> Int? {
        while !failure.isOver {
            var first: (arrival: Double, peer: Int)?
            for peer in peers {
                guard let message = unsafe mail.first(from: peer, to: rank) else { continue }
                let found = (arrival: unsafe message.pointee.arrivalSeconds, peer: peer)
                if first.map({ found < $0 }) ?? true { first = found }
            }
            // Messages take the rank's receive port in the order in which they are posted: a later one does not arrive before.
            if let first { return first.peer }
            unsafe states[rank].awaited = State.anybody
            self.peers[rank] = peers
            leave(rank)
            self.peers[rank] = nil
        }
        return nil
    }

    /// Takes the ports of a transfer at `time`, which is this rank's: when it begins and ends, and when its ports are free again.
    func reserve(byteCount: Int, from sender: Int, to receiver: Int, at time: Double) -> (
        start: Double, end: Double, free: Double
    ) {
        let reservation = ports.reserve(at: time, from: sender, to: receiver, bytes: byteCount)
        return (reservation.start, reservation.end, ports.sendPortFree(of: sender))
    }

    /// What the bytes of a message take beside its latency.
    func transferSeconds(byteCount: Int) -> Double {
        ports.cost.transferSeconds(megabytes: Double(byteCount) / 1e6)
    }

    /// Waits until somebody has changed the window.
    func awaitChange(of window: WindowMemory, _ rank: Int) {
        if failure.isOver { return }
        unsafe states[rank].awaited = State.window
        window.waitingRanks.append(rank)
        if !window.isAwaited {
            window.isAwaited = true
            awaitedWindows.append(window)
        }
        leave(rank)
    }

    /// Lets those who wait for a change of the window look at it, at the time of `rank`.
    func announceChange(of window: WindowMemory, by rank: Int) {
        if failure.isOver { return }
        for waiter in window.waitingRanks { unsafe wake(waiter, at: states[rank].seconds) }
        window.waitingRanks = []
    }

    /// Waits for all ranks; their clocks move to the latest one.
    func barrier(_ rank: Int) {
        if failure.isOver { return }
        if inBarrier.count + 1 < count {
            inBarrier.append(rank)
            return leave(rank)
        }
        let end = (0..<count).reduce(UInt64.max) { unsafe min($0, states[$1].endsBefore) }
        for other in 0..<count { unsafe states[other].endsBefore = end }
        let latest = unsafe inBarrier.reduce(states[rank].seconds) { unsafe max($0, states[$1].seconds) }
        for other in inBarrier {
            unsafe states[other].seconds = latest
            runnable.push(ReadyQueue.Entry(time: latest, rank: other))
        }
        inBarrier = []
        advance(rank, to: latest)
    }
}
