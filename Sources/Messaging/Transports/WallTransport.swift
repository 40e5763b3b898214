// Messages through shared memory that arrive when the ports of the switch would let them. The thread of the rank runs it.

internal import DequeModule
internal import Platform

/// The native transport, with every message held back until the wall clock says that it has arrived.
final class WallTransport: Transport {
    private let native: NativeTransport
    private let context: RankContext
    private let rank: Int
    private let wall: WallClock
    /// The time this rank ought to be at, and its thread's time when it last left a call.
    private var dueSeconds = 0.0
    private var leftSeconds = 0.0
    /// Where the computation in progress began.
    private var computationDue = 0.0
    private var barriers = 0
    private(set) var largestLatenessSeconds = 0.0
    /// From whom something is pulled that has not been waited for.
    private var pulling: [Int] = []
    /// Pushes that were posted and that this rank has not seen arrive, in the order in which they do.
    private var posted: Deque<(stream: WindowStream, seconds: Double)> = []

    init(fabric: Fabric, rank: Int, wall: WallClock) {
        native = NativeTransport(fabric: fabric, rank: rank)
        context = RankContext(fabric: fabric, rank: rank)
        self.rank = rank
        self.wall = wall
    }

    var now: Double { wall.seconds }
    var endsBefore: UInt64 {
        get { native.endsBefore }
        set { native.endsBefore = newValue }
    }

    // MARK: Where the rank ought to be

    func begin() {
        WallClock.sharpenTimer()
        leave(at: wall.seconds)
    }

    /// The time at which this rank ought to be: where its last call ended, plus what its thread has computed since.
    ///
    /// Processor time, so that ranks which share a processor do not pay for each other.
    private func enter() -> Double { dueSeconds + (threadSeconds() - leftSeconds) }

    /// Leaves a call that ought to end at `due`, whenever it does: a late wake-up is made up for in the next wait.
    private func leave(at due: Double) {
        dueSeconds = due
        leftSeconds = threadSeconds()
    }

    private func wait(until due: Double) throws(FabricError) {
        let late = wall.wait(until: due, or: endsWaits) { nanoseconds in
            context.sleepers.sleep(rank, nanoseconds: nanoseconds, unless: endsWaits)
        }
        if let late { largestLatenessSeconds = max(largestLatenessSeconds, late) }
        try context.check()
    }

    /// Whether nobody is to wait for the clock: the run is over, or is to end.
    private func endsWaits() -> Bool { context.signals.isOver || context.signals.endsWallWaits }

    /// Whether what happens at `time` has happened for a rank that ought to be at `due`.
    private func hasCome(_ time: Double, due: Double) -> Bool { time <= max(due, wall.seconds) }

    // Where nobody is to wait any more, nobody asks the book either, which takes long where many messages are under way. Who receives a message
    // that its sender has not entered finds that, too: the sender had seen it before the message.

    /// Takes the ports for a message; says when it arrives, as far as is known.
    private func reserve(at due: Double, from sender: Int, to receiver: Int, bytes: Int) -> Double {
        context.signals.endsWallWaits ? due : wall.reserve(at: due, from: sender, to: receiver, bytes: bytes)
    }

    /// When the oldest message from `peer` arrives, as far as is known.
    private func arrival(from peer: Int) -> Double {
        context.signals.endsWallWaits ? -.infinity : wall.arrival(from: peer, to: rank)
    }

    func beginComputation() { computationDue = enter() }

    func endComputation(seconds: Double) throws(FabricError) {
        let due = computationDue + seconds
        try wait(until: due)
        leave(at: due)
    }

    func endComputation(seconds: Double, untilMessageFrom peer: Int) throws(FabricError) -> Bool {
        let due = computationDue + seconds
        while !native.messages.isThere(from: peer) {
            let left = due - wall.seconds
            // The last of it is waited for as it is after every computation.
            if left <= 1e-4 || endsWaits() {
                try wait(until: due)
                leave(at: due)
                return true
            }
            context.sleepers.sleep(rank, nanoseconds: Int64(min(left - 1e-4, 1e6) * 1e9), for: .anything) {
                endsWaits() || native.messages.isThere(from: peer)
            }
        }
        let arrival = arrival(from: peer)
        let end = min(due, max(computationDue, arrival))
        try wait(until: end)
        leave(at: end)
        return arrival >= due
    }

    func unpriced(_ body: () -> Void) {
        let due = enter()
        body()
        leave(at: due)
    }

    func awaitSendPort() throws(FabricError) {
        var due = enter()
        while true {
            let free = wall.sendPortFree(of: rank)
            if free <= due { break }
            due = free
            try wait(until: due)
        }
        leave(at: due)
    }

    // MARK: Messages

    func post(_ bytes: UnsafeRawBufferPointer, to peer: Int) throws(FabricError) -> Communicator.Posted {
        let due = enter()
        _ = reserve(at: due, from: rank, to: peer, bytes: bytes.count)
        let posted = try unsafe native.post(bytes, to: peer)
        leave(at: due)
        return posted
    }

    func send(
        byteCount: Int, to peer: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(FabricError) {
        let due = enter()
        _ = reserve(at: due, from: rank, to: peer, bytes: byteCount)
        try unsafe native.send(byteCount: byteCount, to: peer, fill)
        leave(at: due)
    }

    func complete(_ posted: Communicator.Posted) throws(FabricError) {
        let due = enter()
        try native.complete(posted)
        leave(at: due)
    }

    func completeAll() throws(FabricError) {
        let due = enter()
        try native.completeAll()
        leave(at: due)
    }

    func awaitReaders() { native.awaitReaders() }

    /// Shows the message while it is under way: what is done with it takes no time of the model.
    func peek(from peer: Int) throws(FabricError) -> UnsafeRawBufferPointer {
        dueSeconds = enter()
        return try unsafe native.peek(from: peer)
    }

    func finish(from peer: Int, releasing: Bool) throws(FabricError) {
        native.finish(from: peer, releasing: releasing)
        leave(at: try arrive(from: peer, at: dueSeconds, arrival(from: peer)))
    }

    /// Waits until the oldest message between the two ranks, which arrives at `arrival` as far as was known, is let in; says when.
    private func arrive(
        from sender: Int, to receiver: Int? = nil, at due: Double, _ arrival: Double
    ) throws(FabricError) -> Double {
        var (due, arrival) = (due, arrival)
        while true {
            due = max(due, arrival)
            try wait(until: due)
            if context.signals.endsWallWaits { return due }
            arrival = wall.settle(from: sender, to: receiver ?? rank, at: due)
            if arrival <= due { return due }
        }
    }

    func release(from peer: Int) { native.release(from: peer) }

    func hasArrived(from peer: Int) throws(FabricError) -> Bool {
        guard try native.hasArrived(from: peer) else { return false }
        return hasCome(arrival(from: peer), due: enter())
    }

    func firstToArrive(of peers: [Int]) throws(FabricError) -> Int {
        let due = enter()
        while true {
            var first: (peer: Int, arrival: Double)?
            for peer in peers where native.messages.isThere(from: peer) {
                let arrival = self.arrival(from: peer)
                if first.map({ arrival < $0.arrival }) ?? true { first = (peer, arrival) }
            }
            if let first {
                if hasCome(first.arrival, due: due) {
                    leave(at: due)
                    return first.peer
                }
                // A message that is posted meanwhile may arrive before it, and wakes this rank.
                let nanoseconds = Int64(min(first.arrival - wall.seconds, 1e6) * 1e9)
                if nanoseconds > 0 {
                    let known = peers.filter { native.messages.isThere(from: $0) }.count
                    context.sleepers.sleep(rank, nanoseconds: nanoseconds, for: .anything) {
                        endsWaits()
                            || peers.filter { native.messages.isThere(from: $0) }.count > known
                    }
                }
                try context.check()
            } else {
                _ = try native.firstToArrive(of: peers)
            }
        }
    }

    // MARK: All ranks

    func barrier() throws(FabricError) { try meet(at: enter(), extraSeconds: 0) }

    func beginTogether() throws(FabricError) {
        // Time for all to be woken, so that none begins late.
        try meet(at: max(enter(), wall.seconds), extraSeconds: 1e-4 + 5e-5 * Double(context.count))
        largestLatenessSeconds = 0
    }

    private func meet(at due: Double, extraSeconds: Double) throws(FabricError) {
        wall.announce(dueSeconds: due, barrier: barriers, rank: rank)
        try native.barrier()
        let latest = wall.latestDueSeconds(barrier: barriers) + extraSeconds
        try wait(until: latest)
        leave(at: latest)
        barriers += 1
    }

    func pause() throws(FabricError) {
        let due = enter()
        noteArrivals(at: due)
        try context.pause()
        leave(at: due)
    }

    // MARK: Windows

    func pull(
        _ window: WindowMemory, byteCount: Int, when condition: ((WindowState) -> Bool)?, _ read: () -> Void
    ) throws(FabricError) {
        var due = enter()
        if let condition {
            var hasWaited = false
            while true {
                let changed = window.withLock { condition(window.state) ? window.changedSeconds : nil }
                if let changed {
                    due = max(due, changed)
                    break
                }
                try native.wait(for: condition, of: window)
                hasWaited = true
            }
            // What it waited for may be that another rank has ended, of which the window knows no time.
            if hasWaited && (0..<context.count).contains(where: context.signals.hasLeft) {
                due = max(due, wall.seconds)
            }
        }
        if window.owner == rank {
            self.read(window, at: due, read)
            return leave(at: due)
        }
        let arrival = reserve(at: due, from: window.owner, to: rank, bytes: byteCount)
        let start = max(due, arrival - wall.messageSeconds(bytes: byteCount))
        try wait(until: start)
        self.read(window, at: start, read)
        leave(at: try arrive(from: window.owner, at: due, arrival))
    }

    func beginPull(_ stream: WindowStream, _ read: (_ place: Int) -> Void) throws(FabricError) {
        let due = enter()
        if stream.owner == rank {
            for (place, window) in stream.windows.enumerated() { self.read(window, at: due) { read(place) } }
            return leave(at: due)
        }
        let bytes = stream.byteCount
        let arrival = reserve(at: due, from: stream.owner, to: rank, bytes: bytes)
        let start = max(due, arrival - wall.messageSeconds(bytes: bytes))
        try wait(until: start)
        for (place, window) in stream.windows.enumerated() { self.read(window, at: start) { read(place) } }
        pulling.append(stream.owner)
        leave(at: start + wall.holdSeconds(bytes: bytes))
    }

    func awaitPulled() throws(FabricError) {
        var due = enter()
        for owner in pulling { due = try arrive(from: owner, at: due, arrival(from: owner)) }
        pulling.removeAll(keepingCapacity: true)
        leave(at: due)
    }

    func post(
        _ stream: WindowStream, _ apply: @escaping (_ place: Int, _ seconds: Double) -> Void
    ) throws(FabricError) {
        let due = enter()
        var arrival = due
        if stream.owner != rank {
            arrival = reserve(at: due, from: rank, to: stream.owner, bytes: stream.byteCount)
            // Nobody asks again when it arrives: it is let in now, for then.
            if !context.signals.endsWallWaits { arrival = wall.settle(from: rank, to: stream.owner, at: arrival) }
        }
        for (place, window) in stream.windows.enumerated() {
            let rest = (1 - stream.share(until: place)) * wall.transferSeconds(bytes: stream.byteCount)
            window.withLock {
                window.post(
                    PostedPush(seconds: max(due, arrival - rest), rank: rank, apply: { apply(place, $0) }))
                window.merge(&native.endsBefore)
            }
        }
        posted.append((stream, arrival))
        leave(at: due)
    }

    func awaitPosted(atMost count: Int) throws(FabricError) {
        var due = enter()
        while let first = posted.first, posted.count > count || first.seconds <= due {
            due = max(due, first.seconds)
            try wait(until: due)
            noteArrivals(at: due)
        }
        leave(at: due)
    }

    /// Merges what this rank has posted and what has arrived by `due`, unless others have.
    private func noteArrivals(at due: Double) {
        while let first = posted.first, first.seconds <= due || endsWaits() {
            posted.removeFirst()
            for window in first.stream.windows {
                window.withLock { window.merge(postedUntil: max(due, first.seconds)) }
            }
        }
    }

    var appliesPostedInTurn: Bool { false }

    private func read(_ window: WindowMemory, at due: Double, _ read: () -> Void) {
        window.withLock {
            window.merge(postedUntil: due)
            read()
            window.merge(&native.endsBefore)
        }
    }

    func push(_ window: WindowMemory, byteCount: Int, _ apply: () -> Bool) throws(FabricError) {
        var due = enter()
        if window.owner != rank {
            let arrival = reserve(at: due, from: rank, to: window.owner, bytes: byteCount)
            due = try arrive(from: rank, to: window.owner, at: due, arrival)
        }
        let isUpdate = window.withLock {
            window.merge(postedUntil: due)
            let isUpdate = apply()
            window.merge(&native.endsBefore)
            if isUpdate { window.changedSeconds = max(window.changedSeconds, due) }
            return isUpdate
        }
        if isUpdate { native.wakeWaiters(of: window) }
        leave(at: due)
    }

    func exchange(
        _ window: WindowMemory, with own: WindowMemory, byteCount: Int, _ apply: () -> Void
    ) throws(FabricError) {
        var due = enter()
        if window.owner != rank {
            let there = reserve(at: due, from: rank, to: window.owner, bytes: byteCount)
            let back = reserve(at: due, from: window.owner, to: rank, bytes: byteCount)
            due = max(
                try arrive(from: rank, to: window.owner, at: due, there), try arrive(from: window.owner, at: due, back))
        }
        native.exchange(window, with: own, byteCount: byteCount) {
            apply()
            for window in [window, own] { window.changedSeconds = max(window.changedSeconds, due) }
        }
        leave(at: due)
    }
}
