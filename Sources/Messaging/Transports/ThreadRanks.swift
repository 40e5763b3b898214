// Ranks that pass a token. Their threads run it.

internal import Platform
internal import Synchronization

/// Ranks on threads of their own, which pass a token: for the sanitizers, which know no other stacks.
@safe final class ThreadRanks: RankTurns, @unchecked Sendable {
    // Sendable: tokens are only touched atomically.

    private let count: Int
    private let tokens: PageBuffer<UInt8>

    init(count: Int) throws(InputError) {
        self.count = count
        tokens = try PageBuffer(count: 128 * count)
    }

    private func token(_ rank: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        unsafe UnsafeMutableRawPointer(tokens.pointer + 128 * rank).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    private func take(_ rank: Int) {
        let word = unsafe token(rank)
        // Acquires what the last holder wrote: pairs with the release in `give`.
        while unsafe word.pointee.load(ordering: .acquiring) == 0 { unsafe Futex.wait(on: word, while: 0) }
        unsafe word.pointee.store(0, ordering: .relaxed)
    }

    private func give(_ rank: Int) {
        // Releases everything this holder wrote: pairs with the acquire in `take`.
        unsafe token(rank).pointee.store(1, ordering: .releasing)
        unsafe Futex.wake(1, on: token(rank))
    }

    func handOver(from rank: Int, to next: Int) {
        give(next)
        take(rank)
    }

    var threadCount: Int { count }

    func threadBody(first: Int, _ body: @escaping @Sendable (Int) -> Int?) -> @Sendable (Int) -> Void {
        give(first)
        return { rank in
            self.take(rank)
            if let next = body(rank) { self.give(next) }
        }
    }
}
