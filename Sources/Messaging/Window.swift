// One-sided operations on a vector that a passive rank owns. The thread of the rank that asks runs them.

internal import Platform

/// What a window is called; the same name on several owners is as many windows.
public struct WindowName: Hashable, Sendable {
    let text: String

    public init(_ text: String) { self.text = text }

    /// x of the rank that owns it.
    public static let parameters = WindowName("parameters")

    /// Chunk `index` of an x that lies in several windows; the first is `parameters`.
    public static func parameters(chunk index: Int) -> WindowName {
        index == 0 ? .parameters : WindowName("parameters \(index)")
    }
}

/// What a window counts.
public struct WindowState: Sendable {
    /// Updates applied so far.
    public internal(set) var version: UInt64 = 0
    var updates: [UInt64]
    var ended: [Bool]

    /// Updates by `rank` among them.
    public func updates(by rank: Int) -> UInt64 { updates[rank] }

    /// Whether the program of `rank` has ended, so that it makes no more of them.
    public func hasEnded(_ rank: Int) -> Bool { ended[rank] }

    /// The fewest updates that any of `ranks` has made whose program goes on, `UInt64.max` where none does: by how much one is ahead of it
    /// is what bounded staleness bounds.
    public func fewestUpdates(by ranks: Range<Int>) -> UInt64 {
        var fewest = UInt64.max
        for rank in ranks where !ended[rank] { fewest = min(fewest, updates[rank]) }
        return fewest
    }
}

/// One rank's hold on a window: a vector of float32 that its owner keeps and for which it does nothing.
///
/// Whatever happens to a window happens at once: nobody sees half of an update. Under a clock that prices messages a pull reads at the
/// beginning of its transfer and a push applies at its end, in the order of these times; the request itself is free. An owner's own
/// operations take no time.
public struct Window {
    let memory: WindowMemory
    let communicator: Communicator

    /// The rank that owns it.
    public var owner: Int { memory.owner }
    /// d, its floats.
    public var count: Int { memory.vector.count }
    /// What the owner keeps beside x: see `Fabric.openWindow`. For what reads and applies, which run alone.
    public var aside: Vector { memory.aside }

    /// Fetches floats `chunk`, or all, into the same places of `target`; returns how many updates they have seen.
    ///
    /// Waits until `condition`, where there is one, holds of the window; it is looked at whenever an update has been applied or a rank has
    /// ended. A rank that waits stands still for whoever pauses. Throws once nobody is left who could bring the condition about.
    @discardableResult
    public func pull(
        into target: Vector, chunk: Range<Int>? = nil, when condition: ((WindowState) -> Bool)? = nil
    ) throws(FabricError) -> UInt64 {
        let range = chunk ?? 0..<count
        precondition(target.count == count, "a window of \(count) floats pulled into \(target.count)")
        return try pull(floats: range.count, when: condition) { x in target.copy(range, from: x) }
    }

    /// Fetches the floats at `coordinates` into the same number of `values`; otherwise as `pull(into:chunk:when:)`.
    @discardableResult
    public func pull(
        coordinates: [UInt32], into values: inout [Float], when condition: ((WindowState) -> Bool)? = nil
    ) throws(FabricError) -> UInt64 {
        precondition(values.count == coordinates.count, "\(coordinates.count) coordinates into \(values.count) values")
        return try pull(floats: coordinates.count, when: condition) { x in
            for (i, coordinate) in coordinates.enumerated() { values[i] = x[Int(coordinate)] }
        }
    }

    /// Fetches `floats` floats, which `read` takes out of the window; otherwise as `pull(into:chunk:when:)`.
    @discardableResult
    public func pull(
        floats: Int, when condition: ((WindowState) -> Bool)? = nil, _ read: (_ x: Vector) -> Void
    ) throws(FabricError) -> UInt64 {
        try communicator.pull(memory, byteCount: 4 * floats, when: condition, read)
    }

    /// Delivers `payload`, which `apply` merges into x; returns how many updates had been applied before this one.
    @discardableResult
    public func push(
        _ payload: Vector, _ apply: (_ x: Vector, _ payload: Vector) -> Void
    ) throws(FabricError) -> UInt64 {
        try push(byteCount: 4 * payload.count) { x, _ in apply(x, payload) }
    }

    /// As `push(_:_:)` where `apply` is told t, how many updates have been applied before this one.
    @discardableResult
    public func push(
        _ payload: Vector, _ apply: (_ x: Vector, _ payload: Vector, _ t: UInt64) -> Void
    ) throws(FabricError) -> UInt64 {
        try push(byteCount: 4 * payload.count) { x, t in apply(x, payload, t) }
    }

    /// Delivers `byteCount` bytes, which `apply` merges into x; otherwise as `push(_:_:)`.
    @discardableResult
    public func push(byteCount: Int, _ apply: (_ x: Vector) -> Void) throws(FabricError) -> UInt64 {
        try push(byteCount: byteCount) { x, _ in apply(x) }
    }

    /// As `push(byteCount:_:)` where `apply` is told t, how many updates have been applied before this one.
    @discardableResult
    public func push(byteCount: Int, _ apply: (_ x: Vector, _ t: UInt64) -> Void) throws(FabricError) -> UInt64 {
        try communicator.push(memory, byteCount: byteCount) { x, t in
            apply(x, t)
            return true
        }.t
    }

    /// Delivers `payload`, which `apply` may take as update t of x, or not: returns t, and whether it was one.
    ///
    /// What `apply` answers with false counts as no update, whatever it has put `aside` for a later one.
    public func offer(
        _ payload: Vector, _ apply: (_ x: Vector, _ payload: Vector, _ t: UInt64) -> Bool
    ) throws(FabricError) -> (t: UInt64, isUpdate: Bool) {
        try offer(byteCount: 4 * payload.count) { x, t in apply(x, payload, t) }
    }

    /// Delivers `byteCount` bytes; otherwise as `offer(_:_:)`.
    public func offer(
        byteCount: Int, _ apply: (_ x: Vector, _ t: UInt64) -> Bool
    ) throws(FabricError) -> (t: UInt64, isUpdate: Bool) {
        try communicator.push(memory, byteCount: byteCount, apply)
    }

    /// Leaves the mean of this window and of `own`, which this rank owns, in both of them: both vectors travel at once, and the mean is
    /// taken when they have arrived. Returns how many updates this window had seen; it counts as one of each.
    @discardableResult
    public func average(with own: Window) throws(FabricError) -> UInt64 {
        precondition(own.owner == communicator.rank, "rank \(communicator.rank) averages what rank \(own.owner) owns")
        precondition(own.owner != owner, "rank \(owner) averages with itself")
        precondition(own.count == count, "\(own.count) floats averaged with \(count)")
        var version: UInt64 = 0
        try communicator.exchange(memory, with: own.memory, byteCount: 4 * count) {
            version = memory.version
            memory.vector.average(with: own.memory.vector)
            memory.note(updateBy: communicator.rank)
            own.memory.note(updateBy: communicator.rank)
        }
        return version
    }
}

/// A window's vector and what is counted of it, in memory that all ranks share.
@safe final class WindowMemory: @unchecked Sendable {
    // Sendable: under the native and the wall clock everything is touched under the lock only; under the virtual one, by the rank that
    // runs.

    let owner: Int
    let vector: Vector
    /// What the owner keeps beside it.
    let aside: Vector
    private let signals: FailureSignals
    /// In the order in which ranks come, so that who has just pushed does not push again before one that waits for it.
    private let lock: FairLock
    /// Each rank's updates so far, which it alone writes, on lines of their own.
    private let updates: PageBuffer<UInt64>
    private static let stride = 128 / MemoryLayout<UInt64>.stride

    /// What whoever holds the lock reads and writes: it comes with the lock.
    private let held: UnsafeMutablePointer<Held>

    private struct Held: BitwiseCopyable {
        /// Updates so far.
        var version: UInt64 = 0
        /// The least that a rank which has been here knew of the end of the run.
        var endsBefore = UInt64.max
    }

    /// Whether `Communicator.newestVersion` is of it.
    let isCounted: Bool

    /// Ranks that wait for a condition.
    let waiters = PaddedCounter()
    /// The wall clock's time of the last update.
    var changedSeconds = 0.0
    /// On the wall clock: pushes under way that nobody waits for, in the order in which they arrive.
    private var posted: [PostedPush] = []
    /// Under the virtual clock: those ranks, and whether the scheduler knows that there are any.
    var waitingRanks: [Int] = []
    var isAwaited = false
    /// What conditions are shown, under the lock: made once.
    private var shown: WindowState

    init(
        owner: Int, vector: Vector, aside: Vector, ranks: Int, isCounted: Bool, signals: FailureSignals
    ) throws(InputError) {
        self.owner = owner
        self.isCounted = isCounted
        self.vector = vector
        self.aside = aside
        self.signals = signals
        shown = WindowState(
            updates: Array(repeating: 0, count: ranks), ended: Array(repeating: false, count: ranks))
        lock = FairLock(threads: ranks)
        precondition(MemoryLayout<Held>.size <= FairLock.heldByteCount, "\(MemoryLayout<Held>.size) bytes held")
        unsafe held = lock.held.assumingMemoryBound(to: Held.self)
        unsafe held.initialize(to: Held())
        updates = try PageBuffer(count: ranks * Self.stride)
    }

    /// Runs `body` alone.
    @inline(__always) func withLock<Result>(_ body: () -> Result) -> Result {
        lock.lock()
        defer { lock.unlock() }
        return body()
    }

    /// Lowers the rank's end to that of all who have been here, and theirs to it.
    @inline(__always) func merge(_ endsBefore: inout UInt64) {
        let here = unsafe held.pointee.endsBefore
        if here == endsBefore { return }
        if here < endsBefore { endsBefore = here } else { unsafe held.pointee.endsBefore = endsBefore }
    }

    /// Takes a push that will arrive.
    func post(_ push: PostedPush) {
        let place = posted.firstIndex { push < $0 } ?? posted.count
        posted.insert(push, at: place)
    }

    /// Merges what has arrived by `seconds`.
    func merge(postedUntil seconds: Double) {
        while let first = posted.first, first.seconds <= seconds {
            posted.removeFirst()
            first.apply(first.seconds)
            changedSeconds = max(changedSeconds, first.seconds)
        }
    }

    /// Updates so far.
    var version: UInt64 { unsafe held.pointee.version }

    @inline(__always) func note(updateBy rank: Int) {
        unsafe held.pointee.version &+= 1
        // ThreadSanitizer takes a change of `updates.pointer[...]` for one of `updates` itself, which all ranks make at once.
        let own = unsafe updates.pointer + rank &* Self.stride
        unsafe own.pointee &+= 1
    }

    var state: WindowState {
        shown.version = version
        for rank in shown.updates.indices {
            // Who has ended has made its last update before.
            shown.ended[rank] = signals.hasLeft(rank)
            unsafe shown.updates[rank] = updates.pointer[rank &* Self.stride]
        }
        return shown
    }
}
