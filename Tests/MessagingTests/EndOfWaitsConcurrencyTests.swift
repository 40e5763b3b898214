import Kernels
import Messaging
import Platform
import SwitchModel
import Testing

/// Waits of hours on the wall clock, which nobody sits through who has been told to end or whose peer has failed.
@Suite(.timeLimit(.minutes(2))) struct EndOfWaitsConcurrencyTests {
    static let hour = 3_600.0
    static let clock = FabricClock.wall(try! NetworkCost(latencySeconds: hour, secondsPerMegabyte: 1))

    /// What rank 0 waits for; rank 1 does its part of it.
    enum Wait: String, CaseIterable {
        case computation, message, anyMessage, pollingForMessage, sendPort, barrier, pull, push, exchange
    }

    private struct Failed: Error {}

    /// One wait by rank 0 of two.
    private static func sit(_ wait: Wait, _ communicator: Communicator) throws {
        let (rank, peer) = (communicator.rank, 1 - communicator.rank)
        func send() throws { try communicator.send(byteCount: 8, to: peer) { $0.storeBytes(of: 5, as: Int.self) } }
        switch wait {
        case .computation: try communicator.compute(seconds: hour) {}
        case .message, .anyMessage, .pollingForMessage:
            if rank == 1 { return try send() }
            var got: Int?
            switch wait {
            case .message: got = try communicator.receive(from: peer) { $0.load(as: Int.self) }
            case .anyMessage: got = try communicator.receiveAny(from: [peer]) { $1.load(as: Int.self) }
            default:
                while got == nil { got = try communicator.tryReceive(from: peer) { $0.load(as: Int.self) } }
            }
            #expect(got == 5)
        case .sendPort:
            if rank == 1 { return try communicator.receive(from: peer) { #expect($0.load(as: Int.self) == 5) } }
            try send()
            try communicator.awaitSendPort()
        case .barrier:
            if rank == 1 { try communicator.compute(seconds: hour) {} }
            try communicator.barrier()
        case .pull, .push, .exchange:
            guard rank == 0 else { return }
            let window = communicator.window(.parameters, on: 1)
            let own = try Vector(count: 4)
            switch wait {
            case .pull: _ = try window.pull(into: own)
            case .push: _ = try window.push(own) { x, g in x.add(times: g) }
            default: _ = try window.average(with: communicator.window(.parameters, on: 0))
            }
        }
    }

    private static func fabric() throws -> Fabric {
        let fabric = try Fabric(count: 2, clock: clock)
        for rank in 0..<2 { try fabric.openWindow(.parameters, on: rank, count: 4) }
        return fabric
    }

    @Test(arguments: Wait.allCases) func `every wait ends when the waits are ended, with what was waited for`(
        wait: Wait
    ) throws {
        let fabric = try Self.fabric()
        @Sendable func sit(_ communicator: Communicator) throws -> Double {
            try Self.sit(wait, communicator)
            // Nor does any later one take long.
            try communicator.compute(seconds: Self.hour) {}
            return communicator.now
        }
        let seconds = try fabric.run(whileWaiting: { fabric.endWallWaits() }, sit)
        #expect(seconds.allSatisfy { $0 < Self.hour })
    }

    @Test(arguments: Wait.allCases) func `every wait ends when another rank fails`(wait: Wait) throws {
        let isWaiting = Locked(false)
        let fabric = try Fabric(count: 3, clock: Self.clock)
        for rank in 0..<2 { try fabric.openWindow(.parameters, on: rank, count: 4) }
        @Sendable func program(_ communicator: Communicator) throws {
            if communicator.rank < 2 { return try Self.sit(wait, communicator) }
            // The others have begun to wait.
            while !isWaiting.withLock({ $0 }) {}
            throw Failed()
        }
        #expect(throws: Failed.self) {
            try fabric.run(whileWaiting: { isWaiting.withLock { $0 = true } }, program)
        }
    }
}
