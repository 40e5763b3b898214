// The messages under way on a fabric whose ranks run one at a time. Whichever rank runs uses it.

internal import Glibc

/// A message in a block of memory: this head, then the bytes.
@unsafe struct VirtualMessage {
    fileprivate var next: UnsafeMutablePointer<VirtualMessage>?
    let byteCount: Int
    var arrivalSeconds: Double
    /// See `Communicator.endsBefore`.
    var endsBefore: UInt64

    fileprivate static let headBytes = 32
}

extension UnsafeMutablePointer<VirtualMessage> {
    /// What travels.
    var bytes: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(
            start: UnsafeMutableRawPointer(self) + VirtualMessage.headBytes, count: pointee.byteCount)
    }
}

/// Messages by receiver and sender, in the order in which they were posted.
///
/// Each receiver has a small hash table of those who ever sent to it: N ranks with few peers each take little, and rank 0 of a parameter
/// server finds each of its N peers at once.
@safe final class VirtualMail {
    @unsafe private struct Lane {
        /// Plus one; 0 in a free entry.
        var sender = 0
        var first: UnsafeMutablePointer<VirtualMessage>?
        var last: UnsafeMutablePointer<VirtualMessage>?
    }

    @unsafe private struct Box {
        var lanes: UnsafeMutablePointer<Lane>?
        /// A power of two, of which at most half are used.
        var capacity = 0
        var used = 0
    }

    private let count: Int
    private let boxes: UnsafeMutablePointer<Box>

    init(count: Int) {
        self.count = count
        unsafe boxes = .allocate(capacity: count)
        unsafe boxes.initialize(repeating: Box(), count: count)
    }

    deinit {
        for receiver in 0..<count {
            let box = unsafe boxes[receiver]
            for index in unsafe 0..<box.capacity {
                while let message = unsafe Self.take(box.lanes! + index) { unsafe free(message) }
            }
            unsafe box.lanes?.deallocate()
        }
        unsafe boxes.deallocate()
    }

    /// A message of `byteCount` bytes of any content, for `append` or `free`.
    func make(byteCount: Int) -> UnsafeMutablePointer<VirtualMessage> {
        guard let block = unsafe malloc(VirtualMessage.headBytes + byteCount) else {
            preconditionFailure("a message of \(byteCount) bytes, for which there is no memory")
        }
        let message = unsafe block.bindMemory(to: VirtualMessage.self, capacity: 1)
        unsafe message.initialize(
            to: VirtualMessage(next: nil, byteCount: byteCount, arrivalSeconds: 0, endsBefore: .max))
        return unsafe message
    }

    func free(_ message: UnsafeMutablePointer<VirtualMessage>) { unsafe Glibc.free(message) }

    /// Puts a message behind those of the same sender.
    func append(_ message: UnsafeMutablePointer<VirtualMessage>, from sender: Int, to receiver: Int) {
        let box = unsafe boxes + receiver
        if unsafe 2 * box.pointee.used >= box.pointee.capacity { unsafe Self.grow(box) }
        let lane = unsafe Self.lane(of: sender, in: box)
        if unsafe lane.pointee.sender == 0 {
            unsafe lane.pointee.sender = sender + 1
            unsafe box.pointee.used += 1
        }
        if let last = unsafe lane.pointee.last {
            unsafe last.pointee.next = message
        } else {
            unsafe lane.pointee.first = message
        }
        unsafe lane.pointee.last = message
    }

    /// The oldest message from `sender`, which stays.
    func first(from sender: Int, to receiver: Int) -> UnsafeMutablePointer<VirtualMessage>? {
        let box = unsafe boxes + receiver
        if unsafe box.pointee.capacity == 0 { return nil }
        return unsafe Self.lane(of: sender, in: box).pointee.first
    }

    /// Takes the oldest message from `sender` out; the caller frees it.
    func takeFirst(from sender: Int, to receiver: Int) -> UnsafeMutablePointer<VirtualMessage>? {
        let box = unsafe boxes + receiver
        if unsafe box.pointee.capacity == 0 { return nil }
        return unsafe Self.take(Self.lane(of: sender, in: box))
    }

    private static func take(_ lane: UnsafeMutablePointer<Lane>) -> UnsafeMutablePointer<VirtualMessage>? {
        guard let message = unsafe lane.pointee.first else { return nil }
        unsafe lane.pointee.first = message.pointee.next
        if unsafe lane.pointee.first == nil { unsafe lane.pointee.last = nil }
        return unsafe message
    }

    /// The sender's entry, or the free one where it belongs.
    private static func lane(of sender: Int, in box: UnsafeMutablePointer<Box>) -> UnsafeMutablePointer<Lane> {
        let (lanes, mask) = unsafe (box.pointee.lanes!, box.pointee.capacity - 1)
        var index = sender & mask
        while true {
            let found = unsafe lanes[index].sender
            if found == sender + 1 || found == 0 { return unsafe lanes + index }
            index = (index + 1) & mask
        }
    }

    private static func grow(_ box: UnsafeMutablePointer<Box>) {
        let old = unsafe box.pointee
        let capacity = unsafe max(4, 2 * old.capacity)
        let lanes = UnsafeMutablePointer<Lane>.allocate(capacity: capacity)
        unsafe lanes.initialize(repeating: Lane(), count: capacity)
        unsafe box.pointee = Box(lanes: lanes, capacity: capacity, used: old.used)
        for index in unsafe 0..<old.capacity where unsafe old.lanes![index].sender != 0 {
            let entry = unsafe old.lanes![index]
            unsafe lane(of: entry.sender - 1, in: box).pointee = entry
        }
        unsafe old.lanes?.deallocate()
    }
}
