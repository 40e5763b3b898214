// The mailbox between an ordered pair of ranks: messages of any size, in order. One sender thread, one receiver thread.

internal import Platform
internal import Synchronization

/// A message as the receiver sees it, in place.
@unsafe struct Message {
    let bytes: UnsafeRawBufferPointer
    /// When the switch lets it arrive, in seconds of the fabric's clock; 0 under the native clock.
    let arrivalSeconds: Double
}

/// A bounded, lock-free channel in a block of the receiver's memory. A message of up to 96 bytes travels in one 128-byte line with
/// its flag; of a larger one the line says where it lies: where the sender wrote it in place, or in memory that the sender lends.
///
/// The slot's sequence number says whose turn it is: 2k while it is free for its k-th message, 2k + 1 while it holds it. Blocks are
/// valid when zeroed.
@unsafe struct MessageChannel {
    /// Messages that may be under way.
    static let slotCount = 4
    /// Four slots, one line for each side's own counter, one for each side to sleep on.
    static let blockBytes = 128 * (slotCount + 4)
    static let inlineBytes = 96

    private let block: UnsafeMutableRawPointer

    init(block: UnsafeMutableRawPointer) { unsafe self.block = unsafe block }

    private func slot(_ number: UInt64) -> UnsafeMutableRawPointer {
        unsafe block + 128 * Int(number % UInt64(Self.slotCount))
    }

    private func line(_ index: Int) -> UnsafeMutableRawPointer { unsafe block + 128 * (Self.slotCount + index) }

    private func sequence(_ slot: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe slot.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Messages sent so far; the sender's own.
    private var sent: UnsafeMutablePointer<UInt64> { unsafe line(0).assumingMemoryBound(to: UInt64.self) }
    /// Messages received so far; the receiver's own.
    private var received: UnsafeMutablePointer<UInt64> { unsafe line(1).assumingMemoryBound(to: UInt64.self) }
    private var senderWait: UnsafeMutablePointer<Atomic<UInt32>> {
        unsafe line(2).assumingMemoryBound(to: Atomic<UInt32>.self)
    }
    private var receiverWait: UnsafeMutablePointer<Atomic<UInt32>> {
        unsafe line(3).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    /// The turn at which slot of message `number` is free for it.
    private func turn(_ number: UInt64) -> UInt64 { unsafe 2 * (number / UInt64(Self.slotCount)) }

    // MARK: The sender's side

    /// The number of the next message.
    var nextNumber: UInt64 { unsafe sent.pointee }

    /// Whether the slot of the next message is free.
    var canSend: Bool { unsafe isComplete(sent.pointee &- UInt64(Self.slotCount)) }

    /// Whether message `number` has been received, so that memory lent for it is the sender's again.
    func isComplete(_ number: UInt64) -> Bool {
        // Acquires the receiver's reads: pairs with the release in `release`. Numbers before the first wrap and count as received.
        if Int64(bitPattern: number) < 0 { return true }
        return unsafe sequence(slot(number)).pointee.load(ordering: .acquiring) >= turn(number) + 2
    }

    /// Sends bytes in the line itself.
    func sendInline(_ bytes: UnsafeRawBufferPointer, arrivalSeconds: Double) {
        let slot = unsafe slot(sent.pointee)
        if bytes.count > 0 { unsafe (slot + 32).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count) }
        unsafe publish(slot, address: slot + 32, count: bytes.count, arrivalSeconds: arrivalSeconds)
    }

    /// Sends bytes by their address; they must stay as they are until the message is complete.
    func sendAddress(_ bytes: UnsafeRawBufferPointer, arrivalSeconds: Double) {
        unsafe publish(
            slot(sent.pointee), address: bytes.baseAddress!, count: bytes.count, arrivalSeconds: arrivalSeconds)
    }

    private func publish(
        _ slot: UnsafeMutableRawPointer, address: UnsafeRawPointer, count: Int, arrivalSeconds: Double
    ) {
        unsafe slot.storeBytes(of: count, toByteOffset: 8, as: Int.self)
        unsafe slot.storeBytes(of: UInt(bitPattern: address), toByteOffset: 16, as: UInt.self)
        unsafe slot.storeBytes(of: arrivalSeconds, toByteOffset: 24, as: Double.self)
        // Releases the message: pairs with the acquire in `peek`.
        unsafe sequence(slot).pointee.store(turn(sent.pointee) + 1, ordering: .releasing)
        unsafe sent.pointee += 1
        unsafe wakeSleeper(at: receiverWait)
    }

    func waitToSend(threads: Int, or isOver: () -> Bool) {
        unsafe waitPatiently(at: senderWait, threads: threads) { unsafe canSend || isOver() }
    }

    func waitUntilComplete(_ number: UInt64, threads: Int, or isOver: () -> Bool) {
        unsafe waitPatiently(at: senderWait, threads: threads) { unsafe isComplete(number) || isOver() }
    }

    // MARK: The receiver's side

    /// Whether a message is there.
    var canReceive: Bool {
        // Acquires the message: pairs with the release in `publish`.
        unsafe sequence(slot(received.pointee)).pointee.load(ordering: .acquiring) == turn(received.pointee) + 1
    }

    /// The message that is there; valid until `release`.
    func peek() -> Message {
        let slot = unsafe slot(received.pointee)
        let count = unsafe slot.load(fromByteOffset: 8, as: Int.self)
        let address = unsafe slot.load(fromByteOffset: 16, as: UInt.self)
        return unsafe Message(
            bytes: UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: count),
            arrivalSeconds: slot.load(fromByteOffset: 24, as: Double.self))
    }

    /// Gives the slot, and memory that was lent, back to the sender.
    func release() {
        // Releases the reads: pairs with the acquire in `isComplete`.
        unsafe sequence(slot(received.pointee)).pointee.store(turn(received.pointee) + 2, ordering: .releasing)
        unsafe received.pointee += 1
        unsafe wakeSleeper(at: senderWait)
    }

    func waitToReceive(threads: Int, or isOver: () -> Bool) {
        unsafe waitPatiently(at: receiverWait, threads: threads) { unsafe canReceive || isOver() }
    }
}
