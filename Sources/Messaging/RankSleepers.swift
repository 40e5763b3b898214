// Where the ranks of a fabric sleep until a peer has done something. Every rank's thread uses it.

internal import Platform
internal import Synchronization

/// Per rank a word on a line of its own, which says, while the rank sleeps, whom it waits for: only that peer wakes it.
///
/// A view of memory that the fabric owns and outlives.
@safe struct RankSleepers: @unchecked Sendable {
    // Sendable: the pointer never changes and what it points at is only touched atomically.

    /// What a sleeping rank waits for; the raw value is never 0.
    struct Awaited: Equatable {
        fileprivate let token: UInt32

        private init(_ token: UInt32) { self.token = token }

        /// Something that any rank may do.
        static let anything = Awaited(1)
        /// A moment that no peer brings about.
        static let time = Awaited(2)
        /// A message from `peer`, or its arrival.
        static func message(from peer: Int) -> Awaited { Awaited(2 * UInt32(peer) + 4) }
        /// That `peer` has read what it was sent.
        static func reading(by peer: Int) -> Awaited { Awaited(2 * UInt32(peer) + 5) }
    }

    private let count: Int
    private let words: UnsafeMutableRawPointer
    let order: WakeOrder

    /// Bytes, zeroed, of the memory it needs.
    static func byteCount(ranks: Int) -> Int { 128 * ranks }

    init(count: Int, memory: UnsafeMutableRawPointer) {
        self.count = count
        unsafe words = memory
        order = WakeOrder(threads: count)
        // Relaxed: before any rank runs.
        for rank in 0..<count { unsafe word(rank).pointee.store(order.idle, ordering: .relaxed) }
    }

    @inline(__always) private func word(_ rank: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        unsafe (words + 128 * rank).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    /// Waits until `condition` holds, which `awaited` brings about; the first look has failed already. The thread of `rank` only.
    func wait(_ rank: Int, for awaited: Awaited, until condition: () -> Bool) {
        unsafe order.wait(at: word(rank), token: awaited.token, threads: count, until: condition)
    }

    /// Sleeps for `nanoseconds`, or until what is awaited, or the end of the run, has made `isOver` true. The thread of `rank` only.
    func sleep(_ rank: Int, nanoseconds: Int64, for awaited: Awaited = .time, unless isOver: () -> Bool) {
        let token = awaited.token | order.idle
        // Relaxed: as in `WakeOrder.wait`.
        unsafe word(rank).pointee.store(token, ordering: .relaxed)
        order.beforeLastLook()
        if !isOver() { unsafe Futex.wait(on: word(rank), while: token, nanoseconds: nanoseconds) }
        unsafe word(rank).pointee.store(order.idle, ordering: .relaxed)
    }

    /// Wakes `rank` if it sleeps for what the calling thread has just done.
    @inline(__always) func wake(_ rank: Int, from awaited: @autoclosure () -> Awaited) {
        let found = unsafe order.glance(at: word(rank))
        if found != 0 { wake(rank, found, from: awaited()) }
    }

    @inline(never) private func wake(_ rank: Int, _ found: UInt32, from awaited: Awaited) {
        let token = unsafe order.sleeper(at: word(rank), found: found)
        if token == awaited.token || token == Awaited.anything.token { unsafe order.wake(at: word(rank)) }
    }

    /// Wakes all who wait for what any rank may do, or for something of `leaver`, which will not do it any more.
    func wakeAll(awaiting leaver: Int? = nil) {
        order.afterChange()
        for rank in 0..<count {
            let token = unsafe word(rank).pointee.load(ordering: .relaxed) & ~order.idle
            if token == Awaited.anything.token || leaver.map({ token / 2 == UInt32($0) + 2 }) ?? false {
                unsafe order.wake(at: word(rank))
            }
        }
    }

    /// Wakes all, whatever they wait for: the run is over.
    func wakeAllForEnd() {
        order.afterChange()
        for rank in 0..<count where unsafe word(rank).pointee.load(ordering: .relaxed) != order.idle {
            unsafe order.wake(at: word(rank))
        }
    }
}
