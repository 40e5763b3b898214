import Kernels
import Messaging
import Platform
import SwitchModel
import Testing

/// Messages of whoever comes first, and looks without waiting.
@Suite(.timeLimit(.minutes(2))) struct ReceiveAnyConcurrencyTests {
    static let cost = try! NetworkCost(latencySeconds: 1.5e-3, secondsPerMegabyte: 5e-3)
    static let clocks: [FabricClock] = [.native, .wall(cost), .virtual(cost)]

    @Test(arguments: clocks) func `every message of every peer is received once, in the order of its sender`(
        clock: FabricClock
    ) throws {
        let (count, each) = (6, 40)
        let received = try Fabric(count: count, clock: clock).run { communicator -> [[Int]] in
            var found = [[Int]](repeating: [], count: count)
            if communicator.rank > 0 {
                for i in 0..<each {
                    // Some stay in the slot, some do not.
                    try communicator.send(byteCount: i % 7 == 0 ? 3_000 : 8, to: 0) {
                        $0.storeBytes(of: i, as: Int.self)
                    }
                }
                return found
            }
            for _ in 0..<each * (count - 1) {
                try communicator.receiveAny(from: Array(1..<count)) { peer, bytes in
                    found[peer].append(bytes.load(as: Int.self))
                }
            }
            return found
        }
        #expect(received[0] == [[]] + Array(repeating: Array(0..<each), count: count - 1))
    }

    @Test func `in virtual time messages come in the order of their arrival, ties by rank, at the time of the switch`()
        throws
    {
        let computed = [0, 0.3, 0.1, 0.1]
        let fabric = try Fabric(count: 4, clock: .virtual(Self.cost))
        let found = try fabric.run { communicator -> [(Int, Double)] in
            if communicator.rank > 0 {
                try communicator.compute(seconds: computed[communicator.rank]) {}
                try communicator.send(byteCount: 0, to: 0) { _ in }
                return []
            }
            return try (0..<3).map { _ in
                let peer = try communicator.receiveAny(from: [3, 2, 1]) { peer, _ in peer }
                return (peer, communicator.now)
            }
        }
        let one = Self.cost.messageSeconds(megabytes: 0)
        // Ports are occupied: the second of the two that are sent at once waits for the first.
        #expect(found[0].map(\.0) == [2, 3, 1])
        #expect(found[0].map(\.1) == [0.1 + one, 0.1 + one + one, 0.3 + one])
    }

    @Test(arguments: clocks) func `a look takes no time, and finds a message once it has arrived`(clock: FabricClock)
        throws
    {
        let looks = try Fabric(count: 2, clock: clock).run { communicator -> Int in
            if communicator.rank == 1 {
                try communicator.barrier()
                try communicator.send(byteCount: 8, to: 0) { $0.storeBytes(of: 7, as: Int.self) }
                try communicator.barrier()
                return 0
            }
            var found = try communicator.tryReceive(from: 1) { $0.load(as: Int.self) }
            #expect(found == nil)
            try communicator.barrier()
            var looks = 0
            while found == nil {
                let before = communicator.now
                found = try communicator.tryReceive(from: 1) { $0.load(as: Int.self) }
                if case .virtual = clock { #expect(communicator.now == before) }
                try communicator.compute(seconds: 1e-4) {}
                looks += 1
            }
            #expect(found == 7)
            try communicator.barrier()
            return looks
        }
        // 1.5 ms of latency in steps of a tenth: the look at 1.5 ms finds it.
        if case .virtual = clock { #expect(looks[0] == 16 || looks[0] == 17) }
    }

    @Test(arguments: clocks) func `when all peers have ended, or one has failed, nobody waits for them`(
        clock: FabricClock
    ) throws {
        struct Broken: Error {}
        #expect(throws: FabricError.self) {
            try Fabric(count: 4, clock: clock).run { communicator in
                if communicator.rank == 0 { try communicator.receiveAny(from: [1, 2, 3]) { _, _ in } }
            }
        }
        #expect(throws: Broken.self) {
            try Fabric(count: 4, clock: clock).run { communicator in
                if communicator.rank == 3 { throw Broken() }
                if communicator.rank == 0 { try communicator.receiveAny(from: [1, 2]) { _, _ in } }
                try communicator.barrier()
            }
        }
    }

    @Test func `none of several busy peers is left out`() throws {
        // Ranks 1 and 2 answer each message at once; rank 3 sends one.
        #expect(throws: CancellationError.self) {
            try Fabric(count: 4).run { communicator in
                if communicator.rank == 0 {
                    var isThere = false
                    var rounds = 0
                    while !isThere && rounds < 200_000 {
                        try communicator.receiveAny(from: [1, 2, 3]) { peer, _ in isThere = peer == 3 }
                        rounds += 1
                    }
                    #expect(isThere)
                    throw CancellationError()
                }
                repeat { try communicator.send(byteCount: 8, to: 0) { _ in } } while communicator.rank < 3
                try communicator.barrier()
            }
        }
    }
}
