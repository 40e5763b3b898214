// Where the one receiver or the one sender of a mailbox sleeps. Both of its ends use it.

public import Messaging
public import Platform

/// A place for one sleeper, who is woken by the thread that changes what it waits for; see `WakeOrder` of Messaging.
public struct WaitPoint: ~Copyable, Sendable {
    @usableFromInline let futex: Futex
    private let threads: Int
    @usableFromInline let order: WakeOrder

    /// - Parameter threads: how many threads compete for the processors; beyond their number a wait does not spin.
    public init(threads: Int) {
        self.threads = threads
        order = WakeOrder(threads: threads)
        futex = Futex(order.idle)
    }

    /// Called by the thread that has just changed the condition; of any other thread than the sleeper's peer, too.
    @inlinable @inline(__always) public func wake() {
        let found = unsafe order.glance(at: futex.word)
        if found != 0 { wakeSleeper(found) }
    }

    @usableFromInline func wakeSleeper(_ found: UInt32) {
        if unsafe order.sleeper(at: futex.word, found: found) != 0 { unsafe order.wake(at: futex.word) }
    }

    /// Waits until `condition` holds: spins, yields, then sleeps.
    @inlinable public func wait(until condition: () -> Bool) {
        if !condition() { waitLonger(until: condition) }
    }

    @usableFromInline func waitLonger(until condition: () -> Bool) {
        unsafe order.wait(at: futex.word, token: 1, threads: threads, until: condition)
    }
}
