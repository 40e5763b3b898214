// Whether and why the run on a fabric is over before its end. Any thread.

internal import Platform
internal import Synchronization

/// The first failure of a run, noted once.
@safe final class FabricFailure: Sendable {
    private struct First: Sendable {
        let rank: Int
        let error: any Error
    }

    private let first = Locked<First?>(nil)
    private let happened = Atomic<Bool>(false)
    private let gone: PageBuffer<UInt8>

    init(count: Int) throws(InputError) { gone = try PageBuffer(count: count) }

    private func flag(_ rank: Int) -> UnsafeMutablePointer<Atomic<Bool>> {
        unsafe UnsafeMutableRawPointer(gone.pointer + rank).assumingMemoryBound(to: Atomic<Bool>.self)
    }

    /// The rank has ended its part: it sends nothing more and reads nobody's memory.
    func leave(_ rank: Int) {
        // Releases the rank's sends and reads: pairs with the acquire in `hasLeft`.
        unsafe flag(rank).pointee.store(true, ordering: .releasing)
    }

    /// Whether the rank has left; what it sent before is then visible.
    func hasLeft(_ rank: Int) -> Bool {
        // Acquires the rank's sends and reads: pairs with the release in `leave`.
        unsafe flag(rank).pointee.load(ordering: .acquiring)
    }

    /// Whether some rank has failed. Relaxed: a flag that only goes up; the reason is read under the lock.
    var isOver: Bool { happened.load(ordering: .relaxed) }

    /// Notes a failure; false where one was noted before.
    func note(rank: Int, _ error: any Error) -> Bool {
        let isFirst = first.withLock { first in
            if first != nil { return false }
            first = First(rank: rank, error: error)
            return true
        }
        happened.store(true, ordering: .relaxed)
        return isFirst
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
