// Messages that a rank has encoded, or keeps to pass on. The rank's thread uses them.

internal import Platform

/// Memory for encoded messages, which the rank lends to its peers.
final class MessageSlots {
    private let memory: PageBuffer<UInt8>
    private let starts: [Int]
    /// Bytes of the message in each slot.
    private(set) var lengths: [Int]

    /// `Communicator.post` copies what is not longer.
    private static let longestCopied = 1_024

    /// Bytes of the slots and of their tables.
    var memoryBytes: Int { memory.byteCount + 16 * lengths.count }

    /// One slot for each message, of its largest size.
    init(capacities: [Int]) throws(InputError) {
        // Whole pairs of cache lines, so that two readers share none. Short messages travel as copies, and nobody reads them here.
        starts = capacities.reduce(into: [0]) {
            let alignment = $1 > Self.longestCopied ? 127 : 7
            $0.append(($0.last! + $1 + alignment) & ~alignment)
        }
        lengths = Array(repeating: 0, count: capacities.count)
        memory = try PageBuffer(count: starts.last!, hugePages: true)
    }

    /// All of a slot, to write into.
    func space(_ slot: Int) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(
            start: memory.pointer + starts[slot], count: starts[slot + 1] - starts[slot])
    }

    /// The message in a slot.
    subscript(slot: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: memory.pointer + starts[slot], count: lengths[slot])
    }

    func setLength(_ length: Int, of slot: Int) { lengths[slot] = length }

    /// Keeps a copy of a message, which fits.
    func store(_ message: UnsafeRawBufferPointer, in slot: Int) {
        lengths[slot] = message.count
        unsafe space(slot).copyMemory(from: message)
    }
}
