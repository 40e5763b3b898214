// A mailbox in which only the newest vector counts: one writer, who never waits, and one reader.

public import Platform
internal import Synchronization

/// The newest complete vector of one writer, for one reader: three buffers, of which the writer fills one, the reader holds one,
/// and the third waits to be exchanged.
///
/// The writer never waits and the reader never sees a vector half written. Vectors that the reader does not fetch in time are lost,
/// which is the point. Two writers, or two readers, are invalid use.
@safe public final class LatestValueMailbox<Element: BitwiseCopyable>: @unchecked Sendable {
    // Sendable: each buffer belongs to one side, or to neither while it is in `middle`; the exchanges hand them over.

    /// Elements per vector.
    public let count: Int
    /// The buffer between the two sides (0, 1 or 2), plus 4 where the reader has not seen it.
    private let middle = Atomic<UInt32>(1)
    private let buffer: PageBuffer<Element>
    /// The writer's buffer and the reader's, each touched by its side only.
    private let writing = PrivateCounter()
    private let reading = PrivateCounter()
    /// Elements from one buffer to the next: whole lines.
    private let stride: Int

    /// Three vectors of `count` elements, zeroed, on memory node `node` where one is given.
    public init(count: Int, node: Int? = nil) throws(InputError) {
        precondition(count >= 0, "a vector of \(count) elements")
        self.count = count
        let perLine = max(1, 128 / max(1, MemoryLayout<Element>.stride))
        stride = (count + perLine - 1) / perLine * perLine
        buffer = try PageBuffer(count: 3 * stride)
        if let node { buffer.bind(0..<3 * stride, toNode: node) }
        writing.value = 0
        reading.value = 2
    }

    /// Publishes what `fill` writes; it gets a buffer with an older vector in it. Writer thread only.
    public func write(_ fill: (UnsafeMutableBufferPointer<Element>) -> Void) {
        let mine = unsafe buffer.pointer + Int(writing.value) * stride
        unsafe fill(UnsafeMutableBufferPointer(start: mine, count: count))
        // Releases the vector, pairs with the acquire in `read`; acquires the reader's reads of the buffer that comes back.
        let back = middle.exchange(UInt32(writing.value) | 4, ordering: .acquiringAndReleasing)
        writing.value = UInt64(back & 3)
    }

    /// Calls `body` with the newest complete vector and whether it is newer than the last one read. Reader thread only.
    ///
    /// Before the first write the vector is zero and not new.
    public func read<Result>(_ body: (_ vector: UnsafeBufferPointer<Element>, _ isNew: Bool) throws -> Result) rethrows
        -> Result
    {
        // Relaxed: a look; the exchange acquires.
        let isNew = middle.load(ordering: .relaxed) & 4 != 0
        if isNew {
            // Acquires the vector, pairs with the release in `write`; releases the reads of the buffer given back.
            let newest = middle.exchange(UInt32(reading.value), ordering: .acquiringAndReleasing)
            reading.value = UInt64(newest & 3)
        }
        let mine = unsafe buffer.pointer + Int(reading.value) * stride
        return try unsafe body(UnsafeBufferPointer(start: mine, count: count), isNew)
    }
}
