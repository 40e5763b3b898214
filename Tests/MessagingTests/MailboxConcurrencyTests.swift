import Kernels
import Mailboxes
import Platform
import Synchronization
import Testing

/// What the mailboxes promise, under contention: nothing is lost, nothing is torn, nobody hangs.
@Suite struct MailboxConcurrencyTests {
    private func pair(_ sender: @escaping () throws -> Void, _ receiver: @escaping () throws -> Void) throws {
        nonisolated(unsafe) let bodies = [sender, receiver]
        let team = try WorkerTeam(placement: .unpinned(workers: 2))
        let failures = Locked<[String]>([])
        team.run { rank in
            do { try bodies[rank]() } catch { failures.withLock { $0.append("rank \(rank): \(error)") } }
        }
        #expect(failures.withLock { $0 } == [])
    }

    @Test(arguments: [1, 2, 3, 64]) func `a ring delivers every item once and in order`(capacity: Int) throws {
        let ring = try RingMailbox<Int>(capacity: capacity)
        let count = 20_000
        try pair(
            {
                for i in 0..<count {
                    try ring.waitToClaim().pointee = i
                    ring.publish()
                }
            },
            {
                for i in 0..<count {
                    let value = try ring.waitToPeek().pointee
                    ring.release()
                    if value != i {
                        Issue.record("\(value) in place of \(i)")
                        return
                    }
                }
            })
        #expect(ring.tryReceive() == nil)
    }

    @Test func `slots of a ring are whole vectors, written and read in place`() throws {
        let ring = try RingMailbox<Float>(capacity: 2, slotCount: 300)
        try pair(
            {
                for i in 0..<500 {
                    let slot = try ring.waitToClaim()
                    for j in 0..<300 { slot[j] = Float(i) }
                    ring.publish()
                }
            },
            {
                for i in 0..<500 {
                    let slot = try ring.waitToPeek()
                    let torn = (0..<300).contains { slot[$0] != Float(i) }
                    ring.release()
                    if torn {
                        Issue.record("torn at \(i)")
                        return
                    }
                }
            })
    }

    @Test func `a ring that is full refuses and one that is empty gives nothing`() throws {
        let ring = try RingMailbox<UInt8>(capacity: 2)
        #expect(ring.tryReceive() == nil)
        #expect(ring.trySend(1) && ring.trySend(2) && !ring.trySend(3))
        #expect(ring.tryReceive() == 1 && ring.trySend(3))
        #expect(ring.tryReceive() == 2 && ring.tryReceive() == 3 && ring.tryReceive() == nil)
    }

    @Test func `a one-slot mailbox delivers every message once and in order`() throws {
        let there = try OneSlotMailbox<Int>()
        let back = try OneSlotMailbox<Int>()
        try pair(
            {
                for i in 0..<5_000 {
                    try there.send(i)
                    let echo = try back.receive()
                    if echo != -i {
                        Issue.record("\(echo) for \(i)")
                        return
                    }
                }
            },
            { for _ in 0..<5_000 { try back.send(-(try there.receive())) } })
    }

    @Test func `a reader of a latest-value mailbox sees whole vectors that only get newer, and the last one`() throws {
        let mailbox = try LatestValueMailbox<UInt64>(count: 100)
        mailbox.read { vector, isNew in #expect(!isNew && vector.allSatisfy { $0 == 0 }) }
        let last: UInt64 = 5_000
        try pair(
            { for i in 1...last { mailbox.write { $0.update(repeating: i) } } },
            {
                var seen: UInt64 = 0
                while seen < last {
                    mailbox.read { vector, isNew in
                        if vector.contains(where: { $0 != vector[0] }) { Issue.record("torn: \(vector[0])") }
                        if vector[0] < seen || isNew != (vector[0] > seen) {
                            Issue.record("\(vector[0]) after \(seen)")
                        }
                        seen = vector[0]
                    }
                }
            })
    }

    @Test func `closing wakes a waiting receiver after it has had what was sent`() throws {
        let ring = try RingMailbox<Int>(capacity: 4)
        let slot = try OneSlotMailbox<Int>()
        try pair(
            {
                _ = ring.trySend(7)
                _ = slot.trySend(8)
                ring.close()
                slot.close()
                #expect(throws: MailboxClosed.self) { try slot.send(9) }
                #expect(throws: MailboxClosed.self) { try ring.waitToClaim() }
            },
            {
                let first = try ring.waitToPeek().pointee
                #expect(first == 7)
                ring.release()
                let only = try slot.receive()
                #expect(only == 8)
                #expect(throws: MailboxClosed.self) { try ring.waitToPeek() }
                #expect(throws: MailboxClosed.self) { try slot.receive() }
            })
    }

    @Test func `closing wakes a waiting sender`() throws {
        let ring = try RingMailbox<Int>(capacity: 1)
        let slot = try OneSlotMailbox<Int>()
        #expect(ring.trySend(1) && slot.trySend(1))
        try pair(
            {
                #expect(throws: MailboxClosed.self) { try ring.waitToClaim() }
                #expect(throws: MailboxClosed.self) { try slot.send(2) }
            },
            {
                ring.close()
                slot.close()
            })
    }
}
