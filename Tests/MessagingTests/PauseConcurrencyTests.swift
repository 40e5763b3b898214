import Foundation
import Kernels
import Messaging
import Platform
import SwitchModel
import Testing

/// A run that stands still while it is looked at.
@Suite(.timeLimit(.minutes(2))) struct PauseConcurrencyTests {
    static let cost = try! NetworkCost(latencySeconds: 1.5e-3, secondsPerMegabyte: 5e-3)

    private static let clocks: [FabricClock] = [.native, .wall(cost), .virtual(cost)]

    @Test(arguments: [FabricClock.native, .wall(cost)])
    func `all ranks stand still together, with messages under way, and what the look takes is in no time`(
        clock: FabricClock
    ) throws {
        let count = 4
        let steps = Locked([Int](repeating: 0, count: count))
        let start = Date()
        let run = try FabricRun(Fabric(count: count, clock: clock)) { communicator -> Double in
            let from = communicator.now
            for step in 0..<6 {
                try communicator.send(byteCount: 8, to: (communicator.rank + 1) % count) {
                    $0.storeBytes(of: step, as: Int.self)
                }
                steps.withLock { $0[communicator.rank] += 1 }
                try communicator.pause()
                let got = try communicator.receive(from: (communicator.rank + count - 1) % count) {
                    $0.load(as: Int.self)
                }
                #expect(got == step)
            }
            return communicator.now - from
        }
        var (looks, asleep) = (0, 0.0)
        while try run.advance() {
            let before = Date()
            looks += 1
            #expect(steps.withLock { $0 } == Array(repeating: looks, count: count))
            #expect((0..<count).allSatisfy { run.traffic(of: $0).sent.messages == looks })
            usleep(30_000)
            #expect(steps.withLock { $0 } == Array(repeating: looks, count: count))
            asleep += Date().timeIntervalSince(before)
        }
        let all = Date().timeIntervalSince(start)
        #expect(looks == 6)
        #expect(run.results.allSatisfy { $0 <= all - asleep + 1e-3 }, "\(run.results) of \(all), asleep for \(asleep)")
    }

    /// What a run of a ring in virtual time ends with, looked at after every `every`-th step of rank `looker`; 0: never.
    private func ring(every: Int, looker: Int) throws -> (results: [[Double]], looks: [[Float]]) {
        let count = 5
        let fabric = try Fabric(
            count: count, clock: .virtual(Self.cost), straggler: .lognormal(sigma: 0.5, seed: 4))
        let x = try (0..<count).map { try fabric.openWindow(.parameters, on: $0, count: 1) }
        let run = try FabricRun(fabric) { communicator -> [Double] in
            let own = communicator.window(.parameters, on: communicator.rank)
            var value = Double(communicator.rank)
            for step in 1...20 {
                try communicator.compute(seconds: 1e-3) {}
                try communicator.send(byteCount: 8, to: (communicator.rank + 1) % count) {
                    $0.storeBytes(of: value, as: Double.self)
                }
                let got = try communicator.receive(from: (communicator.rank + count - 1) % count) {
                    $0.load(as: Double.self)
                }
                value = 0.75 * value + 0.25 * got
                try own.push(byteCount: 4) { $0[0] = Float(value) }
                if every > 0, communicator.rank == looker, step % every == 0 { try communicator.pause() }
            }
            return [value, communicator.now]
        }
        var looks: [[Float]] = []
        while try run.advance() { looks.append(x.map { $0[0] }) }
        return (run.results, looks)
    }

    @Test func `in virtual time any number of looks gives the same bits and the same seconds`() throws {
        let never = try ring(every: 0, looker: 0)
        #expect(never.looks.isEmpty)
        for (every, looker) in [(1, 0), (1, 3), (5, 2), (20, 4)] {
            let looked = try ring(every: every, looker: looker)
            #expect(looked.results == never.results)
            #expect(looked.looks.count == 20 / every)
        }
        // At each look the ranks are where they are at that instant.
        let values = try ring(every: 1, looker: 0).looks
        #expect(Set(values.map { $0[0] }).count == 20)
    }

    @Test(arguments: [FabricClock.native, .wall(cost)])
    func `a rank that has ended is not waited for by those who pause`(clock: FabricClock) throws {
        let run = try FabricRun(Fabric(count: 4, clock: clock)) { communicator -> Int in
            for _ in 0..<communicator.rank { try communicator.pause() }
            return communicator.rank
        }
        var looks = 0
        while try run.advance() { looks += 1 }
        #expect(looks == 3 && run.results == [0, 1, 2, 3])
    }

    @Test(arguments: clocks) func `who waits for a condition stands still with those who pause`(clock: FabricClock)
        throws
    {
        let fabric = try Fabric(count: 4, clock: clock)
        let x = try fabric.openWindow(.parameters, on: 3, count: 1)
        let run = try FabricRun(fabric) { communicator in
            let window = communicator.window(.parameters, on: 3)
            switch communicator.rank {
            case 0:
                for _ in 0..<3 {
                    try communicator.compute(seconds: 1e-4) {}
                    try window.push(byteCount: 4) { $0[0] += 1 }
                    try communicator.pause()
                }
            case 3: break
            // Its condition holds when rank 0 pauses for the second time: then it waits for the end of that pause.
            default:
                try window.pull(into: Vector(count: 1)) { $0.version >= UInt64(communicator.rank) + 1 }
                try window.push(byteCount: 4) { $0[0] += 100 }
            }
        }
        var looks: [Float] = []
        while try run.advance() {
            looks.append(x[0])
            usleep(10_000)
            #expect(x[0] == looks.last)
        }
        #expect(looks.count == 3 && looks[0] == 1 && x[0] == 203)
    }

    @Test(arguments: clocks) func `a run that is cancelled in a pause ends everywhere, and what was sent stays counted`(
        clock: FabricClock
    ) throws {
        for isCancelled in [true, false] {
            let told = Locked<[FabricError]>([])
            var run: FabricRun<Void>? = try FabricRun(Fabric(count: 4, clock: clock)) { communicator in
                do {
                    for _ in 0..<1_000 {
                        try communicator.send(byteCount: 8, to: (communicator.rank + 1) % 4) { _ in }
                        if communicator.isModel { try communicator.compute(seconds: 1e-3) {} }
                        try communicator.receive(from: (communicator.rank + 3) % 4) { _ in }
                        try communicator.pause()
                    }
                } catch let error as FabricError {
                    told.withLock { $0.append(error) }
                    throw error
                }
            }
            for _ in 0..<9 { #expect(try run!.advance()) }
            if isCancelled {
                run!.cancel()
                #expect(try !run!.advance())
                #expect(run!.traffic(of: 0).sent.messages >= 3)
            }
            // Let go of, it is cancelled.
            run = nil
            #expect(told.withLock { $0 } == Array(repeating: .cancelled, count: 4))
        }
    }

    @Test(arguments: clocks) func `a rank that fails is named to those who pause`(clock: FabricClock) throws {
        struct Broken: Error {}
        let run = try FabricRun(Fabric(count: 4, clock: clock)) { communicator in
            if communicator.rank == 2 { throw Broken() }
            while true {
                try communicator.pause()
                try communicator.compute(seconds: 1e-3) {}
            }
        }
        #expect(throws: Broken.self) { while try run.advance() {} }
        #expect(try !run.advance())
    }

    enum Way: CaseIterable {
        case message, window, barrier, sharedMemory
    }

    @Test(arguments: clocks, Way.allCases) func `the end travels with whatever ranks exchange`(
        clock: FabricClock, way: Way
    ) throws {
        if clock.isModel && way == .sharedMemory { return }
        let count = 5
        let fabric = try Fabric(count: count, clock: clock)
        for rank in 0..<count { try fabric.openWindow(.parameters, on: rank, count: 1) }
        let known = try fabric.run { communicator -> UInt64 in
            let rank = communicator.rank
            #expect(communicator.endsBefore == .max)
            if rank == 0 {
                communicator.end(before: 70)
                communicator.end(before: 90)
            }
            if rank == 2 { communicator.end(before: 50) }
            switch way {
            case .barrier: try communicator.barrier()
            case .sharedMemory:
                var own: UInt8 = 0
                try withUnsafeMutableBytes(of: &own) {
                    try communicator.withSharedMemory($0, operation: "test") { _ in }
                }
            case .message:
                // Along a chain: who hears of it knows what all before knew.
                if rank > 0 { try communicator.receive(from: rank - 1) { _ in } }
                if rank + 1 < count { try communicator.send(byteCount: rank * 600, to: rank + 1) { _ in } }
                try communicator.completeAll()
            case .window:
                if rank > 0 {
                    let own = communicator.window(.parameters, on: rank)
                    try own.pull(into: Vector(count: 1)) { $0.version > 0 }
                }
                if rank + 1 < count { try communicator.window(.parameters, on: rank + 1).push(byteCount: 4) { _ in } }
            }
            return communicator.endsBefore
        }
        let after: [UInt64] = way == .message || way == .window ? [70, 70, 50, 50, 50] : [50, 50, 50, 50, 50]
        #expect(known == after)
    }
}
