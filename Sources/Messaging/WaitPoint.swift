// Where the one receiver or the one sender of a mailbox sleeps. Both of its ends use it.

public import Platform
public import Synchronization

/// A place for one sleeper, who is woken by the thread that changes what it waits for.
///
/// The waker pays one relaxed load when nobody sleeps: no fence. A wake-up can therefore be missed when the sleeper lies down at
/// the very moment of the change, and so every sleep is short: it ends by itself after a millisecond and the condition is looked at
/// again.
public struct WaitPoint: ~Copyable, Sendable {
    @usableFromInline let futex = Futex(0)

    public init() {}

    /// Called by the thread that has just changed the condition.
    @inlinable public func wake() { unsafe wakeSleeper(at: futex.word) }

    /// Wakes whoever sleeps, and costs a system call: for the rare event.
    public func wakeAlways() { unsafe wakeSleeperAlways(at: futex.word) }

    /// Waits until `condition` holds: spins, yields, then sleeps. `threads` compete for the processors.
    @inlinable public func wait(threads: Int, until condition: () -> Bool) {
        if condition() { return }
        unsafe waitPatiently(at: futex.word, threads: threads, until: condition)
    }
}

/// As `WaitPoint.wake`, for a word that lies in a larger block. Relaxed: a hint; see `WaitPoint`.
@inlinable func wakeSleeper(at word: UnsafeMutablePointer<Atomic<UInt32>>, all: Bool = false) {
    if unsafe word.pointee.load(ordering: .relaxed) != 0 { unsafe wakeSleeperAlways(at: word, all: all) }
}

@usableFromInline func wakeSleeperAlways(at word: UnsafeMutablePointer<Atomic<UInt32>>, all: Bool = false) {
    // Relaxed: the kernel compares the word under its own lock.
    unsafe word.pointee.store(0, ordering: .relaxed)
    unsafe Futex.wake(all ? Int(Int32.max) : 1, on: word)
}

/// As `WaitPoint.wait` once the first look has failed.
@usableFromInline func waitPatiently(
    at word: UnsafeMutablePointer<Atomic<UInt32>>, threads: Int, isShared: Bool = false, until condition: () -> Bool
) {
    let longestSleepNanoseconds: Int64 = 1_000_000
    var backoff = Backoff(threads: threads)
    while backoff.pauseBriefly() {
        if condition() { return }
    }
    while true {
        // Relaxed: the waker's load is relaxed as well, and the time limit covers what both miss.
        unsafe word.pointee.store(1, ordering: .relaxed)
        if condition() { break }
        unsafe Futex.wait(on: word, while: 1, nanoseconds: longestSleepNanoseconds)
        if condition() { break }
    }
    // Where others sleep on the word, too, it still speaks for them: at worst the next waker calls the kernel for nobody.
    if !isShared { unsafe word.pointee.store(0, ordering: .relaxed) }
}
