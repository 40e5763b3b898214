// Messages through shared memory, as fast as it lets them. The thread of the rank runs it.

internal import DequeModule
internal import Platform
internal import Synchronization

/// Channels between all pairs of ranks, and real time.
@safe final class NativeTransport: Transport {
    let messages: NativeMessages
    private let context: RankContext
    private let rank: Int
    private let sleepers: RankSleepers
    private let signals: FailureSignals
    private let memoryNodes: [Int?]
    /// What `send` writes in place, per peer and slot.
    private var payloads: [PayloadKey: Payload] = [:]

    /// Pushes that were posted and not yet asked for.
    private var posted: Deque<(stream: WindowStream, apply: (_ place: Int, _ seconds: Double) -> Void)> = []

    private struct PayloadKey: Hashable {
        let peer: Int
        let slot: UInt64
    }

    private final class Payload {
        var bytes: PageBuffer<UInt8>
        init(bytes: consuming PageBuffer<UInt8>) { self.bytes = bytes }
    }

    init(fabric: Fabric, rank: Int) {
        messages = NativeMessages(fabric: fabric, rank: rank)
        context = RankContext(fabric: fabric, rank: rank)
        self.rank = rank
        sleepers = fabric.sleepers
        signals = fabric.failure.signals
        memoryNodes = fabric.memoryNodes
    }

    deinit { messages.deallocate() }

    // MARK: Time

    var now: Double { messages.now }
    var largestLatenessSeconds: Double { 0 }
    var endsBefore: UInt64 {
        get { messages.endsBefore }
        set { messages.endsBefore = newValue }
    }

    func begin() {}
    func beginComputation() {}
    func endComputation(seconds: Double) {}
    func endComputation(seconds: Double, untilMessageFrom peer: Int) throws(FabricError) -> Bool {
        try !messages.hasArrived(from: peer)
    }
    func unpriced(_ body: () -> Void) { body() }
    func awaitSendPort() {}

    // MARK: Messages

    func post(_ bytes: UnsafeRawBufferPointer, to peer: Int) throws(FabricError) -> Communicator.Posted {
        try unsafe messages.post(bytes, to: peer)
    }

    func send(
        byteCount: Int, to peer: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(FabricError) {
        let channel = unsafe messages.channel(to: peer)
        try unsafe messages.waitToSend(channel, to: peer)
        let key = PayloadKey(peer: peer, slot: unsafe channel.nextNumber % UInt64(MessageChannel.slotCount))
        let payload: Payload
        do {
            payload = try payloads[key] ?? Payload(bytes: PageBuffer(count: 0))
            payloads[key] = payload
            if payload.bytes.count < byteCount {
                try payload.bytes.resize(to: byteCount)
                if let node = memoryNodes[peer] { payload.bytes.bind(0..<byteCount, toNode: node) }
            }
        } catch { throw .rankFailed(rank: rank, reason: "\(error)") }
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: payload.bytes.pointer, count: byteCount)
        unsafe fill(bytes)
        unsafe messages.sendAddress(UnsafeRawBufferPointer(bytes), through: channel, to: peer)
    }

    func complete(_ posted: Communicator.Posted) throws(FabricError) { try messages.complete(posted) }
    func completeAll() throws(FabricError) { try messages.completeAll() }
    func awaitReaders() { messages.awaitReaders() }
    func peek(from peer: Int) throws(FabricError) -> UnsafeRawBufferPointer { try unsafe messages.peek(from: peer) }
    func finish(from peer: Int, releasing: Bool) { messages.finish(from: peer, releasing: releasing) }
    func release(from peer: Int) { messages.release(from: peer) }
    func hasArrived(from peer: Int) throws(FabricError) -> Bool { try messages.hasArrived(from: peer) }
    func firstToArrive(of peers: [Int]) throws(FabricError) -> Int { try messages.firstToArrive(of: peers) }

    // MARK: All ranks

    func barrier() throws(FabricError) { try messages.barrier() }

    func beginTogether() throws(FabricError) { try barrier() }

    func pause() throws(FabricError) { try context.pause() }

    // MARK: Windows

    // Without a condition, and without a call more than it takes: in the path of an update of some ten nanoseconds.

    func pull(_ window: WindowMemory, _ read: (Vector) -> Void) -> UInt64 {
        window.withLock {
            read(window.vector)
            window.merge(&messages.endsBefore)
            return window.version
        }
    }

    @inline(__always) func push(
        _ window: WindowMemory, _ apply: (Vector, UInt64) -> Bool
    ) -> (t: UInt64, isUpdate: Bool) {
        let found = window.withLock {
            let t = window.version
            let isUpdate = apply(window.vector, t)
            if isUpdate { window.note(updateBy: rank) }
            window.merge(&messages.endsBefore)
            return (t: t, isUpdate: isUpdate)
        }
        if found.isUpdate { wakeWaiters(of: window) }
        return found
    }

    func pull(
        _ window: WindowMemory, byteCount: Int, when condition: ((WindowState) -> Bool)?, _ read: () -> Void
    ) throws(FabricError) {
        while true {
            let holds = window.withLock {
                if let condition, !condition(window.state) { return false }
                read()
                window.merge(&endsBefore)
                return true
            }
            guard let condition, !holds else { return }
            try wait(for: condition, of: window)
        }
    }

    /// Waits until the condition holds, which it may not do any more when this returns. Meanwhile the others may pause.
    func wait(for condition: (WindowState) -> Bool, of window: WindowMemory) throws(FabricError) {
        // Relaxed: the fence of the sleeper covers it as it covers the sleeper's word.
        window.waiters.value.add(1, ordering: .relaxed)
        context.gate.beginWait()
        var isHopeless = false
        sleepers.wait(rank, for: .anything) { [signals] in
            if signals.isOver { return true }
            // Before the condition: what the last of the others did is then seen.
            isHopeless = signals.isAlone(rank, of: context.count)
            if window.withLock({ condition(window.state) }) { isHopeless = false } else { return isHopeless }
            return true
        }
        context.gate.endWait { [signals] in signals.isOver }
        window.waiters.value.subtract(1, ordering: .relaxed)
        try context.check()
        if isHopeless { throw .deadlock(waiting: [], for: [], inBarrier: [], atWindow: [rank]) }
        endsBefore = min(endsBefore, signals.endKnownToLeavers)
    }

    func push(_ window: WindowMemory, byteCount: Int, _ apply: () -> Bool) {
        let isUpdate = window.withLock {
            let isUpdate = apply()
            window.merge(&messages.endsBefore)
            return isUpdate
        }
        if isUpdate { wakeWaiters(of: window) }
    }

    func beginPull(_ stream: WindowStream, _ read: (_ place: Int) -> Void) throws(FabricError) {
        for (place, window) in stream.windows.enumerated() {
            try pull(window, byteCount: 0, when: nil) { read(place) }
        }
    }

    func awaitPulled() {}

    func post(_ stream: WindowStream, _ apply: @escaping (_ place: Int, _ seconds: Double) -> Void) {
        posted.append((stream, apply))
    }

    func awaitPosted(atMost count: Int) {
        while posted.count > count {
            let (stream, apply) = posted.removeFirst()
            for (place, window) in stream.windows.enumerated() {
                push(window, byteCount: 0) {
                    apply(place, now)
                    return true
                }
            }
        }
    }

    var appliesPostedInTurn: Bool { true }

    func wakeWaiters(of window: WindowMemory) {
        sleepers.order.afterChange()
        // Relaxed: ordered by the fence.
        if window.waiters.value.load(ordering: .relaxed) > 0 { sleepers.wakeAll() }
    }

    func exchange(_ window: WindowMemory, with own: WindowMemory, byteCount: Int, _ apply: () -> Void) {
        // In the order of the owners, so that nobody waits in a circle.
        let (first, second) = own.owner < window.owner ? (own, window) : (window, own)
        first.withLock {
            second.withLock {
                apply()
                for each in [own, window, own] { each.merge(&endsBefore) }
            }
        }
        wakeWaiters(of: window)
        wakeWaiters(of: own)
    }
}
