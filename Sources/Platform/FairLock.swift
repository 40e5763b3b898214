// The lock for workers that take it again and again. Any thread.

internal import CPlatformShims
internal import Synchronization

/// A mutual exclusion lock that is handed over in the order in which threads came for it; it is not recursive.
///
/// Without that order, who has just released the lock takes it again before its release has travelled to another core. Whoever spins sees
/// in one crossing of a cache line that its turn has come, and with the turn arrives `held`, what the lock protects of words. Threads that
/// sleep, or that the system has taken off their core while they spun, do not hold up the line: they are passed over, and come again.
/// Where threads outnumber the CPUs most of them are off a core, and whoever runs takes the lock.
@safe public struct FairLock: ~Copyable, @unchecked Sendable {
    // Sendable: the pointers never change, and what they point at is only touched atomically, but `held`, which the holder alone touches.

    /// Counters on lines of their own.
    private let counters: UnsafeMutablePointer<PaddedCounter>
    /// What has become of a turn, at the turn modulo their number, which is at least twice that of the threads.
    private let places: UnsafeMutablePointer<PaddedCounter>
    private let placeCount: Int
    /// The lock instead of turns, where nobody spins.
    private let barging = FutexLock()
    private let spins: Int
    private let patience: Int

    /// Bytes at `held`.
    public static var heldByteCount: Int { 48 }

    /// A lock for `threads` threads, and one that looks on.
    public init(threads: Int) {
        // Each of those before it may take some microseconds.
        self.init(
            threads: threads, spins: threads <= Affinity.processCPUCount ? 1_024 + 64 * threads : 0, patience: 256)
    }

    /// In pauses of the processor: how long a thread spins before it sleeps, 0 where there are no turns, and how long it waits for one whose
    /// turn has come and who does not take it.
    init(threads: Int, spins: Int, patience: Int) {
        self.spins = spins
        self.patience = patience
        // Each thread has one turn to come, and one that it was passed over at.
        placeCount = 1 << (Int.bitWidth - (2 * (threads + 1) - 1).leadingZeroBitCount)
        unsafe counters = Self.counters(3)
        unsafe places = Self.counters(placeCount)
        // All that the places hold is then of earlier turns.
        unsafe serving.pointee.value.store(UInt64(placeCount), ordering: .relaxed)
        unsafe drawn.pointee.value.store(UInt64(placeCount), ordering: .relaxed)
    }

    private static func counters(_ count: Int) -> UnsafeMutablePointer<PaddedCounter> {
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: count * MemoryLayout<PaddedCounter>.stride, alignment: 128)
        let counters = unsafe memory.bindMemory(to: PaddedCounter.self, capacity: count)
        for i in 0..<count { unsafe (counters + i).initialize(to: PaddedCounter()) }
        return unsafe counters
    }

    deinit {
        unsafe counters.deinitialize(count: 3)
        unsafe UnsafeMutableRawPointer(counters).deallocate()
        unsafe places.deinitialize(count: placeCount)
        unsafe UnsafeMutableRawPointer(places).deallocate()
    }

    /// Bytes of a lock.
    public static func byteCount(threads: Int) -> Int { 128 * (3 + 4 * (threads + 1)) }

    /// The turn that has come: its thread holds the lock, or the lock is free where nobody has drawn it.
    private var serving: UnsafeMutablePointer<PaddedCounter> { unsafe counters }
    /// The next turn to draw.
    private var drawn: UnsafeMutablePointer<PaddedCounter> { unsafe counters + 1 }
    /// How many threads sleep for their turn.
    private var asleep: UnsafeMutablePointer<PaddedCounter> { unsafe counters + 2 }

    /// Memory for whoever holds the lock, zeros at first: it lies beside the word that says whose turn it is.
    public var held: UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(counters) + 16 }

    /// How many threads have drawn a turn that has not come.
    var waiting: UInt64 {
        // Relaxed: for tests.
        let next = unsafe drawn.pointee.value.load(ordering: .relaxed)
        return max(1, next &- (unsafe serving.pointee.value.load(ordering: .relaxed))) &- 1
    }

    // What a place holds: the turn, of which as many bits as fit, and what has become of it.
    private static let isTaken: UInt32 = 0
    private static let waits: UInt32 = 1
    private static let sleeps: UInt32 = 2
    private static let isPassedOver: UInt32 = 3

    @inline(__always) private func word(_ turn: UInt64, _ state: UInt32) -> UInt32 {
        UInt32(truncatingIfNeeded: turn) &<< 2 | state
    }

    @inline(__always) private func place(_ turn: UInt64) -> UnsafeMutablePointer<Atomic<UInt32>> {
        let place = Int(truncatingIfNeeded: turn) & (placeCount &- 1)
        return unsafe UnsafeMutableRawPointer(places + place).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    /// Takes the lock. Acquires what the last holder wrote: pairs with the release in `unlock`.
    @inline(__always) public func lock() {
        if spins > 0 { lock(at: draw()) } else { barging.lock() }
    }

    /// Draws a turn. Relaxed: it is a number; what the lock protects is acquired with `serving`.
    @inline(__always) func draw() -> UInt64 {
        unsafe drawn.pointee.value.wrappingAdd(1, ordering: .relaxed).oldValue
    }

    /// Takes the lock at a turn of this thread, or at a later one where it was passed over.
    @inline(__always) func lock(at turn: UInt64) {
        if unsafe serving.pointee.value.load(ordering: .acquiring) != turn || !mark(turn, Self.isTaken) {
            lockContended(turn)
        }
    }

    /// Leaves the lock. Releases what the holder wrote: pairs with every acquire in `lock`.
    @inline(__always) public func unlock() {
        if spins == 0 { return barging.unlock() }
        // Relaxed: only the holder writes it. An exchange, so that either it sees whoever goes to sleep or that one sees its turn.
        let turn = unsafe serving.pointee.value.load(ordering: .relaxed) &+ 1
        _ = unsafe serving.pointee.value.exchange(turn, ordering: .sequentiallyConsistent)
        if unsafe asleep.pointee.value.load(ordering: .sequentiallyConsistent) != 0 { passOverSleepers(from: turn) }
    }

    /// Writes down what becomes of the turn, for its thread; false where it has been passed over.
    ///
    /// A place goes from turn to turn and never back: what it says of a later one says that this one has been passed over.
    @inline(__always) private func mark(_ turn: UInt64, _ state: UInt32) -> Bool {
        let place = unsafe place(turn)
        var found = unsafe place.pointee.load(ordering: .relaxed)
        while true {
            let isLater = Int32(bitPattern: found &- word(turn, Self.isPassedOver)) >= 0
            if isLater { return false }
            // Sequentially consistent like all changes of places: whether a turn is taken, slept through or passed over is one order.
            let marked = unsafe place.pointee.compareExchange(
                expected: found, desired: word(turn, state), ordering: .sequentiallyConsistent)
            if marked.exchanged { return true }
            found = marked.original
        }
    }

    private func lockContended(_ first: UInt64) {
        var turn = first
        while !waitAndTake(turn) { turn = draw() }
    }

    /// Waits for the turn; false where it was passed over.
    private func waitAndTake(_ turn: UInt64) -> Bool {
        // The line is this core's when the turn comes.
        if !mark(turn, Self.waits) { return false }
        var spun = 0
        var (seen, seenSince) = (UInt64.max, 0)
        while spun < spins {
            let now = unsafe serving.pointee.value.load(ordering: .acquiring)
            if now == turn { return mark(turn, Self.isTaken) }
            if now != seen {
                (seen, seenSince) = (now, spun)
            } else if spun &- seenSince >= patience {
                passOverAbsent(now)
                seenSince = spun
            }
            relaxed_pause()
            spun &+= 1
        }
        return sleepAndTake(turn)
    }

    /// Sleeps until the turn is passed over, which is when it comes, or takes it where it has come meanwhile.
    private func sleepAndTake(_ turn: UInt64) -> Bool {
        let place = unsafe place(turn)
        let waits = unsafe place.pointee.compareExchange(
            expected: word(turn, Self.waits), desired: word(turn, Self.sleeps), ordering: .sequentiallyConsistent)
        if !waits.exchanged { return false }
        // Sequentially consistent, as the exchange and the load in `unlock`: one of the two sees the other.
        unsafe asleep.pointee.value.wrappingAdd(1, ordering: .sequentiallyConsistent)
        if unsafe serving.pointee.value.load(ordering: .sequentiallyConsistent) == turn {
            let taken = unsafe place.pointee.compareExchange(
                expected: word(turn, Self.sleeps), desired: word(turn, Self.isTaken),
                ordering: .sequentiallyConsistent)
            if taken.exchanged {
                unsafe asleep.pointee.value.wrappingSubtract(1, ordering: .relaxed)
                return true
            }
        }
        while unsafe place.pointee.load(ordering: .relaxed) == word(turn, Self.sleeps) {
            unsafe Futex.wait(on: place, while: word(turn, Self.sleeps))
        }
        return false
    }

    /// Gives the turn, which has come, to the first from it on who does not sleep, and wakes those before.
    private func passOverSleepers(from first: UInt64) {
        var turn = first
        while true {
            let place = unsafe place(turn)
            let sleeps = unsafe place.pointee.compareExchange(
                expected: word(turn, Self.sleeps), desired: word(turn, Self.isPassedOver),
                ordering: .sequentiallyConsistent)
            if !sleeps.exchanged { return }
            unsafe asleep.pointee.value.wrappingSubtract(1, ordering: .relaxed)
            unsafe Futex.wake(1, on: place)
            turn &+= 1
            // Nobody else moves it on: the turn is neither taken nor absent.
            _ = unsafe serving.pointee.value.exchange(turn, ordering: .sequentiallyConsistent)
        }
    }

    /// Moves on from a turn that has come and that its thread, which is not on a core, does not take.
    private func passOverAbsent(_ turn: UInt64) {
        let place = unsafe place(turn)
        let found = unsafe place.pointee.load(ordering: .relaxed)
        // Taken, slept through, passed over; or a later turn has this place, and all of that is long past.
        let isSettled = found != word(turn, Self.waits) && Int32(bitPattern: found &- word(turn, Self.isTaken)) >= 0
        if isSettled { return }
        // It waits, or it has yet to say so. Whoever makes the change moves on, and nobody else does.
        let absent = unsafe place.pointee.compareExchange(
            expected: found, desired: word(turn, Self.isPassedOver), ordering: .sequentiallyConsistent)
        if !absent.exchanged { return }
        _ = unsafe serving.pointee.value.exchange(turn &+ 1, ordering: .sequentiallyConsistent)
        if unsafe asleep.pointee.value.load(ordering: .sequentiallyConsistent) != 0 {
            passOverSleepers(from: turn &+ 1)
        }
    }
}
