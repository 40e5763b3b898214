// Messages that a rank has encoded, or keeps to pass on. The rank's thread uses them.

internal import Platform

/// Memory for encoded messages, which the rank lends to its peers: slots of one size, each with the length of its message in front.
final class MessageSlots {
    private let memory: PageBuffer<UInt8>
    private let count: Int
    private let capacity: Int
    /// Bytes from one slot to the next, and from a slot to its message.
    private let stride: Int
    private let offset: Int

    /// `Communicator.post` copies what is not longer.
    private static let longestCopied = 1_024

    /// Slots for messages of up to `capacity` bytes.
    init(count: Int, capacity: Int) throws(InputError) {
        self.count = count
        self.capacity = capacity
        // Whole pairs of cache lines, so that two readers share none. Short messages travel as copies, and nobody reads them here.
        let isLong = capacity > Self.longestCopied
        offset = isLong ? 64 : 8
        let alignment = isLong ? 127 : 7
        stride = (offset + capacity + alignment) & ~alignment
        memory = try PageBuffer(count: count * stride, hugePages: true)
    }

    var memoryBytes: Int { memory.byteCount }

    private func start(_ slot: Int) -> UnsafeMutableRawPointer {
        precondition(slot >= 0 && slot < count, "message \(slot) of \(count)")
        return unsafe UnsafeMutableRawPointer(memory.pointer + slot * stride)
    }

    /// All of a slot, to write into.
    func space(_ slot: Int) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: start(slot) + offset, count: capacity)
    }

    /// The message in a slot.
    subscript(slot: Int) -> UnsafeRawBufferPointer {
        let start = unsafe start(slot)
        return unsafe UnsafeRawBufferPointer(start: start + offset, count: start.load(as: Int.self))
    }

    func setLength(_ length: Int, of slot: Int) { unsafe start(slot).storeBytes(of: length, as: Int.self) }

    /// Keeps a copy of a message, which fits.
    func store(_ message: UnsafeRawBufferPointer, in slot: Int) {
        setLength(message.count, of: slot)
        unsafe space(slot).copyMemory(from: message)
    }
}
