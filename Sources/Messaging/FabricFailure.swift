// Whether and why the run on a fabric is over before its end, or in a hurry to come to it. Any thread.

internal import Platform
internal import Synchronization

/// The first failure of a run, noted once.
final class FabricFailure: Sendable {
    private struct First: Sendable {
        let rank: Int
        let error: any Error
    }

    private let first = Locked<First?>(nil)
    private let flags: PageBuffer<UInt8>
    let signals: FailureSignals

    private let gate: PauseGate

    init(count: Int, sleepers: RankSleepers, gate: PauseGate) throws(InputError) {
        self.gate = gate
        flags = try PageBuffer(count: 128 + count)
        unsafe signals = FailureSignals(flags: UnsafeMutableRawPointer(flags.pointer), sleepers: sleepers)
    }

    /// Whether some rank has failed.
    var isOver: Bool { signals.isOver }

    /// Notes a failure, of which the first counts, and wakes whoever sleeps or pauses.
    func note(rank: Int, _ error: any Error) {
        first.withLock { first in
            if first == nil { first = First(rank: rank, error: error) }
        }
        signals.end()
        gate.open()
    }

    /// The error of the rank that failed first.
    var error: (any Error)? { first.withLock { $0?.error } }

    /// What the others throw when they find that the run is over.
    var forPeers: FabricError {
        first.withLock { first in
            guard let first else { preconditionFailure("the run is not over") }
            if let error = first.error as? FabricError, error.namesItsRanks { return error }
            return .rankFailed(rank: first.rank, reason: "\(first.error)")
        }
    }
}

/// Whether the run is over, and who has left it, for the loops that wait: a pointer, so that looking counts no references, which
/// all ranks would write.
@safe struct FailureSignals: @unchecked Sendable {
    // Sendable: the pointer never changes and what it points at is only touched atomically; the fabric outlives its ranks.

    private let flags: UnsafeMutableRawPointer
    private let sleepers: RankSleepers

    init(flags: UnsafeMutableRawPointer, sleepers: RankSleepers) {
        unsafe self.flags = flags
        self.sleepers = sleepers
    }

    private func flag(_ index: Int) -> UnsafeMutablePointer<Atomic<Bool>> {
        unsafe (flags + index).assumingMemoryBound(to: Atomic<Bool>.self)
    }

    /// Relaxed: a flag that only goes up; the reason is read under the lock.
    var isOver: Bool { unsafe flag(0).pointee.load(ordering: .relaxed) }

    /// Ends the run and wakes whoever sleeps.
    func end() {
        unsafe flag(0).pointee.store(true, ordering: .relaxed)
        sleepers.wakeAllForEnd()
    }

    /// Whether nobody waits for the wall clock any more. Relaxed: as `isOver`.
    var endsWallWaits: Bool { unsafe flag(1).pointee.load(ordering: .relaxed) }

    /// Ends the waits for the wall clock, those that are under way and those to come.
    func endWallWaits() {
        unsafe flag(1).pointee.store(true, ordering: .relaxed)
        sleepers.wakeAllForEnd()
    }

    /// The rank has ended its part: it sends nothing more and reads nobody's memory. Wakes those who wait for it, and lets them know what it
    /// knew of the end of the run.
    func leave(_ rank: Int, endsBefore: UInt64 = .max) {
        // Ordered by the release below.
        unsafe leaversEnd.pointee.max(~endsBefore, ordering: .relaxed)
        // Releases the rank's sends and reads: pairs with the acquire in `hasLeft`.
        unsafe flag(128 + rank).pointee.store(true, ordering: .releasing)
        sleepers.wakeAll(awaiting: rank)
    }

    /// The complement of the least that a rank which has left knew of the end, so that zeroed memory says nothing.
    private var leaversEnd: UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe (flags + 64).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// The first step that some rank which has left did not make, as far as it knew. Relaxed: after an acquiring look at who has left.
    var endKnownToLeavers: UInt64 { unsafe ~leaversEnd.pointee.load(ordering: .relaxed) }

    /// Whether all ranks of `count` but `rank` have left.
    func isAlone(_ rank: Int, of count: Int) -> Bool { (0..<count).allSatisfy { $0 == rank || hasLeft($0) } }

    /// Whether the rank has left; what it sent before is then visible.
    func hasLeft(_ rank: Int) -> Bool {
        // Acquires the rank's sends and reads: pairs with the release in `leave`.
        unsafe flag(128 + rank).pointee.load(ordering: .acquiring)
    }

    /// Whether nothing will come from `rank` any more.
    func isLost(_ rank: Int) -> Bool { isOver || hasLeft(rank) }
}
