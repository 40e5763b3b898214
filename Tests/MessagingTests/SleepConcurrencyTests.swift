import Glibc
import Mailboxes
import Messaging
import Platform
import SwitchModel
import Testing

/// Who waits long sleeps until somebody has done what it waits for: it is woken by that, by the end of the run, and by nothing else.
@Suite(.timeLimit(.minutes(2))) struct SleepConcurrencyTests {
    /// Every way to wait for a peer.
    enum Wait: CaseIterable {
        case message, room, reading, barrier, sharedMemory
    }

    /// Waits for rank 0.
    private func wait(_ wait: Wait, _ communicator: Communicator, _ bytes: UnsafeRawBufferPointer) throws {
        switch wait {
        case .message: try communicator.receive(from: 0) { _ in }
        case .room: for _ in 0...Communicator.messagesUnderWay { try communicator.post(bytes, to: 0) }
        case .reading: try communicator.complete(communicator.post(bytes, to: 0))
        case .barrier: try communicator.barrier()
        case .sharedMemory:
            var own: UInt8 = 0
            try withUnsafeMutableBytes(of: &own) { own in
                try communicator.withSharedMemory(own, operation: "test") { _ in }
            }
        }
    }

    /// What the others wait for, on rank 0.
    private func answer(_ wait: Wait, _ communicator: Communicator) throws {
        switch wait {
        case .message:
            for peer in 1..<communicator.count { try communicator.send(byteCount: 8, to: peer) { _ in } }
        case .room, .reading:
            for peer in 1..<communicator.count {
                for _ in 0...(wait == .room ? Communicator.messagesUnderWay : 0) {
                    try communicator.receive(from: peer) { _ in }
                }
            }
        default: try withUnsafeBytes(of: 0) { try self.wait(wait, communicator, $0) }
        }
    }

    private static func pause(milliseconds: UInt32) { usleep(1_000 * milliseconds) }

    /// How often the calling thread has gone to sleep so far.
    private static var sleeps: Int {
        var usage = rusage()
        getrusage(__rusage_who_t(1), &usage)
        return usage.ru_nvcsw
    }

    @Test(arguments: Wait.allCases) func `a rank that waits sleeps once, however long it waits`(wait: Wait) throws {
        let count = 12
        let fabric = try Fabric(count: count)
        let sleeps = try fabric.run { communicator -> Int in
            let lent = [UInt8](repeating: 1, count: 2_000)
            return try lent.withUnsafeBytes { bytes in
                try communicator.barrier()
                let before = Self.sleeps
                if communicator.rank == 0 {
                    Self.pause(milliseconds: 150)
                    try answer(wait, communicator)
                    return 0
                }
                // One after the other: nobody is woken by a rank that is not the last.
                if wait == .sharedMemory { Self.pause(milliseconds: UInt32(communicator.rank)) }
                try self.wait(wait, communicator, bytes)
                let sleeps = Self.sleeps - before
                try communicator.completeAll()
                return sleeps
            }
        }
        // The wait, once more where the answer comes in two steps, and the tests' own pause. A look every millisecond made 150.
        #expect(sleeps.max()! <= 12, "\(sleeps)")
    }

    @Test func `who waits at a mailbox sleeps once, however long it waits`() throws {
        let ring = try RingMailbox<Int>(capacity: 2)
        let slot = try OneSlotMailbox<Int>()
        let sleeps = Locked<[Int]>([])
        try WorkerTeam(placement: .unpinned(workers: 2)).run { rank in
            if rank == 0 {
                Self.pause(milliseconds: 100)
                try! ring.waitToClaim().pointee = 5
                ring.publish()
                Self.pause(milliseconds: 100)
                try! slot.send(6)
                return
            }
            let before = Self.sleeps
            _ = try! ring.waitToPeek()
            _ = try! slot.receive()
            let found = Self.sleeps - before
            sleeps.withLock { $0.append(found) }
        }
        #expect(sleeps.withLock { $0[0] } <= 8)
    }

    @Test func `time that is still far is slept through`() throws {
        let cost = try NetworkCost(latencySeconds: 0, secondsPerMegabyte: 0)
        let fabric = try Fabric(count: 2, clock: .wall(cost))
        let sleeps = try fabric.run { communicator -> Int in
            let before = Self.sleeps
            try communicator.compute(seconds: 0.6) {}
            return Self.sleeps - before
        }
        #expect(sleeps.max()! <= 4)
    }

    @Test(arguments: Wait.allCases) func `the end of the run wakes whoever sleeps`(wait: Wait) throws {
        struct Broken: Error {}
        for failing in [0, 11] {
            let count = 12
            let fabric = try Fabric(count: count)
            let told = Locked<[FabricError]>([])
            #expect(throws: Broken.self) {
                try fabric.run { communicator in
                    if communicator.rank == failing {
                        Self.pause(milliseconds: 40)
                        throw Broken()
                    }
                    let lent = [UInt8](repeating: 1, count: 2_000)
                    do {
                        try lent.withUnsafeBytes { bytes in
                            if communicator.rank == 0 { return try communicator.receive(from: 11) { _ in } }
                            try self.wait(wait, communicator, bytes)
                            try communicator.barrier()
                        }
                    } catch let error as FabricError {
                        told.withLock { $0.append(error) }
                        throw error
                    }
                }
            }
            #expect(told.withLock { $0.count } == count - 1)
        }
    }

    @Test func `a rank that ends wakes those who sleep for it, and time that is far does not keep a failure`() throws {
        let error = #expect(throws: FabricError.self) {
            try Fabric(count: 3).run { communicator in
                if communicator.rank == 0 { return Self.pause(milliseconds: 40) }
                try communicator.receive(from: communicator.rank - 1) { _ in }
            }
        }
        #expect(error == .rankEnded(rank: 0, waiting: 1))
    }

    /// Pauses of random length around that at which a wait falls asleep: a wake-up that is lost hangs for ever.
    @Test(arguments: [2, 16]) func `no wake-up is lost between the last look and the sleep`(count: Int) throws {
        let rounds = count == 2 ? 3_000 : 150
        let sums = try Fabric(count: count).run { communicator in
            let next = (communicator.rank + 1) % count
            let before = (communicator.rank + count - 1) % count
            var word = UInt64(communicator.rank + 1)
            var own: UInt8 = 0
            for round in 0..<rounds {
                word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                for _ in 0..<(word >> 33) % 4_000 { _ = communicator.rank }
                if word >> 62 == 0 { sched_yield() }
                try communicator.send(byteCount: 8, to: next) { $0.storeBytes(of: round, as: Int.self) }
                let found = try communicator.receive(from: before) { $0.load(as: Int.self) }
                if found != round { return false }
                if round % 4 == 0 { try communicator.barrier() }
                if round % 4 == 2 {
                    try withUnsafeMutableBytes(of: &own) {
                        try communicator.withSharedMemory($0, operation: "test") { _ in }
                    }
                }
            }
            return true
        }
        #expect(sums.allSatisfy { $0 })
    }
}
