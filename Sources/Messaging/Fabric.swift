// N ranks, the mailboxes between them and one clock. The coordinator makes it and runs a program on it.

public import Platform
public import SwitchModel
internal import Synchronization

/// What time means on a fabric (DESIGN: three clocks).
public enum FabricClock: Sendable {
    /// No model: messages go as fast as shared memory lets them.
    case native
    /// The switch model injects real delay.
    case wall(NetworkCost)
    /// The switch model alone makes time: exact, deterministic, independent of the machine.
    case virtual(NetworkCost)
}

/// The same worker program on N ranks, under any clock.
public final class Fabric: Sendable {
    /// N.
    public let count: Int
    public let clock: FabricClock
    public let straggler: Straggler
    let threads: Int
    let wall: WallClock?
    let scheduler: VirtualScheduler?
    let barrier: DisseminationBarrier
    private let arenas: [Arena]
    private let failure = Locked<FabricFailure?>(nil)
    /// Goes up with the first failure, so that waits notice it without taking the lock.
    private let failed = Atomic<Bool>(false)

    /// The channels to one receiver, in memory of its node.
    private final class Arena: Sendable {
        let block: PageBuffer<UInt8>

        init(senders: Int, node: Int?) throws(InputError) {
            block = try PageBuffer(count: senders * MessageChannel.blockBytes)
            if let node { block.bind(0..<block.count, toNode: node) }
        }
    }

    /// The first rank that failed, and with what.
    struct FabricFailure: Sendable {
        let rank: Int
        let error: any Error
    }

    /// A fabric of `count` ranks; it runs one program and is then used up.
    ///
    /// - Parameters:
    ///   - placement: where the ranks stand, so that mailboxes lie on the receivers' nodes.
    ///   - straggler: what makes computations uneven; it needs a clock other than `native` to be felt.
    public init(
        count: Int, clock: FabricClock = .native, straggler: Straggler = .none, placement: Placement? = nil
    ) throws(InputError) {
        precondition(count >= 1, "a fabric of \(count) ranks")
        self.count = count
        self.clock = clock
        self.straggler = straggler
        threads = count
        var arenas: [Arena] = []
        if case .virtual = clock {
        } else {
            for rank in 0..<count { arenas.append(try Arena(senders: count, node: placement?.workers[rank].memoryNode)) }
        }
        self.arenas = arenas
        barrier = try DisseminationBarrier(count: count)
        switch clock {
        case .native:
            wall = nil
            scheduler = nil
        case .wall(let cost):
            wall = WallClock(ports: Switch(ranks: count, cost: cost))
            scheduler = nil
        case .virtual(let cost):
            wall = nil
            scheduler = try VirtualScheduler(count: count, ports: Switch(ranks: count, cost: cost))
        }
    }

    /// Runs `program` once on every rank and gives back what each returned, by rank.
    ///
    /// The team has as many workers as the fabric has ranks. Throws the first rank's error; its peers are not left hanging: what
    /// they wait for throws `FabricError.rankFailed` with its rank.
    public func run<Result: Sendable>(
        on team: WorkerTeam, _ program: @Sendable (Communicator) throws -> Result
    ) throws -> [Result] {
        precondition(team.count == count, "\(team.count) workers for \(count) ranks")
        let results = Locked<[Result?]>(Array(repeating: nil, count: count))
        team.run { rank in
            let communicator = Communicator(fabric: self, rank: rank)
            scheduler?.takeToken(rank)
            do {
                let result = try program(communicator)
                results.withLock { $0[rank] = result }
            } catch {
                fail(rank: rank, error)
            }
            scheduler?.finish(rank, isOver: isOver) { self.fail(rank: rank, $0) }
        }
        if let failure = failure.withLock({ $0 }) { throw failure.error }
        return results.withLock { $0 }.map { $0! }
    }

    /// Whether some rank has failed. Relaxed: a flag that only goes up; the reason is read under the lock.
    var isOver: Bool { failed.load(ordering: .relaxed) }

    /// Notes the first failure and lets everybody know.
    func fail(rank: Int, _ error: any Error) {
        let isFirst = failure.withLock { failure in
            if failure != nil { return false }
            failure = FabricFailure(rank: rank, error: error)
            return true
        }
        failed.store(true, ordering: .relaxed)
        if isFirst { scheduler?.releaseAll() }
    }

    /// What a rank throws when it finds that the run is over.
    var reasonItIsOver: FabricError {
        guard let failure = failure.withLock({ $0 }) else { preconditionFailure("the run is not over") }
        if let error = failure.error as? FabricError, case .deadlock = error { return error }
        return .rankFailed(rank: failure.rank, reason: "\(failure.error)")
    }

    /// The channel from one rank to another.
    func channel(from sender: Int, to receiver: Int) -> MessageChannel {
        unsafe MessageChannel(
            block: UnsafeMutableRawPointer(arenas[receiver].block.pointer) + sender * MessageChannel.blockBytes)
    }
}
