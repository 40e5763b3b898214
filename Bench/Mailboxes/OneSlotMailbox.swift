// A mailbox for one small message at a time: flag and payload travel in one cache line.

public import Platform
public import Synchronization

/// One slot between one sender and one receiver, for a value of at most 120 bytes; a message costs one line transfer.
///
/// The sequence number is odd while the slot holds a message and even while it is free. Two senders, or two receivers, are invalid
/// use.
@safe public final class OneSlotMailbox<Element: BitwiseCopyable>: @unchecked Sendable {
    // Sendable: the slot belongs to the sender while its number is even and to the receiver while it is odd.

    @usableFromInline let sequence: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline let payload: UnsafeMutablePointer<Element>
    /// The sequence numbers that each side expects next, on lines of their own.
    @usableFromInline let sent = PrivateCounter()
    @usableFromInline let received = PrivateCounter()
    @usableFromInline let closed = Atomic<Bool>(false)
    @usableFromInline let senderWait: WaitPoint
    @usableFromInline let receiverWait: WaitPoint
    private let buffer: PageBuffer<UInt64>

    /// An empty slot on memory node `node` where one is given; `threads` as in `RingMailbox`.
    public init(node: Int? = nil, threads: Int = 2) throws(InputError) {
        precondition(
            MemoryLayout<Element>.size <= 120 && MemoryLayout<Element>.alignment <= 8,
            "\(Element.self) takes \(MemoryLayout<Element>.size) bytes, a line has room for 120")
        buffer = try PageBuffer(count: 16)
        if let node { buffer.bind(0..<16, toNode: node) }
        let line = unsafe UnsafeMutableRawPointer(buffer.pointer)
        unsafe sequence = line.bindMemory(to: Atomic<UInt64>.self, capacity: 1)
        unsafe sequence.initialize(to: Atomic(0))
        unsafe payload = (line + 8).bindMemory(to: Element.self, capacity: 1)
        senderWait = WaitPoint(threads: threads)
        receiverWait = WaitPoint(threads: threads)
    }

    /// Sends `element`; false where the last one is still there. Sender thread only.
    @inlinable public func trySend(_ element: Element) -> Bool {
        // Acquires the receiver's read of the last message: pairs with the release in `tryReceive`.
        guard unsafe sequence.pointee.load(ordering: .acquiring) == sent.value else { return false }
        unsafe payload.pointee = element
        // Releases the payload: pairs with the acquire in `tryReceive`.
        unsafe sequence.pointee.store(sent.value &+ 1, ordering: .releasing)
        sent.value &+= 2
        receiverWait.wake()
        return true
    }

    /// Receives the message; nil where there is none. Receiver thread only.
    @inlinable public func tryReceive() -> Element? {
        // Acquires the payload: pairs with the release in `trySend`.
        guard unsafe sequence.pointee.load(ordering: .acquiring) == received.value &+ 1 else { return nil }
        let element = unsafe payload.pointee
        received.value &+= 2
        // Releases the read: pairs with the acquire in `trySend`.
        unsafe sequence.pointee.store(received.value, ordering: .releasing)
        senderWait.wake()
        return element
    }

    /// Waits until the slot is free and sends. Throws `MailboxClosed` where the mailbox is closed. Sender thread only.
    @inlinable public func send(_ element: Element) throws(MailboxClosed) {
        while true {
            if isClosed { throw MailboxClosed(reason: "the mailbox is closed") }
            if trySend(element) { return }
            // Relaxed: a look; `trySend` acquires.
            senderWait.wait {
                unsafe isClosed || sequence.pointee.load(ordering: .relaxed) == sent.value
            }
        }
    }

    /// Waits for a message. Throws `MailboxClosed` where the mailbox is closed and empty. Receiver thread only.
    @inlinable public func receive() throws(MailboxClosed) -> Element {
        while true {
            let ended = isClosed
            if let element = tryReceive() { return element }
            if ended { throw MailboxClosed(reason: "the mailbox is closed") }
            // Relaxed: a look; `tryReceive` acquires.
            receiverWait.wait {
                unsafe isClosed || sequence.pointee.load(ordering: .relaxed) == received.value &+ 1
            }
        }
    }

    /// Ends the traffic: senders fail from now on, the receiver once the slot is empty. Wakes both. Any thread.
    public func close() {
        // Releases what the closing thread did: pairs with the acquire in `isClosed`.
        closed.store(true, ordering: .releasing)
        senderWait.wake()
        receiverWait.wake()
    }

    /// Acquires what the closing thread did: pairs with the release in `close`.
    @inlinable public var isClosed: Bool { closed.load(ordering: .acquiring) }
}
