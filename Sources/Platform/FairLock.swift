// The lock for workers that take it again and again. Any thread.

internal import CPlatformShims
internal import Synchronization

/// A mutual exclusion lock whose last holder lets a thread that spins for it go first; it is not recursive.
///
/// Without that, who has just released the lock takes it again before its release has travelled to another core. Threads that have
/// gone to sleep, or that the system has taken off their core while they spun, do not hold up the line.
@safe public struct FairLock: ~Copyable, @unchecked Sendable {
    // Sendable: the pointer never changes, and what it points at is only touched atomically.

    /// What one thread remembers of its turns at one lock.
    public struct Place: Sendable, BitwiseCopyable {
        /// The turn that was this thread's last.
        fileprivate var turn = UInt64.max
        /// How many had begun to spin when waiting for one of them was in vain.
        fileprivate var givenUp = UInt64.max

        public init() {}
    }

    /// 0 free, 1 taken, 2 taken and somebody may sleep.
    private let futex = Futex(0)
    /// Counters on lines of their own: whatever lies beside the lock is read without waiting for who writes them.
    private let counters: UnsafeMutablePointer<PaddedCounter>
    private let spins: Int
    private let patience: Int

    /// A lock for `threads` threads: where they outnumber the CPUs, nobody spins.
    public init(threads: Int) {
        self.init(spins: threads <= Affinity.processCPUCount ? 256 : 0, patience: 1_024)
    }

    /// In pauses of the processor: how long a thread spins before it sleeps, and how long the last holder waits for one that spins.
    init(spins: Int, patience: Int) {
        self.spins = spins
        self.patience = patience
        unsafe counters = UnsafeMutableRawPointer.allocate(
            byteCount: 3 * MemoryLayout<PaddedCounter>.stride, alignment: 128
        ).bindMemory(to: PaddedCounter.self, capacity: 3)
        for i in 0..<3 { unsafe (counters + i).initialize(to: PaddedCounter()) }
    }

    deinit {
        unsafe counters.deinitialize(count: 3)
        unsafe UnsafeMutableRawPointer(counters).deallocate()
    }

    /// How often the lock was taken; written by its holder.
    private var turns: UnsafeMutablePointer<PaddedCounter> { unsafe counters }
    private var spinsBegun: UnsafeMutablePointer<PaddedCounter> { unsafe counters + 1 }
    private var spinsEnded: UnsafeMutablePointer<PaddedCounter> { unsafe counters + 2 }

    /// How many threads spin for the lock now.
    var spinning: UInt64 {
        let ended = unsafe spinsEnded.pointee.value.load(ordering: .relaxed)
        return unsafe spinsBegun.pointee.value.load(ordering: .relaxed) &- ended
    }

    /// Takes the lock. Acquires what the last holder wrote: pairs with the release in `unlock`.
    public func lock(_ place: inout Place) {
        if unsafe turns.pointee.value.load(ordering: .relaxed) == place.turn { letOthersPass(&place) }
        if !tryLock() { lockContended() }
        // Relaxed: only the holder writes it, and to others it is a hint.
        let turn = unsafe turns.pointee.value.load(ordering: .relaxed) &+ 1
        unsafe turns.pointee.value.store(turn, ordering: .relaxed)
        place.turn = turn
    }

    /// Leaves the lock. Releases what the holder wrote: pairs with every acquire in `lock`.
    public func unlock() {
        let before = unsafe futex.word.pointee.exchange(0, ordering: .releasing)
        if before == 2 { unsafe Futex.wake(1, on: futex.word) }
    }

    private func tryLock() -> Bool {
        unsafe futex.word.pointee.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged
    }

    /// Waits while others spin and none of them has had a turn. Relaxed throughout: whom it lets pass is a matter of fairness alone.
    private func letOthersPass(_ place: inout Place) {
        for _ in 0..<patience {
            let begun = unsafe spinsBegun.pointee.value.load(ordering: .relaxed)
            let ended = unsafe spinsEnded.pointee.value.load(ordering: .relaxed)
            if begun == ended || begun == place.givenUp { return }
            if unsafe turns.pointee.value.load(ordering: .relaxed) != place.turn { return }
            relaxed_pause()
        }
        // It spins, but not on a core. Until somebody else begins to spin there is nobody to wait for.
        place.givenUp = unsafe spinsBegun.pointee.value.load(ordering: .relaxed)
    }

    private func lockContended() {
        unsafe spinsBegun.pointee.value.add(1, ordering: .relaxed)
        for _ in 0..<spins {
            // Relaxed: only a hint whether the exchange, which acquires, is worth its cache-line transfer.
            if unsafe futex.word.pointee.load(ordering: .relaxed) == 0, tryLock() {
                unsafe spinsEnded.pointee.value.add(1, ordering: .relaxed)
                return
            }
            relaxed_pause()
        }
        unsafe spinsEnded.pointee.value.add(1, ordering: .relaxed)
        // Whoever slept once takes the lock as 2: others may sleep still, and one wake too many is harmless.
        while unsafe futex.word.pointee.exchange(2, ordering: .acquiring) != 0 { futex.wait(while: 2) }
    }
}
