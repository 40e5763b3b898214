// The lock for workers that take it again and again. Any thread.

internal import CPlatformShims
internal import Synchronization

/// A mutual exclusion lock whose last holder lets a thread that spins for it go first; it is not recursive.
///
/// Without that, who has just released the lock takes it again before its release has travelled to another core. Threads that have
/// gone to sleep, or that the system has taken off their core while they spun, do not hold up the line.
public struct FairLock: ~Copyable, Sendable {
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
    /// How often the lock was taken; written by its holder.
    private let turns = PaddedCounter()
    private let spinsBegun = PaddedCounter()
    private let spinsEnded = PaddedCounter()
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
    }

    /// How many threads spin for the lock now.
    var spinning: UInt64 {
        let ended = spinsEnded.value.load(ordering: .relaxed)
        return spinsBegun.value.load(ordering: .relaxed) &- ended
    }

    /// Takes the lock. Acquires what the last holder wrote: pairs with the release in `unlock`.
    public func lock(_ place: inout Place) {
        if turns.value.load(ordering: .relaxed) == place.turn { letOthersPass(&place) }
        if !tryLock() { lockContended() }
        // Relaxed: only the holder writes it, and to others it is a hint.
        let turn = turns.value.load(ordering: .relaxed) &+ 1
        turns.value.store(turn, ordering: .relaxed)
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
            let begun = spinsBegun.value.load(ordering: .relaxed)
            if begun == spinsEnded.value.load(ordering: .relaxed) || begun == place.givenUp { return }
            if turns.value.load(ordering: .relaxed) != place.turn { return }
            relaxed_pause()
        }
        // It spins, but not on a core. Until somebody else begins to spin there is nobody to wait for.
        place.givenUp = spinsBegun.value.load(ordering: .relaxed)
    }

    private func lockContended() {
        spinsBegun.value.add(1, ordering: .relaxed)
        for _ in 0..<spins {
            // Relaxed: only a hint whether the exchange, which acquires, is worth its cache-line transfer.
            if unsafe futex.word.pointee.load(ordering: .relaxed) == 0, tryLock() {
                spinsEnded.value.add(1, ordering: .relaxed)
                return
            }
            relaxed_pause()
        }
        spinsEnded.value.add(1, ordering: .relaxed)
        // Whoever slept once takes the lock as 2: others may sleep still, and one wake too many is harmless.
        while unsafe futex.word.pointee.exchange(2, ordering: .acquiring) != 0 { futex.wait(while: 2) }
    }
}
