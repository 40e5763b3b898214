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

    /// Whether the switch model prices messages.
    public var isModel: Bool {
        if case .native = self { false } else { true }
    }

    /// Whether the switch model alone makes time, so that one thread runs all ranks.
    public var isVirtual: Bool {
        if case .virtual = self { true } else { false }
    }
}

/// The same worker program on N ranks, under any clock.
public final class Fabric: Sendable {
    /// N.
    public let count: Int
    public let clock: FabricClock
    public let straggler: Straggler
    /// Computations of each rank before the first, for the straggler model.
    let firstStep: UInt64
    private let placement: Placement?
    private let isUsed = Atomic(false)
    let failure: FabricFailure
    let wall: WallClock?
    let scheduler: VirtualScheduler?
    let barrier: DisseminationBarrier
    let shared: SharedMemory
    let sleepers: RankSleepers
    /// What `barrier`, `shared` and `sleepers` are views of, in this order.
    private let meetingPlace: PageBuffer<UInt8>
    private let arenas: [Arena]
    /// The blocks of `arenas`, by receiver, without references to count.
    private let blocks: PageBuffer<UInt>

    /// The channels to one receiver, in memory of its node.
    private final class Arena: Sendable {
        let block: PageBuffer<UInt8>

        init(senders: Int, node: Int?) throws(InputError) {
            block = try unsafe PageBuffer(count: senders * MessageChannel.blockBytes)
            if let node { block.bind(0..<block.count, toNode: node) }
        }
    }

    /// A fabric of `count` ranks; it runs one program and is then used up.
    ///
    /// `placement` says where the ranks stand, so that mailboxes lie on the receivers' nodes. `straggler` makes computations uneven; it
    /// needs a clock other than `native` to be felt, and `firstStep` is its step at which this run goes on where another one ended.
    public init(
        count: Int, clock: FabricClock = .native, straggler: Straggler = .none, firstStep: UInt64 = 0,
        placement: Placement? = nil
    ) throws(InputError) {
        precondition(count >= 1, "a fabric of \(count) ranks")
        self.count = count
        self.clock = clock
        self.straggler = straggler
        self.firstStep = firstStep
        self.placement = placement
        var arenas: [Arena] = []
        if !clock.isVirtual {
            for rank in 0..<count {
                arenas.append(try Arena(senders: count, node: placement?.workers[rank].memoryNode))
            }
        }
        self.arenas = arenas
        blocks = try PageBuffer(count: arenas.count)
        for (rank, arena) in arenas.enumerated() { unsafe blocks.pointer[rank] = UInt(bitPattern: arena.block.pointer) }
        let barrierBytes = DisseminationBarrier.byteCount(ranks: count)
        let sharedBytes = SharedMemory.byteCount(ranks: count)
        meetingPlace = try PageBuffer(count: barrierBytes + sharedBytes + RankSleepers.byteCount(ranks: count))
        let memory = unsafe UnsafeMutableRawPointer(meetingPlace.pointer)
        sleepers = unsafe RankSleepers(count: count, memory: memory + barrierBytes + sharedBytes)
        barrier = unsafe DisseminationBarrier(count: count, memory: memory, sleepers: sleepers)
        shared = unsafe SharedMemory(count: count, memory: memory + barrierBytes, sleepers: sleepers)
        failure = try FabricFailure(count: count, sleepers: sleepers)
        switch clock {
        case .native:
            wall = nil
            scheduler = nil
        case .wall(let cost):
            wall = try WallClock(count: count, cost: cost)
            scheduler = nil
        case .virtual(let cost):
            wall = nil
            scheduler = try VirtualScheduler(count: count, cost: cost, failure: failure)
        }
    }

    /// Runs `program` once on every rank and gives back what each returned, by rank.
    ///
    /// Throws the first rank's error; its peers are not left hanging: what they wait for throws `FabricError.rankFailed` with its rank.
    ///
    /// `team` has the threads, as many as the fabric has ranks; where it is nil the fabric starts its own, unpinned. Under the virtual clock
    /// one thread runs all ranks, and a team of one's own is of no use. `whileWaiting` is called on the calling thread ten times a second.
    public func run<Result: Sendable>(
        on team: WorkerTeam? = nil, whileWaiting: () -> Void = {},
        _ program: @Sendable (Communicator) throws -> Result
    ) throws -> [Result] {
        precondition(team.map { $0.count == count } ?? true, "\(team!.count) workers for \(count) ranks")
        // Relaxed: it orders nothing.
        precondition(!isUsed.exchange(true, ordering: .relaxed), "the fabric has run its program")
        let results = Locked<[Result?]>(Array(repeating: nil, count: count))
        let finished = Locked<[Finished]>([])
        if let scheduler {
            try scheduler.run(on: team, whileWaiting: whileWaiting, runRank)
        } else {
            let threads: WorkerTeam
            if let team { threads = team } else { threads = try WorkerTeam(placement: .unpinned(workers: count)) }
            threads.run(runRank, whileWaiting: whileWaiting, every: 0.1)
        }
        finished.withLock { $0 = [] }
        if let error = failure.error { throw error }
        return results.withLock { $0 }.map { $0! }

        @Sendable func runRank(_ rank: Int) {
            // Made here, in memory of this thread: side by side those of two ranks would share cache lines.
            let communicator = Communicator(fabric: self, rank: rank)
            communicator.begin()
            do {
                let result = try program(communicator)
                results.withLock { $0[rank] = result }
            } catch {
                _ = failure.note(rank: rank, error)
            }
            failure.signals.leave(rank)
            finished.withLock { $0.append(Finished(communicator: communicator)) }
        }
    }

    /// A communicator whose program has ended: kept until all have, for a peer may still read what it sent.
    private struct Finished: @unchecked Sendable {
        // Sendable: nobody calls it any more.
        let communicator: Communicator
    }

    /// The memory node of a rank; nil where it is not pinned.
    func memoryNode(of rank: Int) -> Int? { placement?.workers[rank].memoryNode }

    /// The channels between ranks; none under the virtual clock.
    var channels: ChannelTable { unsafe ChannelTable(blocks: UnsafePointer(blocks.pointer)) }
}

/// Where the channels lie. A view of memory that the fabric owns and outlives.
@safe struct ChannelTable {
    private let blocks: UnsafePointer<UInt>

    init(blocks: UnsafePointer<UInt>) { unsafe self.blocks = unsafe blocks }

    /// The channel from one rank to another.
    func channel(from sender: Int, to receiver: Int) -> MessageChannel {
        unsafe MessageChannel(
            block: UnsafeMutableRawPointer(bitPattern: blocks[receiver])! + sender * MessageChannel.blockBytes)
    }
}
