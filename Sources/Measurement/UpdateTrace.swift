// Where one worker notes which updates were its own, for the order of all to be put together afterwards. Its own thread writes, the
// coordinator reads in pauses.

public import Platform

/// One worker's updates of one window in a segment: which they were, and how stale. 8 bytes each, in memory that nobody else touches.
@safe public final class UpdateTrace: @unchecked Sendable {
    // Sendable: one worker writes while it runs, the coordinator reads and clears in pauses; these order the two.

    /// One update.
    public struct Entry: Sendable {
        /// t: updates of the window before it, counted from the begin of the segment.
        public let t: UInt32
        /// t - D(t).
        public let tau: UInt32
    }

    private let buffer: PageBuffer<UInt64>
    /// How many entries there are, then where they begin; not a property, so that appending asks nobody for leave.
    @usableFromInline let cells: UnsafeMutablePointer<UInt64>
    @usableFromInline let capacity: Int

    /// Pages that are touched where a segment has so many updates by this worker, in bytes.
    public static func memoryBytes(updates: Int) -> Int { PageBuffer<UInt64>.byteCount(of: updates + 1) }

    /// Room for `capacity` updates, of which only what is used takes memory.
    public init(capacity: Int) throws(InputError) {
        self.capacity = capacity
        buffer = try PageBuffer(count: capacity + 1)
        unsafe cells = buffer.pointer
    }

    /// The version of the window at which the segment began.
    public private(set) var start: UInt64 = 0

    /// Notes update `t`. What has no room is not noted; nor is what no 32 bits hold.
    @inlinable public func append(t: UInt64, tau: UInt64) {
        let count = unsafe cells[0]
        // One beyond the capacity says that something is missing.
        unsafe cells[0] = min(count &+ 1, UInt64(capacity) &+ 1)
        if count < UInt64(capacity) {
            unsafe cells[Int(count) &+ 1] = t &<< 32 | min(tau, UInt64(UInt32.max))
        }
    }

    public var count: Int { unsafe min(Int(cells[0]), capacity) }
    /// Whether it has all updates of the segment.
    public var isComplete: Bool { unsafe Int(cells[0]) <= capacity }

    public subscript(index: Int) -> Entry {
        precondition(index >= 0 && index < count, "update \(index) of \(count)")
        let word = unsafe cells[index + 1]
        return Entry(t: place(of: word), tau: UInt32(truncatingIfNeeded: word))
    }

    /// All entries as they lie in memory, t above tau.
    @unsafe var entries: UnsafeBufferPointer<UInt64> { unsafe UnsafeBufferPointer(start: cells + 1, count: count) }

    /// t of an entry, counted from the begin of the segment.
    func place(of entry: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: entry >> 32) &- UInt32(truncatingIfNeeded: start)
    }

    /// Forgets all, for the segment that begins with version `start`.
    public func begin(at start: UInt64) {
        self.start = start
        unsafe cells[0] = 0
    }
}
