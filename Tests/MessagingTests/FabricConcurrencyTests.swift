import Foundation
import Kernels
import Messaging
import Platform
import SwitchModel
import Testing

/// The same worker programs under all clocks; the native and wall ones run under ThreadSanitizer as well.
@Suite struct FabricConcurrencyTests {
    static let cost = try! NetworkCost(latencySeconds: 1.5e-3, secondsPerMegabyte: 5e-3)
    static let clocks: [FabricClock] = [.native, .wall(cost), .virtual(cost)]

    private func run<Result: Sendable>(
        _ count: Int, _ clock: FabricClock, straggler: Straggler = .none,
        _ program: @Sendable (Communicator) throws -> Result
    ) throws -> [Result] {
        let fabric = try Fabric(count: count, clock: clock, straggler: straggler)
        return try fabric.run(program)
    }

    @Test(arguments: clocks) func `messages of every size arrive whole and in order`(clock: FabricClock) throws {
        let sizes = [0, 1, 7, 95, 96, 97, 1_088, 1_089, 40_000]
        let sums = try run(3, clock) { communicator -> Int in
            let right = (communicator.rank + 1) % 3
            let left = (communicator.rank + 2) % 3
            var checked = 0
            for (k, size) in sizes.enumerated() {
                let lent = [UInt8](repeating: UInt8(communicator.rank * 10 + k), count: size)
                try lent.withUnsafeBytes { bytes in
                    let posted = try communicator.post(bytes, to: right)
                    try communicator.send(byteCount: size, to: right) { $0.copyBytes(from: bytes) }
                    for _ in 0..<2 {
                        checked += try communicator.receive(byteCount: size, from: left) { found in
                            found.allSatisfy { $0 == UInt8(left * 10 + k) } ? found.count : -1
                        }
                    }
                    try communicator.complete(posted)
                }
            }
            #expect(communicator.sent == communicator.received && communicator.sent.messages == 2 * sizes.count)
            return checked
        }
        #expect(sums == Array(repeating: 2 * sizes.reduce(0, +), count: 3))
    }

    @Test(arguments: clocks) func `an exchange shows each side what the other has`(clock: FabricClock) throws {
        for size in [0, 8, 96, 5_000] {
            let found = try run(2, clock) { communicator -> [UInt8] in
                var own = [UInt8](repeating: UInt8(communicator.rank + 1), count: size)
                for _ in 0..<5 {
                    let got = try own.withUnsafeBytes { bytes in
                        try communicator.exchange(bytes, with: 1 - communicator.rank) { Array($0) }
                    }
                    // Free to change: the peer has read it.
                    own = got.map { $0 + 1 }
                }
                return own
            }
            #expect(found == [Array(repeating: 7, count: size), Array(repeating: 6, count: size)])
        }
    }

    @Test(arguments: clocks, ["barrier", "compute", "port", "receive", "swallow"])
    func `a rank that fails before the others have begun leaves none of them hanging`(
        clock: FabricClock, call: String
    ) throws {
        struct Broken: Error {}
        for count in [2, 4, 16] {
            let error = #expect(throws: (any Error).self) {
                try run(count, clock) { communicator in
                    if communicator.rank == 0 { throw Broken() }
                    while true {
                        switch call {
                        case "barrier": try communicator.barrier()
                        case "compute": try communicator.compute(seconds: 1e-3) {}
                        case "port": try communicator.awaitSendPort()
                        case "receive": try communicator.receive(from: 0) { _ in }
                        default:
                            // A program that goes on all the same: each call fails again, and the next, until it gives up.
                            for _ in 0..<3 {
                                try? communicator.compute(seconds: 1e-3) {}
                                try? communicator.barrier()
                            }
                            return
                        }
                        // Nothing fails under the native clock that waits for nobody.
                        if case .native = clock, call == "compute" || call == "port" { return }
                        if case .wall = clock, call == "port" { return }
                    }
                }
            }
            #expect(error is Broken)
        }
    }

    @Test(arguments: [FabricClock.native, .wall(cost)])
    func `what a failing program has lent may go away once it has withdrawn`(clock: FabricClock) throws {
        struct Broken: Error {}
        let error = #expect(throws: (any Error).self) {
            try run(2, clock) { communicator in
                if communicator.rank == 1 {
                    try communicator.receive(from: 0) { bytes in _ = bytes.reduce(0) { $0 &+ Int($1) } }
                    return try communicator.barrier()
                }
                let lent = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
                defer { lent.deallocate() }
                lent.initializeMemory(as: UInt8.self, repeating: 3)
                try communicator.post(UnsafeRawBufferPointer(lent), to: 1)
                communicator.withdraw(because: Broken())
                throw Broken()
            }
        }
        #expect(error != nil)
    }

    @Test(arguments: clocks) func `nobody passes a barrier before all have come to it`(clock: FabricClock) throws {
        let arrived = Locked(0)
        let seen = try run(5, clock) { communicator -> [Int] in
            var seen: [Int] = []
            for round in 1...20 {
                arrived.withLock { $0 += 1 }
                try communicator.barrier()
                seen.append(arrived.withLock { $0 } >= 5 * round ? 1 : 0)
                try communicator.barrier()
            }
            return seen
        }
        #expect(seen.allSatisfy { $0.allSatisfy { $0 == 1 } })
    }

    @Test(arguments: clocks) func `a rank that fails is named to all who wait for it`(clock: FabricClock) throws {
        struct Broken: Error, CustomStringConvertible { let description = "broke" }
        let told = Locked<[FabricError]>([])
        #expect(throws: Broken.self) {
            _ = try run(4, clock) { communicator in
                do {
                    switch communicator.rank {
                    case 2: throw Broken()
                    case 3: try communicator.barrier()
                    default: try communicator.receive(from: 2) { _ in }
                    }
                } catch let error as FabricError {
                    told.withLock { $0.append(error) }
                    throw error
                }
            }
        }
        #expect(told.withLock { $0 } == Array(repeating: .rankFailed(rank: 2, reason: "broke"), count: 3))
    }

    @Test(arguments: clocks) func `a rank that fails is named to who waits for room, for a reader or for time to pass`(
        clock: FabricClock
    ) throws {
        // Under the virtual clock nobody waits for room or a reader, and an hour passes at once.
        struct Broken: Error, CustomStringConvertible { let description = "broke" }
        let told = Locked<[FabricError]>([])
        #expect(throws: Broken.self) {
            _ = try run(4, clock) { communicator in
                let large = [UInt8](repeating: 1, count: 2_000)
                do {
                    try large.withUnsafeBytes { bytes in
                        switch communicator.rank {
                        case 0: for _ in 0...Communicator.messagesUnderWay { try communicator.post(bytes, to: 3) }
                        case 1: try communicator.complete(communicator.post(bytes, to: 3))
                        case 2: try communicator.compute(seconds: 3_600) {}
                        default: throw Broken()
                        }
                    }
                    try communicator.barrier()
                } catch let error as FabricError {
                    told.withLock { $0.append(error) }
                    throw error
                }
            }
        }
        #expect(told.withLock { $0 } == Array(repeating: .rankFailed(rank: 3, reason: "broke"), count: 3))
    }

    @Test(arguments: clocks) func `a length that differs and a peer that is none are errors`(clock: FabricClock) throws
    {
        let error = #expect(throws: FabricError.self) {
            _ = try run(2, clock) { communicator in
                if communicator.rank == 0 {
                    try communicator.send(byteCount: 12, to: 1) { _ in }
                } else {
                    try communicator.receive(byteCount: 8, from: 0) { _ in }
                }
            }
        }
        #expect(error == .lengthMismatch(from: 0, to: 1, foundBytes: 12, expectedBytes: 8))
        for peer in [-1, 0, 2] {
            #expect(throws: FabricError.noSuchPeer(rank: 0, peer: peer, count: 2)) {
                _ = try run(2, clock) { if $0.rank == 0 { try $0.receive(from: peer) { _ in } } }
            }
        }
    }

    @Test func `under the virtual clock a deadlock is an error that says who waits for whom`() throws {
        let error = #expect(throws: FabricError.self) {
            _ = try run(3, .virtual(Self.cost)) { communicator in
                if communicator.rank == 2 { return try communicator.barrier() }
                try communicator.receive(from: 1 - communicator.rank) { _ in }
            }
        }
        #expect(
            error?.description
                == "deadlock: rank 0 waits for rank 1, rank 1 waits for rank 0, rank 2 waits in the barrier")
    }

    @Test func `virtual time follows the switch model to the last bit`() throws {
        // Three ranks send to rank 0, which receives one after the other: occupied ports add up.
        let times = try run(4, .virtual(Self.cost)) { communicator -> Double in
            if communicator.rank == 0 {
                for peer in 1..<4 { try communicator.receive(byteCount: 1_000_000, from: peer) { _ in } }
            } else {
                try communicator.compute(seconds: 0.25) {}
                try communicator.send(byteCount: 1_000_000, to: 0) { _ in }
            }
            return communicator.now
        }
        let one = Self.cost.messageSeconds(megabytes: 1)
        #expect(times == [0.25 + one + one + one, 0.25, 0.25, 0.25])
    }

    @Test func `stragglers are drawn from their seed and slow their ranks`() throws {
        func times(_ straggler: Straggler) throws -> [Double] {
            try run(3, .virtual(Self.cost), straggler: straggler) { communicator in
                for _ in 0..<4 { try communicator.compute(seconds: 1) {} }
                return communicator.now
            }
        }
        #expect(try times(.none) == [4, 4, 4])
        #expect(try times(.constant(rank: 1, factor: 2.5)) == [4, 10, 4])
        let drawn = try times(.lognormal(sigma: 0.5, seed: 3))
        #expect(try times(.lognormal(sigma: 0.5, seed: 3)) == drawn && Set(drawn).count == 3)
        #expect(try times(.exponential(mean: 0.5, seed: 3)).allSatisfy { $0 > 4 })
        // The lognormal factor has mean 1.
        let mean =
            (0..<4_000).reduce(0.0) { $0 + Straggler.lognormal(sigma: 0.5, seed: 9).factor(rank: 0, step: UInt64($1)) }
            / 4_000
        #expect(abs(mean - 1) < 4.5 * (exp(0.25) - 1).squareRoot() / 4_000.0.squareRoot())
    }

    @Test func `under the wall clock a message does not arrive before the ports allow`() throws {
        let arrivals = try run(3, .wall(Self.cost)) { communicator -> Double in
            if communicator.rank == 0 {
                for peer in 1..<3 { try communicator.receive(from: peer) { _ in } }
            } else {
                try communicator.send(byteCount: 1_000_000, to: 0) { _ in }
            }
            return communicator.now
        }
        #expect(arrivals[0] >= 2 * Self.cost.messageSeconds(megabytes: 1))
    }

    @Test func `many more ranks than cores make progress`() throws {
        for clock in Self.clocks {
            let sums = try run(60, clock) { communicator -> Int in
                var token = communicator.rank
                for _ in 0..<5 {
                    try communicator.send(byteCount: 8, to: (communicator.rank + 1) % 60) {
                        $0.storeBytes(of: token, as: Int.self)
                    }
                    token = try communicator.receive(byteCount: 8, from: (communicator.rank + 59) % 60) {
                        $0.load(as: Int.self)
                    }
                }
                return token
            }
            #expect(sums == (0..<60).map { ($0 + 55) % 60 })
        }
    }
}
