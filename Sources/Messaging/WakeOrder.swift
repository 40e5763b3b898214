// How a thread that goes to sleep and one that changes what it waits for make sure that one of them sees the other. Both run it.

public import CPlatformShims
internal import Platform
public import Synchronization

/// Who pays for the fence between "change, then look for sleepers" and "announce the sleep, then look for the change".
///
/// Without a full fence on both sides each may miss what the other has written, and the sleeper sleeps for ever. Where every thread
/// has a processor, sleeping is rare and messages are many: the sleeper has the kernel fence all threads, and the waker pays nothing.
/// Where threads outnumber processors, or the kernel has no such fence, both sides fence for themselves: then the word that the waker
/// looks at is never 0, and it looks again behind a fence.
@usableFromInline package struct WakeOrder: Sendable {
    /// What a sleeper's word holds while nobody sleeps there: 0, or a bit that no token has, which asks wakers for a fence.
    @usableFromInline package let idle: UInt32

    /// The order among `threads` threads that may wait.
    @usableFromInline package init(threads: Int) {
        idle = threads > Affinity.processCPUCount || !Self.canFenceAll ? 1 << 31 : 0
    }

    /// Whether the kernel fences all threads of this process when asked; asked once.
    private static let canFenceAll = relaxed_register_fence_all_threads() == 0

    /// Between a change and a look at sleepers' words. Pairs with `beforeLastLook`.
    func afterChange() {
        if idle != 0 { atomicMemoryFence(ordering: .sequentiallyConsistent) } else { relaxed_compiler_barrier() }
    }

    /// Between the announcement in the sleeper's word and its last look at what it waits for. Pairs with `afterChange` and `found`.
    func beforeLastLook() {
        if idle != 0 { atomicMemoryFence(ordering: .sequentiallyConsistent) } else { relaxed_fence_all_threads() }
    }

    /// After a change, the first look at a sleeper's word: 0 where nobody sleeps there for sure, else `sleeper` knows.
    @inlinable @inline(__always) package func glance(at word: UnsafeMutablePointer<Atomic<UInt32>>) -> UInt32 {
        relaxed_compiler_barrier()
        // Relaxed: ordered by the fence.
        return unsafe word.pointee.load(ordering: .relaxed)
    }

    /// The token of whoever sleeps on a word at which `glance` has found `found`; 0 for nobody. Pairs with `beforeLastLook`.
    package func sleeper(at word: UnsafeMutablePointer<Atomic<UInt32>>, found: UInt32) -> UInt32 {
        if idle == 0 { return found }
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return unsafe word.pointee.load(ordering: .relaxed) & ~idle
    }

    /// Wakes the one thread that sleeps on `word`.
    package func wake(at word: UnsafeMutablePointer<Atomic<UInt32>>) {
        // Relaxed: the kernel compares the word under its own lock. Whoever finds it idle needs not wake: the call below is on its way.
        unsafe word.pointee.store(idle, ordering: .relaxed)
        unsafe Futex.wake(1, on: word)
    }

    /// Waits until `condition` holds: spins, yields, then sleeps without a limit; the first look has failed already.
    ///
    /// While it sleeps, `word` holds `token`, in 1 ..< 2^31. May wake for nothing: the condition is looked at again.
    package func wait(
        at word: UnsafeMutablePointer<Atomic<UInt32>>, token: UInt32, threads: Int, until condition: () -> Bool
    ) {
        var backoff = Backoff(threads: threads)
        while backoff.pauseBriefly() {
            if condition() { return }
        }
        while !condition() {
            // Relaxed: ordered by the fence, and the kernel compares the word under its own lock.
            unsafe word.pointee.store(token | idle, ordering: .relaxed)
            beforeLastLook()
            if condition() { break }
            unsafe Futex.wait(on: word, while: token | idle)
        }
        // Relaxed: at worst a waker calls the kernel for nobody.
        unsafe word.pointee.store(idle, ordering: .relaxed)
    }
}
