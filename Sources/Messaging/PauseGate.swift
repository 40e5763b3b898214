// Where ranks stand still while the coordinator looks at what they have. Ranks call `pause` and `leave`, the coordinator `open`.

internal import Platform
internal import Synchronization

/// Stops the ranks of a run and lets them go on.
@safe final class PauseGate: @unchecked Sendable {
    // Sendable: the pointer never changes, what it points at is only touched atomically, and so is all else.

    private struct State {
        var paused = 0
        var ended = 0
        /// Ranks that wait for what others do.
        var waiting = 0
        /// On the monotonic clock, when the last one came.
        var since: UInt64 = 0
    }

    private let count: Int
    /// Whether one rank that pauses stops all: under the virtual clock no other moves.
    private let oneStopsAll: Bool
    private let state = Locked(State())
    /// Goes up when ranks may go on: they sleep on it.
    private let generation = Futex(0)
    /// What pauses have taken so far.
    private let paused: UnsafeMutablePointer<Atomic<UInt64>>
    /// Tells the coordinator that all stand still.
    private let bell = Locked<WorkerTeam?>(nil)

    init(count: Int, oneStopsAll: Bool) {
        self.count = count
        self.oneStopsAll = oneStopsAll
        unsafe paused = .allocate(capacity: 1)
        unsafe paused.initialize(to: Atomic(0))
    }

    deinit { unsafe paused.deallocate() }

    /// The monotonic clock less what pauses have taken.
    var time: RunTime { unsafe RunTime(paused: paused) }

    // MARK: The ranks' side

    /// Waits until the coordinator has looked, or the run is over.
    func pause(unless isOver: () -> Bool) {
        // Acquires what the coordinator did before: pairs with the release in `open`. Read before it can know that this rank is here,
        // so that its next `open` changes it.
        let seen = unsafe generation.word.pointee.load(ordering: .acquiring)
        note { $0.paused += 1 }
        // Acquires what the coordinator did meanwhile: pairs with the release in `open`. A failure opens the gate as well.
        while unsafe !isOver() && generation.word.pointee.load(ordering: .acquiring) == seen {
            generation.wait(while: seen)
        }
    }

    /// A rank's program has ended: it is not waited for any more.
    func leave() { note { $0.ended += 1 } }

    /// Between this and `endWait` the rank waits for what others do: it does nothing, so that those who pause need not wait for it.
    func beginWait() { note { $0.waiting += 1 } }

    /// The wait has ended; where all stand still meanwhile the rank goes on with them.
    func endWait(unless isOver: () -> Bool) {
        while true {
            // Acquires what the coordinator did: pairs with the release in `open`. Read before it can open the gate that is found closed.
            let seen = unsafe generation.word.pointee.load(ordering: .acquiring)
            let goesOn = state.withLock { state in
                if isClosed(state) && !isOver() { return false }
                state.waiting -= 1
                return true
            }
            if goesOn { return }
            generation.wait(while: seen)
        }
    }

    private func isClosed(_ state: State) -> Bool {
        state.paused > 0 && (oneStopsAll || state.paused + state.ended + state.waiting == count)
    }

    private func note(_ change: (inout State) -> Void) {
        let isLast = state.withLock { state in
            change(&state)
            guard isClosed(state) else { return false }
            state.since = monotonicNanoseconds()
            return true
        }
        // The lock has gathered what the ranks did; the call back releases it to the coordinator.
        if isLast { bell.withLock { $0 }?.callBack() }
    }

    // MARK: The coordinator's side

    /// Who waits for a pause.
    func ring(_ team: WorkerTeam?) { bell.withLock { $0 = team } }

    /// Whether the ranks stand still, once they have called back.
    var isClosed: Bool { state.withLock { isClosed($0) } }

    /// Lets the ranks go on.
    func open() {
        let stood = state.withLock { state in
            let stood = state.paused > 0 && state.since > 0 ? monotonicNanoseconds() - state.since : 0
            state.paused = 0
            state.since = 0
            return stood
        }
        // Relaxed: ranks that go on acquire it with the generation.
        unsafe paused.pointee.add(stood, ordering: .relaxed)
        // Releases what the coordinator did: pairs with the acquire in `pause`.
        unsafe generation.word.pointee.add(1, ordering: .releasing)
        generation.wakeAll()
    }
}

/// Real time that stands still in pauses. A view of what the gate owns, without a reference to count.
@safe struct RunTime: @unchecked Sendable {
    // Sendable: as the gate.
    fileprivate let paused: UnsafePointer<Atomic<UInt64>>

    fileprivate init(paused: UnsafeMutablePointer<Atomic<UInt64>>) { unsafe self.paused = UnsafePointer(paused) }

    /// Nanoseconds from an arbitrary zero.
    var nanoseconds: UInt64 { unsafe monotonicNanoseconds() - paused.pointee.load(ordering: .relaxed) }
}
