// A bounded queue between one sender thread and one receiver thread, for streams of items.

public import Platform
public import Synchronization

/// A lock-free ring of slots for one sender and one receiver; a slot holds one or more elements.
///
/// Sending writes in place (`claim`, then `publish`), receiving reads in place (`peek`, then `release`). Each side keeps a copy of
/// the other's index on a line of its own and looks at the shared one only when the copy says full or empty, so that a stream costs
/// one line transfer per line of items. Each index is alone on its 128 bytes. Two senders, or two receivers, are invalid use.
@safe public final class RingMailbox<Element: BitwiseCopyable>: @unchecked Sendable {
    // Sendable: slots belong to the sender until published and to the receiver until released; the two indices hand them over.

    /// Slots, a power of two.
    public let capacity: Int
    /// Elements per slot.
    public let slotCount: Int
    @usableFromInline let mask: UInt64
    @usableFromInline let buffer: PageBuffer<Element>
    @usableFromInline let base: UnsafeMutablePointer<Element>
    /// The number of slots ever published, written by the sender.
    @usableFromInline let tail = SharedCounter()
    /// The number of slots ever released, written by the receiver.
    @usableFromInline let head = SharedCounter()
    /// What each side keeps for itself, on a line of its own: its own index, and its copy of the other's.
    @usableFromInline let sender = PrivateIndices()
    @usableFromInline let receiver = PrivateIndices()
    @usableFromInline let closed = Atomic<Bool>(false)
    @usableFromInline let senderWait: WaitPoint
    @usableFromInline let receiverWait: WaitPoint

    /// A ring of at least `capacity` slots of `slotCount` elements, zeroed, on memory node `node` where one is given.
    ///
    /// `threads` is how many threads compete for the processors; beyond their number a wait does not spin.
    public init(capacity: Int, slotCount: Int = 1, node: Int? = nil, threads: Int = 2) throws(InputError) {
        precondition(capacity > 0 && slotCount > 0, "\(capacity) slots of \(slotCount) elements")
        var slots = 1
        while slots < capacity { slots *= 2 }
        self.capacity = slots
        self.slotCount = slotCount
        senderWait = WaitPoint(threads: threads)
        receiverWait = WaitPoint(threads: threads)
        mask = UInt64(slots - 1)
        buffer = try PageBuffer(count: slots * slotCount)
        if let node { buffer.bind(0..<slots * slotCount, toNode: node) }
        unsafe base = buffer.pointer
        // Commits the pages now, on their node, and not in the sender's first round.
        unsafe UnsafeMutableRawBufferPointer(start: base, count: slots * slotCount * MemoryLayout<Element>.stride)
            .initializeMemory(as: UInt8.self, repeating: 0)
    }

    // MARK: The sender's side

    /// The next free slot, or nil where all are full. Sender thread only.
    @inlinable @inline(__always) public func claim() -> UnsafeMutablePointer<Element>? {
        if sender.own &- sender.other == UInt64(capacity) {
            // Acquires the receiver's reads of the slot: pairs with the release in `release`.
            unsafe sender.other = head.word.pointee.load(ordering: .acquiring)
            if sender.own &- sender.other == UInt64(capacity) { return nil }
        }
        return unsafe base + Int(sender.own & mask) &* slotCount
    }

    /// Hands the claimed slot over. Sender thread only.
    @inlinable @inline(__always) public func publish() {
        sender.own &+= 1
        // Releases the slot's contents: pairs with the acquire in `peek`.
        unsafe tail.word.pointee.store(sender.own, ordering: .releasing)
        receiverWait.wake()
    }

    /// Waits for a free slot. Throws `MailboxClosed` where the mailbox is closed. Sender thread only.
    @inlinable @inline(__always)
    public func waitToClaim() throws(MailboxClosed) -> UnsafeMutablePointer<Element> {
        if !isClosed, let slot = unsafe claim() { return unsafe slot }
        return try unsafe waitLongerToClaim()
    }

    @inlinable func waitLongerToClaim() throws(MailboxClosed) -> UnsafeMutablePointer<Element> {
        while true {
            if isClosed { throw MailboxClosed(reason: "the mailbox is closed") }
            if let slot = unsafe claim() { return unsafe slot }
            senderWait.wait { unsafe isClosed || claim() != nil }
        }
    }

    /// Sends one element where slots hold one; false where all are full. Sender thread only.
    @inlinable public func trySend(_ element: Element) -> Bool {
        guard let slot = unsafe claim() else { return false }
        unsafe slot.pointee = element
        publish()
        return true
    }

    // MARK: The receiver's side

    /// The oldest published slot, or nil where there is none. Receiver thread only.
    @inlinable @inline(__always) public func peek() -> UnsafePointer<Element>? {
        if receiver.own == receiver.other {
            // Acquires the slot's contents: pairs with the release in `publish`.
            unsafe receiver.other = tail.word.pointee.load(ordering: .acquiring)
            if receiver.own == receiver.other { return nil }
        }
        return unsafe UnsafePointer(base + Int(receiver.own & mask) &* slotCount)
    }

    /// Gives the slot back to the sender. Receiver thread only.
    @inlinable @inline(__always) public func release() {
        receiver.own &+= 1
        // Releases the reads of the slot: pairs with the acquire in `claim`.
        unsafe head.word.pointee.store(receiver.own, ordering: .releasing)
        senderWait.wake()
    }

    /// Waits for a published slot. Throws `MailboxClosed` where the mailbox is closed and empty. Receiver thread only.
    @inlinable @inline(__always) public func waitToPeek() throws(MailboxClosed) -> UnsafePointer<Element> {
        if let slot = unsafe peek() { return unsafe slot }
        return try unsafe waitLongerToPeek()
    }

    @inlinable func waitLongerToPeek() throws(MailboxClosed) -> UnsafePointer<Element> {
        while true {
            // Looked at first: what was published before the close is still delivered.
            let ended = isClosed
            if let slot = unsafe peek() { return unsafe slot }
            if ended { throw MailboxClosed(reason: "the mailbox is closed") }
            receiverWait.wait { unsafe isClosed || peek() != nil }
        }
    }

    /// Receives one element where slots hold one; nil where there is none. Receiver thread only.
    @inlinable public func tryReceive() -> Element? {
        guard let slot = unsafe peek() else { return nil }
        let element = unsafe slot.pointee
        release()
        return element
    }

    // MARK: Either side

    /// Ends the traffic: senders fail from now on, receivers once the mailbox is empty. Wakes both. Any thread.
    public func close() {
        // Releases what the closing thread did: pairs with the acquire in `isClosed`.
        closed.store(true, ordering: .releasing)
        senderWait.wake()
        receiverWait.wake()
    }

    /// Acquires what the closing thread did: pairs with the release in `close`.
    @inlinable public var isClosed: Bool { closed.load(ordering: .acquiring) }
}

/// A number that one thread writes and another reads, alone on 128 aligned bytes: within the mailbox object it would share a line
/// with the constants beside it, which both sides read for every message.
@safe @usableFromInline struct SharedCounter: ~Copyable, @unchecked Sendable {
    // Sendable: the pointer never changes and what it points at is only touched atomically.
    @usableFromInline let word: UnsafeMutablePointer<Atomic<UInt64>>

    @usableFromInline init() {
        unsafe word = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 128)
            .bindMemory(to: Atomic<UInt64>.self, capacity: 1)
        unsafe word.initialize(to: Atomic(0))
    }

    deinit { unsafe UnsafeMutableRawPointer(word).deallocate() }
}

/// Two numbers that one thread reads and writes, alone on 128 bytes.
@safe @usableFromInline struct PrivateIndices: ~Copyable, @unchecked Sendable {
    // Sendable: one thread touches them; which one is the mailbox's affair.
    @usableFromInline let storage: UnsafeMutablePointer<UInt64>

    @usableFromInline init() {
        unsafe storage = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 128)
            .bindMemory(to: UInt64.self, capacity: 2)
        unsafe storage.initialize(repeating: 0, count: 2)
    }

    deinit { unsafe UnsafeMutableRawPointer(storage).deallocate() }

    /// How many slots this side has handed over.
    @inlinable var own: UInt64 {
        get { unsafe storage[0] }
        nonmutating set { unsafe storage[0] = newValue }
    }

    /// As many as it last saw the other side hand over.
    @inlinable var other: UInt64 {
        get { unsafe storage[1] }
        nonmutating set { unsafe storage[1] = newValue }
    }
}
