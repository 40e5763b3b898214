// How a thread that goes to sleep and one that changes what it waits for make sure that one of them sees the other. Both run it.

public import CPlatformShims
internal import Platform
public import Synchronization

/// Who pays for the fence between "change, then look for sleepers" and "announce the sleep, then look for the change".
///
/// Without a full fence on both sides each may miss what the other has written, and the sleeper sleeps for ever. Where every thread
/// has a processor, sleeping is rare and messages are many: the sleeper has the kernel fence all threads, and the waker pays nothing.
/// Where threads outnumber processors, or the kernel has no such fence, both sides fence for themselves.
@usableFromInline struct WakeOrder: Sendable {
    @usableFromInline let wakersFence: Bool

    /// The order among `threads` threads that may wait.
    @usableFromInline init(threads: Int) {
        wakersFence = threads > Affinity.processCPUCount || !Self.canFenceAll
    }

    /// Whether the kernel fences all threads of this process when asked; asked once.
    private static let canFenceAll = relaxed_register_fence_all_threads() == 0

    /// Between a change and the look at the sleeper's word. Pairs with `beforeLastLook`.
    @inlinable @inline(__always) func afterChange() {
        if wakersFence { atomicMemoryFence(ordering: .sequentiallyConsistent) } else { relaxed_compiler_barrier() }
    }

    /// Between the announcement in the sleeper's word and its last look at what it waits for. Pairs with `afterChange`.
    func beforeLastLook() {
        if wakersFence { atomicMemoryFence(ordering: .sequentiallyConsistent) } else { relaxed_fence_all_threads() }
    }
}

/// Waits until `condition` holds: spins, yields, then sleeps without a limit; the first look has failed already.
///
/// While it sleeps, `word` holds `token`, which is not 0; whoever makes the condition true calls `afterChange`, finds the token there
/// and calls `wakeSleeper`. May wake for nothing: the condition is looked at again.
@usableFromInline func waitPatiently(
    at word: UnsafeMutablePointer<Atomic<UInt32>>, token: UInt32 = 1, threads: Int, order: WakeOrder,
    until condition: () -> Bool
) {
    var backoff = Backoff(threads: threads)
    while backoff.pauseBriefly() {
        if condition() { return }
    }
    while !condition() {
        // Relaxed: ordered by the fence, and the kernel compares the word under its own lock.
        unsafe word.pointee.store(token, ordering: .relaxed)
        order.beforeLastLook()
        if condition() { break }
        unsafe Futex.wait(on: word, while: token)
    }
    // Relaxed: at worst a waker calls the kernel for nobody.
    unsafe word.pointee.store(0, ordering: .relaxed)
}

/// Wakes the one thread that sleeps on `word`.
@usableFromInline func wakeSleeper(at word: UnsafeMutablePointer<Atomic<UInt32>>) {
    // Relaxed: the kernel compares the word under its own lock. Whoever finds it 0 needs not wake: the call below is on its way.
    unsafe word.pointee.store(0, ordering: .relaxed)
    unsafe Futex.wake(1, on: word)
}
