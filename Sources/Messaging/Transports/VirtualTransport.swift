// Messages in virtual time. Whichever rank runs uses it.

internal import DequeModule
internal import Platform

/// One rank of the virtual clock.
final class VirtualTransport: Transport {
    private let context: RankContext
    private let rank: Int
    private let scheduler: VirtualScheduler
    /// When all that was pulled has arrived.
    private var pulledSeconds = 0.0
    /// When the pushes arrive that were posted, which is in this order: they take turns at this rank's send port.
    private var posted: Deque<Double> = []

    init(fabric: Fabric, rank: Int, scheduler: VirtualScheduler) {
        context = RankContext(fabric: fabric, rank: rank)
        self.rank = rank
        self.scheduler = scheduler
    }

    var now: Double { scheduler.seconds(of: rank) }
    var largestLatenessSeconds: Double { 0 }
    var endsBefore: UInt64 {
        get { scheduler.endsBefore(of: rank) }
        set { scheduler.setEnd(of: rank, before: newValue) }
    }

    func begin() {}
    func beginComputation() {}
    func endComputation(seconds: Double) throws(FabricError) { try advance(to: now + seconds) }
    func endComputation(seconds: Double, untilMessageFrom peer: Int) throws(FabricError) -> Bool {
        let isAtItsEnd = scheduler.advance(rank, to: now + seconds, untilMessageFrom: peer)
        try context.check()
        return isAtItsEnd
    }
    func unpriced(_ body: () -> Void) { body() }
    func awaitSendPort() throws(FabricError) { try advance(to: max(now, scheduler.sendPortFree(of: rank))) }

    private func advance(to time: Double) throws(FabricError) {
        scheduler.advance(rank, to: time)
        try context.check()
    }

    // MARK: Messages

    func post(_ bytes: UnsafeRawBufferPointer, to peer: Int) -> Communicator.Posted {
        unsafe scheduler.send(byteCount: bytes.count, from: rank, to: peer) { unsafe $0.copyMemory(from: bytes) }
        return Communicator.Posted(peer: peer, number: nil)
    }

    func send(byteCount: Int, to peer: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        unsafe scheduler.send(byteCount: byteCount, from: rank, to: peer, fill)
    }

    // Messages are copied: nothing is lent.
    func complete(_ posted: Communicator.Posted) {}
    func completeAll() {}
    func release(from peer: Int) {}
    func awaitReaders() {}

    func peek(from peer: Int) throws(FabricError) -> UnsafeRawBufferPointer {
        guard let message = unsafe scheduler.receive(rank, from: peer) else { throw context.failure.forPeers }
        return unsafe UnsafeRawBufferPointer(message.bytes)
    }

    func finish(from peer: Int, releasing: Bool) { scheduler.finish(rank, from: peer) }

    func hasArrived(from peer: Int) throws(FabricError) -> Bool {
        if scheduler.hasArrived(rank, from: peer) { return true }
        if scheduler.isLost(peer, to: rank) { throw context.lost(peer) }
        return false
    }

    func firstToArrive(of peers: [Int]) throws(FabricError) -> Int {
        guard let peer = scheduler.firstToArrive(rank, of: peers) else { throw context.failure.forPeers }
        return peer
    }

    // MARK: All ranks

    func barrier() throws(FabricError) {
        scheduler.barrier(rank)
        try context.check()
    }

    func beginTogether() throws(FabricError) { try barrier() }

    /// The others are where they are at this instant, and stay there.
    func pause() throws(FabricError) { try context.pause() }

    // MARK: Windows

    func pull(
        _ window: WindowMemory, byteCount: Int, when condition: ((WindowState) -> Bool)?, _ read: () -> Void
    ) throws(FabricError) {
        if let condition {
            while !condition(window.state) {
                scheduler.awaitChange(of: window, rank)
                try context.check()
                endsBefore = min(endsBefore, context.signals.endKnownToLeavers)
            }
        }
        if window.owner == rank {
            read()
            return window.merge(&endsBefore)
        }
        let (start, end, _) = scheduler.reserve(byteCount: byteCount, from: window.owner, to: rank, at: now)
        try advance(to: start)
        read()
        window.merge(&endsBefore)
        try advance(to: end)
    }

    func push(_ window: WindowMemory, byteCount: Int, _ apply: () -> Bool) throws(FabricError) {
        if window.owner != rank {
            try advance(to: scheduler.reserve(byteCount: byteCount, from: rank, to: window.owner, at: now).end)
        }
        let isUpdate = apply()
        window.merge(&endsBefore)
        if isUpdate { scheduler.announceChange(of: window, by: rank) }
    }

    func beginPull(_ stream: WindowStream, _ read: (_ place: Int) -> Void) throws(FabricError) {
        let isOwn = stream.owner == rank
        let (start, end, free) =
            isOwn
            ? (now, now, now)
            : scheduler.reserve(byteCount: stream.byteCount, from: stream.owner, to: rank, at: now)
        try advance(to: start)
        for (place, window) in stream.windows.enumerated() {
            read(place)
            window.merge(&endsBefore)
        }
        pulledSeconds = max(pulledSeconds, end)
        try advance(to: free)
    }

    func awaitPulled() throws(FabricError) { try advance(to: max(now, pulledSeconds)) }

    func post(_ stream: WindowStream, _ apply: @escaping (_ place: Int, _ seconds: Double) -> Void) {
        let isOwn = stream.owner == rank
        let end =
            isOwn ? now : scheduler.reserve(byteCount: stream.byteCount, from: rank, to: stream.owner, at: now).end
        let transfer = isOwn ? 0 : scheduler.transferSeconds(byteCount: stream.byteCount)
        posted.append(end)
        let known = endsBefore
        for (place, window) in stream.windows.enumerated() {
            let seconds = place == stream.windows.count - 1 ? end : end - (1 - stream.share(until: place)) * transfer
            scheduler.perform(at: max(seconds, now), for: rank) {
                var known = known
                window.merge(&known)
                apply(place, seconds)
            }
        }
    }

    func awaitPosted(atMost count: Int) throws(FabricError) {
        while let first = posted.first, posted.count > count || first <= now {
            posted.removeFirst()
            try advance(to: max(now, first))
        }
    }

    var appliesPostedInTurn: Bool { true }

    func exchange(
        _ window: WindowMemory, with own: WindowMemory, byteCount: Int, _ apply: () -> Void
    ) throws(FabricError) {
        if window.owner != rank {
            let there = scheduler.reserve(byteCount: byteCount, from: rank, to: window.owner, at: now)
            let back = scheduler.reserve(byteCount: byteCount, from: window.owner, to: rank, at: now)
            try advance(to: max(there.end, back.end))
        }
        apply()
        for each in [own, window, own] { each.merge(&endsBefore) }
        scheduler.announceChange(of: window, by: rank)
        scheduler.announceChange(of: own, by: rank)
    }
}
