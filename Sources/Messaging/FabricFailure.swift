// Whether and why the run on a fabric is over before its end. Any thread.

internal import Platform
internal import Synchronization

/// The first failure of a run, noted once.
final class FabricFailure: Sendable {
    private struct First: Sendable {
        let rank: Int
        let error: any Error
    }

    private let first = Locked<First?>(nil)
    private let happened = Atomic<Bool>(false)

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
            if let error = first.error as? FabricError, case .deadlock = error { return error }
            return .rankFailed(rank: first.rank, reason: "\(first.error)")
        }
    }
}
