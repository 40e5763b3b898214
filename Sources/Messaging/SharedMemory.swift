// Where ranks that share memory show each other theirs. Every rank's thread runs it.

internal import Platform
internal import Synchronization

/// Per rank one line with its phase and the memory it shows. Unlike a barrier of log2 N rounds, each rank looks at every line: it
/// needs the address that lies there anyway.
///
/// Phase 2k + 1: the rank's memory of its k-th turn is shown; 2k + 2: the rank has done its work on the others' memory.
///
/// A view of memory that the fabric owns and outlives: no reference to count, which all ranks would write.
@safe public struct SharedMemory: @unchecked Sendable {
    // Sendable: a line is written by its rank alone, before the release of its phase, and read by others after the acquire.

    private let count: Int
    private let lines: UnsafeMutableRawPointer
    private let sleepers: RankSleepers

    /// Bytes, zeroed, of the memory it needs: a line per rank.
    static func byteCount(ranks: Int) -> Int { 128 * ranks }

    init(count: Int, memory: UnsafeMutableRawPointer, sleepers: RankSleepers) {
        self.count = count
        self.sleepers = sleepers
        unsafe lines = memory
    }

    private func line(_ rank: Int) -> UnsafeMutableRawPointer { unsafe lines + 128 * rank }

    /// What the rank knows of the end of the run.
    private func end(of rank: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe (line(rank) + 24).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    private func phase(_ rank: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe line(rank).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// What `rank` shows; between the two phases of a turn.
    public func memory(of rank: Int) -> UnsafeMutableRawBufferPointer {
        let address = unsafe line(rank).load(fromByteOffset: 8, as: UInt.self)
        let bytes = unsafe line(rank).load(fromByteOffset: 16, as: Int.self)
        return unsafe UnsafeMutableRawBufferPointer(start: UnsafeMutableRawPointer(bitPattern: address), count: bytes)
    }

    /// Shows `memory` and waits for all others to show theirs; returns nil, or a rank of which `isLost` said it will never come.
    ///
    /// `endsBefore` becomes the least of all ranks'.
    func show(
        _ memory: UnsafeMutableRawBufferPointer, rank: Int, endsBefore: inout UInt64, or isLost: (Int) -> Bool
    ) -> Int? {
        unsafe line(rank).storeBytes(of: UInt(bitPattern: memory.baseAddress), toByteOffset: 8, as: UInt.self)
        unsafe line(rank).storeBytes(of: memory.count, toByteOffset: 16, as: Int.self)
        // Relaxed: released with the phase. A rank that is further already may lower it once more, which is as good.
        unsafe end(of: rank).pointee.store(endsBefore, ordering: .relaxed)
        if let missing = pass(rank, or: isLost) { return missing }
        for other in 0..<count { endsBefore = unsafe min(endsBefore, end(of: other).pointee.load(ordering: .relaxed)) }
        return nil
    }

    /// Says that this rank is done and waits until all are. All have come, so all will.
    func finish(rank: Int) { _ = pass(rank) { _ in false } }

    private func pass(_ rank: Int, or isLost: (Int) -> Bool) -> Int? {
        // Relaxed: only this rank writes it.
        let next = unsafe phase(rank).pointee.load(ordering: .relaxed) &+ 1
        // Releases what this rank shows, or has written: pairs with the acquire in `hasCome`.
        unsafe phase(rank).pointee.store(next, ordering: .releasing)
        // Who finds that all have come before it sleeps wakes those who sleep, and nobody is woken before. By the fence the last one
        // to come finds it, and finds all sleepers: those who announced themselves later have found that all have come.
        sleepers.order.afterChange()
        var awaited = 0
        func allHaveCome() -> Bool {
            while awaited < count && (awaited == rank || hasCome(awaited, next)) { awaited += 1 }
            return awaited == count
        }
        if !allHaveCome() {
            sleepers.wait(rank, for: .anything) { allHaveCome() || isLost(awaited) }
            if awaited < count { return awaited }
        }
        sleepers.wakeAll()
        return nil
    }

    /// Acquires what the other rank showed or wrote: pairs with the release in `pass`.
    private func hasCome(_ rank: Int, _ next: UInt64) -> Bool {
        unsafe phase(rank).pointee.load(ordering: .acquiring) >= next
    }
}
