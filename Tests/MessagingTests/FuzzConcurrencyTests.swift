import Foundation
import Glibc
import Kernels
import Mailboxes
import Messaging
import Platform
import SwitchModel
import Testing

/// Random traffic between more threads than cores: every byte is checked. A short run by default; with `RELAXED_FUZZ_SECONDS` each
/// test goes on for so long, with a new seed each time.
@Suite(.serialized) struct FuzzConcurrencyTests {
    private func fuzz(_ short: UInt64, _ body: (UInt64) throws -> Void) rethrows {
        let seconds = ProcessInfo.processInfo.environment["RELAXED_FUZZ_SECONDS"].flatMap { Double($0) }
        let start = monotonicNanoseconds()
        var seed: UInt64 = 0
        repeat {
            seed += 1
            try body(seed)
        } while seconds.map { Double(monotonicNanoseconds() - start) / 1e9 < $0 } ?? (seed < short)
        if seconds != nil { print("fuzz: \(seed) seeds") }
    }

    /// A thread's random numbers, and pauses in which others come or go.
    private struct Dice {
        var stream: RandomStream

        init(_ seed: UInt64, _ rank: Int) { stream = RandomStream(seed: seed, rank: UInt32(rank)) }

        mutating func roll(_ bound: Int) -> Int { Int(stream.next(upperBound: UInt64(bound))) }

        mutating func pause() {
            switch roll(32) {
            case 0:
                // Longer than others spin.
                let end = monotonicNanoseconds() + UInt64(roll(200_000))
                while monotonicNanoseconds() < end {}
            case 1...8: for _ in 0..<roll(4) { sched_yield() }
            default: break
            }
        }
    }

    // MARK: Fabric

    private struct Broken: Error {}

    /// What every rank knows of the traffic of one seed.
    private struct Plan {
        let seed: UInt64
        let ranks: Int
        let steps = 6
        /// Who fails in which step, if anybody.
        let victim: (rank: Int, step: Int)?

        init(seed: UInt64) {
            self.seed = seed
            var dice = Dice(seed, 1_000)
            ranks = 2 + dice.roll(7)
            victim = dice.roll(3) == 0 ? (dice.roll(ranks), dice.roll(steps)) : nil
        }

        /// The sizes of the messages of one step, fewer than may be under way.
        func sizes(from: Int, to: Int, step: Int) -> [Int] {
            var stream = RandomStream(seed: seed, rank: UInt32(1 + from * ranks + to), step: UInt64(step))
            func roll(_ bound: Int) -> Int { Int(stream.next(upperBound: UInt64(bound))) }
            return (0..<max(0, roll(Communicator.messagesUnderWay + 2) - 2)).map { _ in
                roll(roll(3) == 0 ? 6_000 : 200)
            }
        }

        func byte(_ index: Int, from: Int, to: Int, step: Int, number: Int) -> UInt8 {
            let key = UInt64(((from * ranks + to) * steps + step) * 8 + number) &+ seed
            return UInt8(truncatingIfNeeded: (key &+ UInt64(index)) &* 0x9E37_79B9_7F4A_7C15 >> 56)
        }

        func hasBarrier(after step: Int) -> Bool { (seed >> UInt64(step)) & 3 == 3 }
    }

    /// One rank's part in the plan; returns how many messages were not as sent.
    private func takePart(in plan: Plan, _ communicator: Communicator) throws -> Int {
        let rank = communicator.rank
        var dice = Dice(plan.seed, rank)
        var wrong = 0
        var lent: [UnsafeMutableRawBufferPointer] = []
        func takeBack() {
            // Nobody may be reading them any more, whatever has happened.
            for buffer in lent {
                for i in buffer.indices { buffer[i] = 0xEE }
                buffer.deallocate()
            }
            lent = []
        }
        defer { takeBack() }
        for step in 0..<plan.steps {
            var peers = (0..<plan.ranks).filter { $0 != rank }
            peers.shuffle(using: &dice.stream)
            for peer in peers {
                for (number, size) in plan.sizes(from: rank, to: peer, step: step).enumerated() {
                    dice.pause()
                    func fill(_ bytes: UnsafeMutableRawBufferPointer) {
                        for i in bytes.indices {
                            bytes[i] = plan.byte(i, from: rank, to: peer, step: step, number: number)
                        }
                    }
                    if dice.roll(2) == 0 {
                        try communicator.send(byteCount: size, to: peer, fill)
                    } else {
                        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
                        lent.append(buffer)
                        fill(buffer)
                        try communicator.post(UnsafeRawBufferPointer(buffer), to: peer)
                    }
                }
                if let victim = plan.victim, victim == (rank, step), dice.roll(2) == 0 { throw Broken() }
            }
            peers.shuffle(using: &dice.stream)
            for peer in peers {
                for (number, size) in plan.sizes(from: peer, to: rank, step: step).enumerated() {
                    dice.pause()
                    wrong += try communicator.receive(byteCount: size, from: peer) { bytes in
                        let isRight = bytes.indices.allSatisfy {
                            bytes[$0] == plan.byte($0, from: peer, to: rank, step: step, number: number)
                        }
                        return isRight ? 0 : 1
                    }
                }
            }
            try communicator.completeAll()
            takeBack()
            if let victim = plan.victim, victim == (rank, step) { throw Broken() }
            if plan.hasBarrier(after: step) { try communicator.barrier() }
        }
        return wrong
    }

    @Test func `fabrics lose and tear nothing, and name a rank that fails mid-way`() throws {
        let cost = try NetworkCost(latencySeconds: 2e-5, secondsPerMegabyte: 1e-2)
        try fuzz(12) { seed in
            let plan = Plan(seed: seed)
            let clock: FabricClock = seed % 4 == 0 ? .virtual(cost) : seed % 4 == 1 ? .wall(cost) : .native
            let fabric = try Fabric(count: plan.ranks, clock: clock)
            let team = try WorkerTeam(placement: .unpinned(workers: plan.ranks))
            let told = Locked<[String]>([])
            do {
                let wrong = try fabric.run(on: team) { communicator in
                    do {
                        return try takePart(in: plan, communicator)
                    } catch let error as FabricError {
                        told.withLock { $0.append("\(error)") }
                        throw error
                    }
                }
                #expect(plan.victim == nil && wrong.allSatisfy { $0 == 0 }, "seed \(seed)")
            } catch is Broken {
                let victim = try #require(plan.victim)
                let blame = "\(FabricError.rankFailed(rank: victim.rank, reason: "\(Broken())"))"
                #expect(told.withLock { $0.allSatisfy { $0 == blame } }, "seed \(seed)")
            }
        }
    }

    // MARK: Mailboxes

    /// A message whose words betray a torn one.
    private struct Words: BitwiseCopyable, Equatable {
        let words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

        init(_ number: Int) {
            let key = UInt64(number) &* 0x9E37_79B9_7F4A_7C15
            words = (key, key &+ 1, key &+ 2, key &+ 3, key &+ 4, key &+ 5)
        }

        static func == (a: Words, b: Words) -> Bool { a.words == b.words }
    }

    /// The two ends of a ring; `failed` is told what is wrong.
    private func ring(_ seed: UInt64, _ pair: Int, _ failed: @escaping @Sendable (String) -> Void) throws -> [() ->
        Void]
    {
        var dice = Dice(seed, 500 + pair)
        let ring = try RingMailbox<UInt64>(capacity: 1 + dice.roll(9), slotCount: 1 + dice.roll(30), threads: 8)
        let count = dice.roll(600)
        // Beyond `count`: never.
        let closedByReceiver = dice.roll(2) == 0 ? dice.roll(count + 1) : count + 1
        let sender = {
            var dice = Dice(seed, 600 + pair)
            do {
                for i in 0..<count {
                    dice.pause()
                    let slot = try ring.waitToClaim()
                    for j in 0..<ring.slotCount { slot[j] = UInt64(i * 64 + j) }
                    ring.publish()
                }
                ring.close()
            } catch {
                if closedByReceiver > count { failed("ring: closed before item \(count)") }
            }
        }
        let receiver = {
            var dice = Dice(seed, 700 + pair)
            var received = 0
            do {
                while received < closedByReceiver {
                    dice.pause()
                    let slot = try ring.waitToPeek()
                    for j in 0..<ring.slotCount where slot[j] != UInt64(received * 64 + j) {
                        failed("ring: \(slot[j]) in item \(received)")
                    }
                    ring.release()
                    received += 1
                }
                ring.close()
            } catch {
                if received != count { failed("ring: \(received) of \(count) items before the close") }
            }
        }
        return [sender, receiver]
    }

    private func oneSlot(
        _ seed: UInt64, _ pair: Int, _ failed: @escaping @Sendable (String) -> Void
    ) throws -> [() -> Void] {
        var dice = Dice(seed, 500 + pair)
        let slot = try OneSlotMailbox<Words>(threads: 8)
        let count = dice.roll(400)
        let sender = {
            var dice = Dice(seed, 600 + pair)
            do {
                for i in 0..<count {
                    dice.pause()
                    try slot.send(Words(i))
                }
                slot.close()
            } catch { failed("one slot: \(error)") }
        }
        let receiver = {
            var dice = Dice(seed, 700 + pair)
            var received = 0
            do {
                while true {
                    dice.pause()
                    let found = try slot.receive()
                    if found != Words(received) { failed("one slot: \(found) as item \(received)") }
                    received += 1
                }
            } catch {
                if received != count { failed("one slot: \(received) of \(count) items before the close") }
            }
        }
        return [sender, receiver]
    }

    private func latest(
        _ seed: UInt64, _ pair: Int, _ failed: @escaping @Sendable (String) -> Void
    ) throws -> [() -> Void] {
        var dice = Dice(seed, 500 + pair)
        let mailbox = try LatestValueMailbox<UInt64>(count: 1 + dice.roll(300))
        let count = UInt64(1 + dice.roll(300))
        let writer = {
            var dice = Dice(seed, 600 + pair)
            for i in 1...count {
                dice.pause()
                mailbox.write { $0.update(repeating: i) }
            }
        }
        let reader = {
            var dice = Dice(seed, 700 + pair)
            var seen: UInt64 = 0
            while seen < count {
                dice.pause()
                mailbox.read { vector, isNew in
                    if vector.contains(where: { $0 != vector[0] }) { failed("latest: torn at \(vector[0])") }
                    if vector[0] < seen || isNew != (vector[0] > seen) { failed("latest: \(vector[0]) after \(seen)") }
                    seen = vector[0]
                }
            }
        }
        return [writer, reader]
    }

    @Test func `mailboxes lose and tear nothing, whoever closes them and when`() throws {
        try fuzz(15) { seed in
            let failures = Locked<[String]>([])
            let failed: @Sendable (String) -> Void = { failure in failures.withLock { $0.append(failure) } }
            let makers = [ring, oneSlot, latest]
            nonisolated(unsafe) let ends = try (0..<1 + Int(seed % 4)).flatMap { pair in
                try makers[Int(seed / 2 + UInt64(pair)) % 3](seed, pair, failed)
            }
            try WorkerTeam(placement: .unpinned(workers: ends.count)).run { rank in ends[rank]() }
            #expect(failures.withLock { $0 } == [], "seed \(seed)")
        }
    }
}
