// Where a fixed number of threads wait for each other, again and again. Every thread that takes part runs `wait`.

internal import Synchronization

/// A reusable barrier for `count` threads; what each wrote before it is visible to all after it.
public struct Barrier: ~Copyable, Sendable {
    public let count: Int
    private let arrived = PaddedCounter()
    private let sleepers = PaddedCounter()
    private let generation = Futex(0)

    /// A barrier for `count` threads, at least 1.
    public init(count: Int) {
        precondition(count >= 1, "a barrier for \(count) threads")
        self.count = count
    }

    /// Waits until all `count` threads have called it.
    public func wait() {
        // Relaxed: the generation cannot change between here and this thread's own arrival below.
        let before = unsafe generation.word.pointee.load(ordering: .relaxed)
        // Acquire and release: each arrival releases its thread's writes to the last one, which acquires all of them.
        if arrived.value.add(1, ordering: .acquiringAndReleasing).newValue == UInt64(count) {
            // Relaxed: published with the generation below, and nobody arrives again before seeing that.
            arrived.value.store(0, ordering: .relaxed)
            // Releases all threads' writes: pairs with the acquiring loads below. Sequentially consistent with the
            // sleepers' count: either it is seen here, or the kernel sees the new generation and does not let them sleep.
            unsafe generation.word.pointee.store(before &+ 1, ordering: .sequentiallyConsistent)
            if sleepers.value.load(ordering: .sequentiallyConsistent) > 0 { generation.wakeAll() }
            return
        }
        var backoff = Backoff(threads: count)
        // Acquires all threads' writes: pairs with the store of the last to arrive.
        while unsafe generation.word.pointee.load(ordering: .acquiring) == before {
            if backoff.pauseBriefly() { continue }
            sleepers.value.add(1, ordering: .sequentiallyConsistent)
            while unsafe generation.word.pointee.load(ordering: .acquiring) == before { generation.wait(while: before) }
            // Relaxed: too high a count costs a wake that finds nobody.
            sleepers.value.subtract(1, ordering: .relaxed)
        }
    }
}
