// A program on the ranks of a fabric, from pause to pause. The coordinator's thread uses it.

public import Platform
internal import Synchronization

/// A run that stands still wherever its ranks call `Communicator.pause`, and goes on when it is told to.
///
/// Messages stay under way in a pause, and no clock moves. A run that is let go of before its end is cancelled.
public final class FabricRun<Result: Sendable> {
    private enum Stage {
        case ready, paused, ended
    }

    /// What the ranks touch, which outlives whoever holds the run.
    private final class Ranks: Sendable {
        let fabric: Fabric
        let results: Locked<[Result?]>
        /// A communicator stays until all programs have ended, for a peer may still read what it sent.
        let communicators: Locked<[Holder?]>

        /// One rank's communicator, for what is counted there.
        struct Holder: @unchecked Sendable {
            // Sendable: the coordinator reads it while the rank stands still or has ended.
            let communicator: Communicator
        }

        init(_ fabric: Fabric) {
            self.fabric = fabric
            results = Locked(Array(repeating: nil, count: fabric.count))
            communicators = Locked(Array(repeating: nil, count: fabric.count))
        }

        func run(_ rank: Int, _ program: (Communicator) throws -> Result) {
            // Made here, in memory of this thread: side by side those of two ranks would share cache lines.
            let communicator = Communicator(fabric: fabric, rank: rank)
            communicators.withLock { $0[rank] = Holder(communicator: communicator) }
            communicator.begin()
            do {
                let result = try program(communicator)
                results.withLock { $0[rank] = result }
            } catch {
                fabric.failure.note(rank: rank, error)
            }
            fabric.failure.signals.leave(rank, endsBefore: communicator.endsBefore)
            fabric.gate.leave()
        }
    }

    private let ranks: Ranks
    private let team: WorkerTeam
    private var program: (@Sendable (Communicator) throws -> Result)?
    private var stage = Stage.ready

    /// A run of `program` once on every rank of a fabric, which is used up by it; nothing moves before `advance`.
    ///
    /// Throws where the kernel refuses threads.
    ///
    /// `team` has the threads, as many as the fabric has ranks, of which the run is the only user until it has ended; where it is nil the
    /// run starts its own, unpinned. Under the virtual clock one thread runs all ranks, and a team of one's own is of no use.
    public init(
        _ fabric: Fabric, on team: WorkerTeam? = nil, _ program: @escaping @Sendable (Communicator) throws -> Result
    ) throws(InputError) {
        precondition(team.map { $0.count == fabric.count } ?? true, "\(team!.count) workers for \(fabric.count) ranks")
        fabric.use()
        if let team {
            self.team = team
        } else {
            self.team = try WorkerTeam(placement: .unpinned(workers: fabric.threadCount))
        }
        ranks = Ranks(fabric)
        self.program = program
    }

    deinit { cancel() }

    /// Lets the ranks go on until they pause (true) or have ended (false).
    ///
    /// Throws the first rank's error; its peers are not left hanging: what they wait for throws `FabricError.rankFailed` with its rank.
    /// `whileWaiting` is called on the calling thread ten times a second.
    public func advance(whileWaiting: () -> Void = {}) throws -> Bool {
        let fabric = ranks.fabric
        switch stage {
        case .ended: return false
        case .paused: fabric.gate.open()
        case .ready:
            fabric.gate.ring(team)
            start()
        }
        if awaitPause(whileWaiting) {
            stage = .paused
            return true
        }
        if let error = fabric.failure.error { throw error }
        return false
    }

    private func start() {
        let body: @Sendable (Int) -> Void = { [ranks, program = program!] rank in ranks.run(rank, program) }
        program = nil
        team.start(ranks.fabric.scheduler?.threadBody(body) ?? body)
    }

    private func awaitPause(_ whileWaiting: () -> Void) -> Bool {
        while !team.awaitEnd(whileWaiting: whileWaiting, every: 0.1) {
            // After a failure ranks run to their ends.
            if ranks.fabric.gate.isClosed && !ranks.fabric.failure.isOver { return true }
        }
        stage = .ended
        ranks.fabric.gate.ring(nil)
        return false
    }

    /// Ends the run where it stands, instead of going on: each rank's next call throws `FabricError.cancelled`, and no error is reported.
    /// What was counted until then stays.
    public func cancel() {
        switch stage {
        case .ended: return
        case .ready: stage = .ended
        case .paused:
            // No rank's: whoever reports it is none of them.
            ranks.fabric.failure.note(rank: -1, FabricError.cancelled)
            _ = awaitPause {}
        }
        program = nil
    }

    /// What each rank's program has returned, by rank; after an `advance` that returned false.
    public var results: [Result] { ranks.results.withLock { $0 }.map { $0! } }

    /// What `rank` has sent and received so far; in a pause and after the end.
    public func traffic(of rank: Int) -> Communicator.AllTraffic {
        ranks.communicators.withLock { $0[rank] }?.communicator.traffic ?? Communicator.AllTraffic()
    }
}
