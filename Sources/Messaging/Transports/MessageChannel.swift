// The mailbox between an ordered pair of ranks: messages of any size, in order. One sender thread, one receiver thread.

internal import CPlatformShims
internal import Synchronization

/// A message as the receiver sees it, in place.
@unsafe struct Message {
    let bytes: UnsafeRawBufferPointer
    /// What its sender knew of the end of the run; see `Communicator.endsBefore`.
    let endsBefore: UInt64
}

/// A bounded, lock-free channel in a block of the receiver's memory. A message of up to 1,088 bytes travels in the slot behind its
/// flag, for copying it costs less than waiting until it has been read; of a larger one the slot says where it lies: where the sender
/// wrote it in place, or in memory that the sender lends.
///
/// A slot's sequence number is one more than the number of the message it holds; the receiver counts what it has received on a line
/// of its own, of which the sender keeps a copy and looks again only when the copy says full. Each line has one writer: a message
/// costs the transfer of its slot's lines, and every fourth that of the count. Blocks are valid when zeroed. Waking and sleeping is the
/// communicator's affair: after each message that is sent, and each release, it looks whether the peer sleeps.
@unsafe struct MessageChannel {
    /// Messages that may be under way.
    static let slotCount = 4
    /// Four slots, a line for each side's own counters, and the receiver's published count.
    static let blockBytes = slotBytes * slotCount + 128 * 3
    /// A line for the flag and what goes with it, and 17 for a message: a kilobyte, and a multiple of 128 bytes in all.
    private static let slotBytes = 1_152
    static let inlineBytes = slotBytes - 64

    private let block: UnsafeMutableRawPointer

    init(block: UnsafeMutableRawPointer) { unsafe self.block = unsafe block }

    private func slot(_ number: UInt64) -> UnsafeMutableRawPointer {
        unsafe block + Self.slotBytes * Int(number % UInt64(Self.slotCount))
    }

    private func line(_ index: Int) -> UnsafeMutableRawPointer {
        unsafe block + Self.slotBytes * Self.slotCount + 128 * index
    }

    private func sequence(_ slot: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe slot.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// The sender's own: messages sent so far, its copy of the receiver's count, and one more than the number of the last message
    /// whose memory it has lent, 0 for none.
    private var own: UnsafeMutablePointer<UInt64> { unsafe line(0).assumingMemoryBound(to: UInt64.self) }
    private var sent: UInt64 { unsafe own[0] }

    /// The receiver's own: messages read so far.
    private var read: UnsafeMutablePointer<UInt64> { unsafe line(1).assumingMemoryBound(to: UInt64.self) }
    /// Messages given back to the sender so far, written by the receiver.
    private var released: UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe line(2).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    // MARK: The sender's side

    /// The number of the next message.
    var nextNumber: UInt64 { unsafe sent }

    /// Whether the slot of the next message is free.
    var canSend: Bool { unsafe sent &- own[1] < UInt64(Self.slotCount) || isComplete(sent - UInt64(Self.slotCount)) }

    /// Whether message `number` has been received, so that memory lent for it is the sender's again.
    func isComplete(_ number: UInt64) -> Bool {
        if unsafe own[1] > number { return true }
        // Acquires the receiver's reads: pairs with the release in `release`.
        unsafe own[1] = released.pointee.load(ordering: .acquiring)
        return unsafe own[1] > number
    }

    /// Notes that message `number` lies in lent memory; true for the first since `forgetLent`.
    func noteLent(_ number: UInt64) -> Bool {
        let isFirst = unsafe own[2] == 0
        unsafe own[2] = number + 1
        return isFirst
    }

    /// The last message noted to lie in lent memory: its completion is that of all before it.
    var lastLent: UInt64 { unsafe own[2] - 1 }

    func forgetLent() { unsafe own[2] = 0 }

    /// Sends bytes in the slot itself.
    @inline(__always) func sendInline(_ bytes: UnsafeRawBufferPointer, endsBefore: UInt64) {
        let slot = unsafe slot(sent)
        // With the flag where that takes a line less, else on lines of its own.
        let place = unsafe slot + (bytes.count <= 96 ? 32 : 64)
        if bytes.count > 0 { unsafe place.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count) }
        unsafe publish(slot, address: place, count: bytes.count, endsBefore: endsBefore)
    }

    /// Sends bytes by their address; they must stay as they are until the message is complete.
    func sendAddress(_ bytes: UnsafeRawBufferPointer, endsBefore: UInt64) {
        unsafe publish(
            slot(sent), address: bytes.baseAddress!, count: bytes.count, endsBefore: endsBefore)
    }

    @inline(__always) private func publish(
        _ slot: UnsafeMutableRawPointer, address: UnsafeRawPointer, count: Int, endsBefore: UInt64
    ) {
        unsafe slot.storeBytes(of: count, toByteOffset: 8, as: Int.self)
        unsafe slot.storeBytes(of: UInt(bitPattern: address), toByteOffset: 16, as: UInt.self)
        unsafe slot.storeBytes(of: endsBefore, toByteOffset: 24, as: UInt64.self)
        unsafe own[0] += 1
        // Releases the message: pairs with the acquire in `canReceive`.
        unsafe sequence(slot).pointee.store(own[0], ordering: .releasing)
        // The next message will ask for it.
        if unsafe own[0] &- own[1] >= UInt64(Self.slotCount) { unsafe relaxed_prefetch(released) }
    }

    // MARK: The receiver's side

    /// Whether a message is there.
    var canReceive: Bool {
        // Acquires the message: pairs with the release in `publish`.
        unsafe sequence(slot(read.pointee)).pointee.load(ordering: .acquiring) == read.pointee + 1
    }

    /// The message that is there; valid until `advance` and `release`.
    @inline(__always) func peek() -> Message {
        let slot = unsafe slot(read.pointee)
        let count = unsafe slot.load(fromByteOffset: 8, as: Int.self)
        let address = unsafe slot.load(fromByteOffset: 16, as: UInt.self)
        return unsafe Message(
            bytes: UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: count),
            endsBefore: slot.load(fromByteOffset: 24, as: UInt64.self))
    }

    /// Goes on to the next message; `release` gives the slot back.
    func advance() { unsafe read.pointee += 1 }

    /// Gives the slots of all messages that were read, and memory that was lent, back to the sender.
    func release() {
        // Releases the reads: pairs with the acquire in `isComplete`.
        unsafe released.pointee.store(read.pointee, ordering: .releasing)
    }
}
