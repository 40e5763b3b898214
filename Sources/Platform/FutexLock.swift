// The lock for tiny critical sections. Any thread.

public import Synchronization

/// A mutual exclusion lock that spins, yields, then sleeps: one atomic instruction to take and to leave when nobody waits.
///
/// It is not fair and not recursive.
public struct FutexLock: ~Copyable, Sendable {
    // The word: 0 free, 1 taken, 2 taken and somebody may sleep.
    @usableFromInline let futex = Futex(0)

    public init() {}

    /// Runs `body` while holding the lock.
    @inlinable
    public func withLock<Result: ~Copyable, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        lock()
        defer { unlock() }
        return try body()
    }

    /// Takes the lock. Acquires what the last holder wrote: pairs with the release in `unlock`.
    @inlinable
    public func lock() {
        let taken = unsafe futex.word.pointee.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged
        if !taken { lockContended() }
    }

    /// Leaves the lock. Releases what the holder wrote: pairs with every acquire in `lock`.
    @inlinable
    public func unlock() {
        let before = unsafe futex.word.pointee.exchange(0, ordering: .releasing)
        if before == 2 { wakeOne() }
    }

    @usableFromInline
    func lockContended() {
        var backoff = Backoff()
        while backoff.pauseBriefly() {
            // Relaxed: only a hint whether the exchange, which acquires, is worth its cache-line transfer.
            guard unsafe futex.word.pointee.load(ordering: .relaxed) == 0 else { continue }
            let taken = unsafe futex.word.pointee.compareExchange(expected: 0, desired: 1, ordering: .acquiring)
            if taken.exchanged { return }
        }
        // Whoever slept once takes the lock as 2: others may sleep still, and one wake too many is harmless.
        while unsafe futex.word.pointee.exchange(2, ordering: .acquiring) != 0 {
            futex.wait(while: 2)
        }
    }

    @usableFromInline
    func wakeOne() {
        unsafe Futex.wake(1, on: futex.word)
    }
}
