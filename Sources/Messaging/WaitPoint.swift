// Where the one receiver or the one sender of a mailbox sleeps. Both of its ends use it.

public import Platform
public import Synchronization

/// A place for one sleeper, who is woken by the thread that changes what it waits for.
///
/// The waker pays one relaxed load when nobody sleeps: no fence. A wake-up can therefore be missed when the sleeper lies down at
/// the very moment of the change, and so every sleep is short: it ends by itself after a millisecond and the condition is looked at
/// again.
public struct WaitPoint: ~Copyable, Sendable {
    private static let longestSleepNanoseconds: Int64 = 1_000_000
    @usableFromInline let futex = Futex(0)

    public init() {}

    /// Called by the thread that has just changed the condition. Relaxed: a hint; see the type.
    @inlinable public func wake() {
        if hasSleeper { wakeSleeper() }
    }

    @inlinable var hasSleeper: Bool { unsafe futex.word.pointee.load(ordering: .relaxed) != 0 }

    @usableFromInline func wakeSleeper() {
        unsafe futex.word.pointee.store(0, ordering: .relaxed)
        futex.wakeAll()
    }

    /// Wakes whoever sleeps, and costs a system call: for the rare event.
    public func wakeAlways() { wakeSleeper() }

    /// Waits until `condition` holds: spins, yields, then sleeps.
    @inlinable public func wait(threads: Int, until condition: () -> Bool) {
        if condition() { return }
        waitPatiently(threads: threads, until: condition)
    }

    @usableFromInline func waitPatiently(threads: Int, until condition: () -> Bool) {
        var backoff = Backoff(threads: threads)
        while backoff.pauseBriefly() {
            if condition() { return }
        }
        while true {
            // Relaxed: the waker's load is relaxed as well, and the time limit covers what both miss.
            unsafe futex.word.pointee.store(1, ordering: .relaxed)
            if condition() { break }
            unsafe Futex.wait(on: futex.word, while: 1, nanoseconds: Self.longestSleepNanoseconds)
            if condition() { break }
        }
        unsafe futex.word.pointee.store(0, ordering: .relaxed)
    }
}
