// When a worker stamps its updates, and where it keeps the stamps. Its own thread writes, the coordinator reads between segments.

public import Platform

/// The windows of real time, common to all workers, in which updates are looked at.
///
/// In each period one window is for stamps and, half a period later, one is for watching whether coordinates are overwritten, which
/// takes time of its own and would lengthen the updates that are stamped.
public struct ProbeWindows: Sendable, Equatable {
    /// Ticks of the clock. Window 0 for stamps opens at `start`, which may lie before the first update.
    public let start: UInt64
    public let period: UInt64
    /// The length of a window; that of a period where all updates are stamped.
    public let length: UInt64
    /// Which of the updates in a window for stamps count for themselves, by the ticks from its opening to the begin of their reads: not
    /// those that a peer may pass unstamped, and so faster, since it has yet to see the window open or has seen it close.
    public let counted: Range<UInt64>
    /// Updates between two looks at the clock while no window is open.
    public let updatesPerLook: Int

    public init(
        start: UInt64, period: UInt64, length: UInt64, counted: Range<UInt64>? = nil, updatesPerLook: Int
    ) {
        precondition(length >= 1 && period >= length && updatesPerLook >= 1, "windows of \(length) in \(period)")
        self.start = start
        self.period = period
        self.length = length
        self.counted = counted ?? 0..<length
        self.updatesPerLook = updatesPerLook
    }

    /// Windows that look at one update in `every`, some 64 at a time, from a segment that begins about now.
    ///
    /// `now` is in ticks, and so is `updateTicks`, about what one update of one worker takes; `segment` counts segments, so that windows fall on
    /// other parts of each: most have none where they are shorter than a period.
    public init(every: Int, now: UInt64, updateTicks: Double, segment: Int) {
        // Long beside an update, so that few straddle the ends.
        let perWindow = 64
        let updatesPerLook = 16
        func ticks(_ updates: Int) -> UInt64 {
            UInt64(min(max(1, Double(updates) * updateTicks), 1e15 / Double(every)))
        }
        let period = ticks(perWindow) * UInt64(every)
        if every == 1 {
            self.init(start: now, period: period, length: period, updatesPerLook: updatesPerLook)
            return
        }
        // A look and a half until all workers stamp, and an update or two until the last one that counts has been written.
        let lead = ticks(updatesPerLook * 3 / 2)
        let counted = lead..<lead + ticks(perWindow)
        // The golden ratio spreads the places evenly over the period whatever the number of segments.
        let place = (Double(segment) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1)
        self.init(
            start: now &- min(UInt64(place * Double(period)), now), period: period,
            length: counted.upperBound + ticks(2), counted: counted, updatesPerLook: updatesPerLook)
    }

    var isAlwaysOpen: Bool { length == period }

    /// What a worker does at `now`, when that changes, and which updates count then, by the begin of their reads.
    func phase(at now: UInt64) -> (mode: UpdateProbe.Mode, until: UInt64, counted: Range<UInt64>) {
        if isAlwaysOpen { return (.stamping, .max, 0..<UInt64.max) }
        let since = now &- min(start, now)
        let place = since % period
        let periodStart = now &- place
        if place < length {
            // Its own code and log are not in the caches yet.
            let end = periodStart + counted.upperBound
            let begin = max(periodStart + counted.lowerBound, now + counted.lowerBound / 8)
            return (.stamping, periodStart &+ length, min(begin, end)..<end)
        }
        let half = max(length, period / 2)
        if place < half { return (.away, periodStart &+ half, 0..<0) }
        if place < half + length { return (.watching, periodStart &+ min(half &+ length, period), 0..<0) }
        return (.away, periodStart &+ period, 0..<0)
    }
}

/// The stamps of one update.
@frozen public struct UpdateStamps: BitwiseCopyable, Sendable {
    /// When its read began, which is when the update before it by this worker had been applied; or a moment between two updates.
    public var begin: UInt64
    /// When its read ended, and when it began to be applied; 0 where only `begin` is known.
    public var readEnd: UInt64
    public var write: UInt64
    /// Updates that this worker had applied at `begin`.
    public var completed: UInt64

    @inlinable public init(begin: UInt64, readEnd: UInt64, write: UInt64, completed: UInt64) {
        self.begin = begin
        self.readEnd = readEnd
        self.write = write
        self.completed = completed
    }
}

/// The window for stamps that a worker is in, as a value for its loop.
@safe @frozen public struct StampingWindow {
    @usableFromInline let stamps: UnsafeMutablePointer<UpdateStamps>
    @usableFromInline let limit: Int
    @usableFromInline let end: UInt64
    /// Updates whose reads begin at other times count for their peers but not for themselves.
    @usableFromInline let counted: Range<UInt64>
    @usableFromInline var count: Int

    /// Whether an update whose read begins at `begin` is to be stamped.
    @inlinable public func isOpen(at begin: UInt64) -> Bool { begin < end && count < limit }

    /// Keeps the stamps of an update.
    @inlinable public mutating func record(begin: UInt64, readEnd: UInt64, write: UInt64, completed: UInt64) {
        let isCounted = counted.contains(begin)
        unsafe stamps[count] = UpdateStamps(
            begin: begin, readEnd: isCounted ? readEnd : 0, write: isCounted ? write : 0, completed: completed)
        count &+= 1
    }
}

/// One worker's stamps of a segment, in memory of its own: nothing in an update that is looked at touches another worker's lines.
///
/// The probe never reads a clock: its owner tells it the time. At the ends of windows it notes how many updates the worker had applied,
/// so that a peer's updates can be counted between any two moments (``UpdateMerge``), also where the worker slept through a window.
@safe public final class UpdateProbe: @unchecked Sendable {
    // Sendable: its worker's thread writes during a segment, others read between segments; the team's start and end order the two.

    public enum Mode: Sendable {
        /// Only looks at the clock now and then.
        case away
        /// Stamps every update.
        case stamping
        /// Watches what its updates overwrite.
        case watching
    }

    /// Room that is kept for moments between updates.
    static let reserve = 8

    public let capacity: Int
    private let buffer: PageBuffer<UpdateStamps>
    private let stamps: UnsafeMutablePointer<UpdateStamps>
    /// How many stamps the log holds.
    public private(set) var count = 0
    public private(set) var mode = Mode.away
    /// Updates between two looks, for `away` and `watching`.
    public var updatesPerLook: Int { windows.updatesPerLook }
    private var windows = ProbeWindows(start: 0, period: 1, length: 1, updatesPerLook: 1)
    private var modeEnd: UInt64 = 0
    private var counted: Range<UInt64> = 0..<0
    private var lastLook: (time: UInt64, completed: UInt64) = (0, 0)

    /// Memory for `capacity` stamps of a segment, 32 bytes each, of which only what is used is taken.
    public init(capacity: Int) throws(InputError) {
        self.capacity = capacity + Self.reserve
        buffer = try PageBuffer(count: self.capacity)
        unsafe stamps = buffer.pointer
    }

    /// The stamps at one place of the log.
    subscript(index: Int) -> UpdateStamps {
        precondition(index >= 0 && index < count, "stamps \(index) of \(count)")
        return unsafe stamps[index]
    }

    /// From when until when its worker was at work in the segment.
    var work: ClosedRange<UInt64> { count == 0 ? 0...0 : self[0].begin...self[count - 1].begin }

    /// Begins a segment at `now`, forgetting the one before.
    public func begin(_ windows: ProbeWindows, at now: UInt64, completed: UInt64) {
        self.windows = windows
        count = 0
        note(now, completed)
        enter(at: now, completed)
    }

    /// Looks whether a window has opened or closed.
    public func look(at now: UInt64, completed: UInt64) {
        if now >= modeEnd || isFull && mode != .away {
            if lastLook.time != 0 { note(lastLook.time, lastLook.completed) }
            note(now, completed)
            enter(at: now, completed)
        }
        lastLook = (now, completed)
    }

    /// The window that `mode` says is open.
    public func window() -> StampingWindow {
        unsafe StampingWindow(
            stamps: stamps, limit: capacity - Self.reserve, end: modeEnd, counted: counted, count: count)
    }

    /// Ends, at `now`, a row of updates that were stamped in `window`.
    public func leave(_ window: StampingWindow, at now: UInt64, completed: UInt64) {
        count = window.count
        note(now, completed)
        lastLook = (0, 0)
        look(at: now, completed: completed)
    }

    /// Ends the segment.
    public func finish(at now: UInt64, completed: UInt64) {
        if count == capacity { count -= 1 }
        note(now, completed)
        mode = .away
    }

    private var isFull: Bool { count >= capacity - Self.reserve }

    private func note(_ now: UInt64, _ completed: UInt64) {
        guard count < capacity else { return }
        unsafe stamps[count] = UpdateStamps(begin: now, readEnd: 0, write: 0, completed: completed)
        count += 1
    }

    /// Where the log is full, the rest of the segment is not looked at.
    private func enter(at now: UInt64, _ completed: UInt64) {
        (mode, modeEnd, counted) = isFull ? (.away, .max, 0..<0) : windows.phase(at: now)
        lastLook = (now, completed)
    }
}
