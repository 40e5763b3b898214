// The traffic that `relaxed bench mailboxes` times, one function per mailbox. The first worker of a pair sends, the second receives.

import Mailboxes
import Platform

/// One batch of messages through a mailbox of its own; the sender and the receiver each on its thread.
struct MailboxTraffic {
    /// Called on rank 0.
    let send: () throws -> Void
    /// Called on rank 1; answers how many messages were not what was sent.
    let receive: () throws -> Int
}

/// A kind of traffic.
enum MailboxContest: String, CaseIterable, Encodable {
    /// One way through a ring of slots, written and read in place.
    case ringStream = "ring"
    /// There and back through two rings.
    case ringRoundTrip = "ring-round-trip"
    /// There and back through two mailboxes of one slot; 8 bytes.
    case oneSlotRoundTrip = "one-slot-round-trip"
    /// A writer that never waits, and a reader that copies whatever is newest.
    case latestValue = "latest-value"
    /// One way through the messages that collectives use.
    case communicator

    /// How many messages at most, of the largest size, are in memory at a time.
    var vectors: Int {
        switch self {
        case .oneSlotRoundTrip: 0
        // Two are those of the memcpy beside it.
        case .ringStream: 2
        case .latestValue, .communicator: 3
        case .ringRoundTrip: 4
        }
    }

    /// Messages of `bytes` bytes (a multiple of 4), `count` of them.
    func traffic(bytes: Int, count: Int, capacity: Int) throws -> MailboxTraffic {
        switch self {
        case .ringStream: try Self.ringStream(bytes / 4, count, capacity)
        case .ringRoundTrip: try Self.ringRoundTrip(bytes / 4, count)
        case .oneSlotRoundTrip: try Self.oneSlotRoundTrip(count)
        case .latestValue: try Self.latestValue(bytes / 4, count)
        case .communicator: preconditionFailure("a communicator has a fabric of its own")
        }
    }

    private static func ringStream(_ elements: Int, _ count: Int, _ capacity: Int) throws -> MailboxTraffic {
        let ring = try RingMailbox<Int32>(capacity: capacity, slotCount: elements)
        return MailboxTraffic(
            send: {
                for i in 0..<Int32(count) { try put(i, into: ring) }
            },
            receive: {
                var wrong = 0
                for i in 0..<Int32(count) where try take(from: ring) != i { wrong += 1 }
                return wrong
            })
    }

    private static func ringRoundTrip(_ elements: Int, _ count: Int) throws -> MailboxTraffic {
        let there = try RingMailbox<Int32>(capacity: 2, slotCount: elements)
        let back = try RingMailbox<Int32>(capacity: 2, slotCount: elements)
        return MailboxTraffic(
            send: {
                for i in 0..<Int32(count) {
                    try put(i, into: there)
                    _ = try take(from: back)
                }
            },
            receive: {
                var wrong = 0
                for i in 0..<Int32(count) {
                    let found = try take(from: there)
                    if found != i { wrong += 1 }
                    try put(found, into: back)
                }
                return wrong
            })
    }

    private static func oneSlotRoundTrip(_ count: Int) throws -> MailboxTraffic {
        let there = try OneSlotMailbox<Int64>()
        let back = try OneSlotMailbox<Int64>()
        return MailboxTraffic(
            send: {
                for i in 0..<Int64(count) {
                    try there.send(i)
                    _ = try back.receive()
                }
            },
            receive: {
                var wrong = 0
                for i in 0..<Int64(count) {
                    let found = try there.receive()
                    if found != i { wrong += 1 }
                    try back.send(found)
                }
                return wrong
            })
    }

    private static func latestValue(_ elements: Int, _ count: Int) throws -> MailboxTraffic {
        let mailbox = try LatestValueMailbox<Int32>(count: elements)
        return MailboxTraffic(
            send: {
                for i in 1...Int32(count) { unsafe mailbox.write { unsafe $0.update(repeating: i) } }
            },
            receive: {
                var wrong = 0
                var seen: Int32 = 0
                while seen < count {
                    unsafe mailbox.read { vector, isNew in
                        if unsafe vector[0] != vector[elements - 1] || vector[0] < seen { wrong += 1 }
                        unsafe seen = vector[0]
                    }
                }
                return wrong
            })
    }

    @inline(__always)
    private static func put(_ value: Int32, into ring: RingMailbox<Int32>) throws(MailboxClosed) {
        let slot = try unsafe ring.waitToClaim()
        if ring.slotCount == 1 {
            unsafe slot.pointee = value
        } else {
            unsafe slot.update(repeating: value, count: ring.slotCount)
        }
        ring.publish()
    }

    /// The value of the oldest slot, all of whose elements are read; -1 where they differ.
    @inline(__always)
    private static func take(from ring: RingMailbox<Int32>) throws(MailboxClosed) -> Int32 {
        let slot = try unsafe ring.waitToPeek()
        let value = unsafe slot.pointee
        var difference: Int32 = 0
        for i in 1..<max(1, ring.slotCount) { unsafe difference |= slot[i] ^ value }
        ring.release()
        return difference == 0 ? value : -1
    }
}
