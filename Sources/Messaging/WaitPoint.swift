// Where the one receiver or the one sender of a mailbox sleeps. Both of its ends use it.

public import Platform
public import Synchronization

/// A place for one sleeper, who is woken by the thread that changes what it waits for; see `WakeOrder`.
public struct WaitPoint: ~Copyable, Sendable {
    @usableFromInline let futex = Futex(0)
    @usableFromInline let threads: Int
    @usableFromInline let order: WakeOrder

    /// - Parameter threads: how many threads compete for the processors; beyond their number a wait does not spin.
    public init(threads: Int) {
        self.threads = threads
        order = WakeOrder(threads: threads)
    }

    /// Called by the thread that has just changed the condition; of any other thread than the sleeper's peer, too.
    @inlinable @inline(__always) public func wake() {
        order.afterChange()
        // Relaxed: ordered by the fence.
        if unsafe futex.word.pointee.load(ordering: .relaxed) != 0 { unsafe wakeSleeper(at: futex.word) }
    }

    /// Waits until `condition` holds: spins, yields, then sleeps.
    @inlinable public func wait(until condition: () -> Bool) {
        if condition() { return }
        unsafe waitPatiently(at: futex.word, threads: threads, order: order, until: condition)
    }
}
