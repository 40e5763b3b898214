// N ranks, the mailboxes between them and one clock. The coordinator makes it and runs a program on it.

internal import CPlatformShims
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
    /// The memory node of each rank; nil where it is not pinned.
    let memoryNodes: [Int?]
    private let windows = Locked<[WindowKey: WindowMemory]>([:])
    let gate: PauseGate
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

    private struct WindowKey: Hashable {
        let name: WindowName
        let owner: Int
    }

    /// The channels to one receiver, in memory of its node.
    private final class Arena: Sendable {
        let block: PageBuffer<UInt8>

        init(senders: Int, node: Int?) throws(InputError) {
            block = try unsafe PageBuffer(count: senders * MessageChannel.blockBytes)
            if let node { block.bind(0..<block.count, toNode: node) }
        }
    }

    /// Throws where the kernel refuses the stacks of so many ranks, by asking it: so that nobody lays out what they work on in vain.
    public static func check(count: Int, clock: FabricClock) throws(InputError) {
        if clock.isVirtual && relaxed_is_sanitized() == 0 { _ = try LightRanks(count: count) }
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
        memoryNodes = (0..<count).map { placement?.workers[$0].memoryNode }
        var arenas: [Arena] = []
        if !clock.isVirtual {
            for rank in 0..<count {
                arenas.append(try Arena(senders: count, node: memoryNodes[rank]))
            }
        }
        self.arenas = arenas
        blocks = try PageBuffer(count: arenas.count)
        for (rank, arena) in arenas.enumerated() { unsafe blocks.pointer[rank] = UInt(bitPattern: arena.block.pointer) }
        // Under the virtual clock no rank sleeps.
        let sleeping = arenas.count
        let barrierBytes = DisseminationBarrier.byteCount(ranks: count)
        let sharedBytes = SharedMemory.byteCount(ranks: count)
        meetingPlace = try PageBuffer(count: barrierBytes + sharedBytes + RankSleepers.byteCount(ranks: sleeping))
        let memory = unsafe UnsafeMutableRawPointer(meetingPlace.pointer)
        sleepers = unsafe RankSleepers(count: sleeping, memory: memory + barrierBytes + sharedBytes)
        barrier = unsafe DisseminationBarrier(count: count, memory: memory, sleepers: sleepers)
        shared = unsafe SharedMemory(count: count, memory: memory + barrierBytes, sleepers: sleepers)
        gate = PauseGate(count: count, oneStopsAll: arenas.isEmpty)
        failure = try FabricFailure(count: count, sleepers: sleepers, gate: gate)
        switch clock {
        case .native:
            wall = nil
            scheduler = nil
        case .wall(let cost):
            wall = try WallClock(count: count, cost: cost, gate: gate)
            scheduler = nil
        case .virtual(let cost):
            wall = nil
            scheduler = try VirtualScheduler(count: count, cost: cost, failure: failure)
        }
    }

    /// Runs `program` once on every rank, through its pauses, and gives back what each returned, by rank; see `FabricRun`.
    ///
    /// `team` is as for `FabricRun`; `whileWaiting` is called on the calling thread ten times a second.
    @discardableResult
    public func run<Result: Sendable>(
        on team: WorkerTeam? = nil, whileWaiting: () -> Void = {},
        _ program: @Sendable (Communicator) throws -> Result
    ) throws -> [Result] {
        try withoutActuallyEscaping(program) { program in
            let run = try FabricRun(self, on: team, program)
            while try run.advance(whileWaiting: whileWaiting) {}
            return run.results
        }
    }

    /// Ends all waits for the wall clock, those under way and those to come: computations take what they take and messages are there as soon
    /// as they are sent, so that the ranks come to their next steps at once and can agree to end. Any thread; without effect under other
    /// clocks, which nobody waits for.
    public func endWallWaits() { failure.signals.endWallWaits() }

    /// Notes that a program runs, of which there is one.
    func use() {
        // Relaxed: it orders nothing.
        precondition(!isUsed.exchange(true, ordering: .relaxed), "the fabric has run its program")
    }

    /// The threads that the ranks take.
    var threadCount: Int { scheduler?.threadCount ?? count }

    // MARK: What ranks are given

    /// Opens a window of `count` zeros named `name` that `owner` owns, and gives back its vector: for the coordinator to fill before the
    /// run, and to look at in a pause and after it. The owner's program need not do anything for it. Before `run`.
    ///
    /// `aside` more zeros lie beside them, for what the owner remembers from one push to the next: nobody pulls them. Throws where memory
    /// is refused. `isCounted` is false where `Communicator.newestVersion` is of other windows.
    @discardableResult
    public func openWindow(
        _ name: WindowName, on owner: Int, count: Int, aside: Int = 0, isCounted: Bool = true
    ) throws(InputError) -> Vector {
        precondition((0..<self.count).contains(owner), "a window on rank \(owner) of \(self.count)")
        let vector = try Vector(count: count)
        let memory = try WindowMemory(
            owner: owner, vector: vector, aside: Vector(count: aside), ranks: self.count, isCounted: isCounted,
            signals: failure.signals)
        let before = windows.withLock { $0.updateValue(memory, forKey: WindowKey(name: name, owner: owner)) }
        precondition(before == nil, "window \(name.text) on rank \(owner), opened twice")
        return vector
    }

    /// What has been counted of a window, in a pause or after the run.
    public func state(of name: WindowName, on owner: Int) -> WindowState {
        let window = windowMemory(name, on: owner)
        return window.withLock { window.state }
    }

    func windowMemory(_ name: WindowName, on owner: Int) -> WindowMemory {
        guard let memory = windows.withLock({ $0[WindowKey(name: name, owner: owner)] }) else {
            preconditionFailure("no window \(name.text) was opened on rank \(owner)")
        }
        return memory
    }

    /// How the messages of `rank` travel.
    func makeTransport(rank: Int) -> any Transport {
        if let scheduler { return VirtualTransport(fabric: self, rank: rank, scheduler: scheduler) }
        if let wall { return WallTransport(fabric: self, rank: rank, wall: wall) }
        return NativeTransport(fabric: self, rank: rank)
    }

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
