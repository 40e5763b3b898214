// Where all ranks of a fabric wait for each other. Every rank's thread runs `wait`.

internal import Synchronization

/// A barrier of ceil(log2 N) rounds: in round k rank r tells rank r + 2^k and hears from rank r - 2^k. No line is written by two
/// ranks, and with two ranks it costs one line transfer each way.
///
/// A view of memory that the fabric owns and outlives, as `SharedMemory`.
@safe struct DisseminationBarrier: @unchecked Sendable {
    // Sendable: each flag is written by one rank and read by one other; epochs belong to their ranks.

    private let count: Int
    private let rounds: Int
    private let base: UnsafeMutableRawPointer
    private let sleepers: RankSleepers

    private static func rounds(_ count: Int) -> Int {
        var rounds = 0
        while 1 << rounds < count { rounds += 1 }
        return rounds
    }

    /// Bytes, zeroed, of the memory it needs: per rank a line for its own epoch, then per round a line with the flag.
    static func byteCount(ranks: Int) -> Int { ranks * (rounds(ranks) + 1) * 128 }

    init(count: Int, memory: UnsafeMutableRawPointer, sleepers: RankSleepers) {
        self.count = count
        self.sleepers = sleepers
        rounds = Self.rounds(count)
        unsafe base = memory
    }

    private func line(_ rank: Int, _ index: Int) -> UnsafeMutableRawPointer {
        unsafe base + (rank * (rounds + 1) + index) * 128
    }

    private func flag(of rank: Int, _ round: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe line(rank, round + 1).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Beside the flag: what its writer knows of the end of the run.
    private func end(of rank: Int, _ round: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe (line(rank, round + 1) + 8).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Waits for all ranks, and returns nil, or the rank that was waited for in vain when `isLost` said that it will never come.
    ///
    /// `endsBefore` becomes the least of all ranks'.
    func wait(rank: Int, endsBefore: inout UInt64, or isLost: (_ awaited: Int) -> Bool) -> Int? {
        let epoch = unsafe line(rank, 0).assumingMemoryBound(to: UInt64.self)
        unsafe epoch.pointee += 1
        let now = unsafe epoch.pointee
        for round in 0..<rounds {
            let peer = (rank + 1 << round) % count
            // Relaxed: released with the flag. A rank that is in the next barrier already may lower it once more, which is as good.
            unsafe end(of: peer, round).pointee.store(endsBefore, ordering: .relaxed)
            // Releases what this rank, and those it has heard from, wrote: pairs with the acquire below on the peer.
            unsafe flag(of: peer, round).pointee.store(now, ordering: .releasing)
            sleepers.wake(peer, from: .message(from: rank))

            let awaited = (rank + count - (1 << round)) % count
            let flag = unsafe flag(of: rank, round)
            // Acquires what the one before wrote: pairs with the release above.
            if unsafe flag.pointee.load(ordering: .acquiring) < now {
                sleepers.wait(rank, for: .message(from: awaited)) {
                    unsafe flag.pointee.load(ordering: .acquiring) >= now || isLost(awaited)
                }
                if unsafe flag.pointee.load(ordering: .acquiring) < now { return awaited }
            }
            endsBefore = unsafe min(endsBefore, end(of: rank, round).pointee.load(ordering: .relaxed))
        }
        return nil
    }
}
