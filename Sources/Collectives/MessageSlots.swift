// Messages that a rank has encoded, or keeps to pass on. The rank's thread uses them.

internal import Platform

/// Memory for encoded messages, which the rank lends to its peers.
@safe final class MessageSlots {
    private struct Slot {
        /// Where it begins, and the next one.
        let start: Int
        let end: Int
        /// Bytes of the message in it.
        var length = 0
    }

    private let memory: PageBuffer<UInt8>
    private let slots: UnsafeMutablePointer<Slot>
    private let count: Int

    /// `Communicator.post` copies what is not longer.
    private static let longestCopied = 1_024

    /// One slot for each message, of its largest size.
    init(capacities: [Int]) throws(InputError) {
        var starts = [0]
        starts.reserveCapacity(capacities.count + 1)
        for capacity in capacities {
            // Whole pairs of cache lines, so that two readers share none. Short messages travel as copies, and nobody reads them here.
            let alignment = capacity > Self.longestCopied ? 127 : 7
            starts.append((starts[starts.count - 1] + capacity + alignment) & ~alignment)
        }
        memory = try PageBuffer(count: starts[capacities.count], hugePages: true)
        count = capacities.count
        unsafe slots = .allocate(capacity: count)
        for i in 0..<count { unsafe (slots + i).initialize(to: Slot(start: starts[i], end: starts[i + 1])) }
    }

    deinit { unsafe slots.deallocate() }

    /// Bytes of the slots and of their table.
    var memoryBytes: Int { memory.byteCount + MemoryLayout<Slot>.stride * count }

    /// All of a slot, to write into.
    func space(_ slot: Int) -> UnsafeMutableRawBufferPointer {
        let slot = unsafe slots[checked(slot)]
        return unsafe UnsafeMutableRawBufferPointer(start: memory.pointer + slot.start, count: slot.end - slot.start)
    }

    /// The message in a slot.
    subscript(slot: Int) -> UnsafeRawBufferPointer {
        let slot = unsafe slots[checked(slot)]
        return unsafe UnsafeRawBufferPointer(start: memory.pointer + slot.start, count: slot.length)
    }

    func setLength(_ length: Int, of slot: Int) { unsafe slots[checked(slot)].length = length }

    /// Keeps a copy of a message, which fits.
    func store(_ message: UnsafeRawBufferPointer, in slot: Int) {
        setLength(message.count, of: slot)
        unsafe space(slot).copyMemory(from: message)
    }

    @inline(__always) private func checked(_ slot: Int) -> Int {
        precondition(slot >= 0 && slot < count, "message \(slot) of \(count)")
        return slot
    }
}
