import Kernels
import Messaging
import Platform
import SwitchModel
import Testing

/// What windows promise, on every clock: whole updates, none lost, counted; and the times of the switch.
@Suite(.timeLimit(.minutes(2))) struct WindowConcurrencyTests {
    static let cost = try! NetworkCost(latencySeconds: 1.5e-4, secondsPerMegabyte: 5e-3)
    static let clocks: [FabricClock] = [.native, .wall(cost), .virtual(cost)]

    @Test(arguments: clocks) func `what is pulled is a whole number of updates, and none is lost`(clock: FabricClock)
        throws
    {
        let (workers, each, count) = (5, 30, 300)
        let fabric = try Fabric(count: workers + 1, clock: clock)
        let x = try fabric.openWindow(.parameters, on: workers, count: count)
        let torn = try fabric.run { communicator -> Int in
            if communicator.rank == workers { return 0 }
            let window = communicator.window(.parameters, on: workers)
            let (own, ones) = try (Vector(count: count), Vector(count: count))
            ones.fill(with: 1)
            var torn = 0
            for _ in 0..<each {
                let read = try window.pull(into: own)
                if (0..<count).contains(where: { own[$0] != Float(read) }) { torn += 1 }
                let before = try window.push(ones) { x, g in x.add(times: g) }
                if before < read { torn += 1 }
            }
            return torn
        }
        #expect(torn.allSatisfy { $0 == 0 })
        #expect(x[0] == Float(workers * each) && x[count - 1] == x[0])
        let state = fabric.state(of: .parameters, on: workers)
        #expect(state.version == UInt64(workers * each))
        #expect((0..<workers).allSatisfy { state.updates(by: $0) == UInt64(each) } && state.updates(by: workers) == 0)
    }

    @Test(arguments: clocks) func `one worker alone sees its own updates and is never stale`(clock: FabricClock) throws
    {
        let fabric = try Fabric(count: 2, clock: clock)
        try fabric.openWindow(.parameters, on: 1, count: 10)
        try fabric.run { communicator in
            guard communicator.rank == 0 else { return }
            let window = communicator.window(.parameters, on: 1)
            let own = try Vector(count: 10)
            for t in 0..<20 {
                let read = try window.pull(into: own)
                let version = try window.push(byteCount: 4) { x in x[3] += 1 }
                #expect(read == UInt64(t) && version == read && own[3] == Float(t))
            }
        }
    }

    @Test(arguments: clocks) func `a chunk and a set of coordinates come alone`(clock: FabricClock) throws {
        let fabric = try Fabric(count: 2, clock: clock)
        let x = try fabric.openWindow(.parameters, on: 1, count: 10)
        for i in 0..<10 { x[i] = Float(i) }
        let found = try fabric.run { communicator -> ([Float], [Float], Double) in
            guard communicator.rank == 0 else { return ([], [], 0) }
            let window = communicator.window(.parameters, on: 1)
            let own = try Vector(count: 10)
            own.fill(with: -1)
            try window.pull(into: own, chunk: own.chunk(1, of: 3))
            var values: [Float] = [0, 0, 0]
            try window.pull(coordinates: [7, 0, 9], into: &values)
            return ((0..<10).map { own[$0] }, values, communicator.now)
        }
        #expect(found[0].0 == [-1, -1, -1, 3, 4, 5, -1, -1, -1, -1])
        #expect(found[0].1 == [7, 0, 9])
        if case .virtual = clock { #expect(found[0].2 == 2 * Self.cost.messageSeconds(megabytes: 12e-6)) }
    }

    @Test func `a pull reads when its transfer begins, and a push applies when it has arrived`() throws {
        // A message of a megabyte takes 6.5: latency 1.5, 5 per MB. Rank 3 owns.
        let cost = try NetworkCost(latencySeconds: 1.5, secondsPerMegabyte: 5)
        let fabric = try Fabric(count: 4, clock: .virtual(cost))
        try fabric.openWindow(.parameters, on: 3, count: 250_000)
        let found = try fabric.run { communicator -> (version: UInt64, seconds: Double) in
            let window = communicator.window(.parameters, on: 3)
            let own = try Vector(count: 250_000)
            switch communicator.rank {
            case 0: return (try window.push(own) { x, g in x.add(times: g) }, communicator.now)
            case 1: return (try window.pull(into: own), communicator.now)
            case 2:
                // Asks at 6, when the owner's send port is busy until 6.5: then the push has been applied.
                try communicator.compute(seconds: 6) {}
                return (try window.pull(into: own), communicator.now)
            default: return (0, 0)
            }
        }
        #expect(found[0] == (0, 6.5) && found[1] == (0, 6.5) && found[2] == (1, 13))
    }

    /// The pattern of section 4.1 for the switch model.
    private struct Asynchronous: RankPrograms {
        let workers: Int
        let rounds: Int
        let seconds: [Double]
        var rankCount: Int { workers + 1 }

        func operation(of rank: Int, at step: Int) -> RankOperation? {
            if rank == workers || step >= 3 * rounds { return nil }
            switch step % 3 {
            case 0: return .pull(from: workers, megabytes: 4e-3)
            case 1: return .compute(seconds: seconds[rank])
            default: return .push(to: workers, megabytes: 4e-3)
            }
        }
    }

    @Test(arguments: [PortSemantics.occupied, .pipelined]) func `asynchronous workers take what the switch model says`(
        ports: PortSemantics
    ) throws {
        let cost = try NetworkCost(latencySeconds: 1e-4, secondsPerMegabyte: 0.1, ports: ports)
        let seconds = [1e-3, 1.7e-3, 0.4e-3, 2.9e-3, 1e-3]
        let programs = Asynchronous(workers: 5, rounds: 12, seconds: seconds)
        let fabric = try Fabric(count: 6, clock: .virtual(cost))
        try fabric.openWindow(.parameters, on: 5, count: 1_000)
        let ends = try fabric.run { communicator -> Double in
            guard communicator.rank < 5 else { return 0 }
            let window = communicator.window(.parameters, on: 5)
            let own = try Vector(count: 1_000)
            for _ in 0..<12 {
                try window.pull(into: own)
                try communicator.compute(seconds: seconds[communicator.rank]) {}
                try window.push(own) { _, _ in }
            }
            return communicator.now
        }
        #expect(ends.max()! == Timeline(running: programs, cost: cost).lastEnd)
    }

    @Test func `equal workers whose server is idle see each other's update once a round`() throws {
        let workers = 4
        let fabric = try Fabric(count: workers + 1, clock: .virtual(Self.cost))
        try fabric.openWindow(.parameters, on: workers, count: 4)
        let staleness = try fabric.run { communicator -> [UInt64] in
            guard communicator.rank < workers else { return [] }
            let window = communicator.window(.parameters, on: workers)
            let own = try Vector(count: 4)
            return try (0..<10).map { _ in
                let read = try window.pull(into: own)
                try communicator.compute(seconds: 1) {}
                return try window.push(own) { _, _ in } - read
            }
        }
        #expect(staleness.dropLast().allSatisfy { $0.dropFirst().allSatisfy { $0 == UInt64(workers - 1) } })
    }

    @Test(arguments: clocks) func `a condition holds back whoever is too far ahead`(clock: FabricClock) throws {
        let (workers, bound) = (4, UInt64(2))
        let fabric = try Fabric(count: workers + 1, clock: clock, straggler: .constant(rank: 0, factor: 5))
        try fabric.openWindow(.parameters, on: workers, count: 4)
        let ahead = try fabric.run { communicator -> UInt64 in
            guard communicator.rank < workers else { return 0 }
            let window = communicator.window(.parameters, on: workers)
            let own = try Vector(count: 4)
            var ahead: UInt64 = 0
            for t in 0..<UInt64(15) {
                var fewest: UInt64 = 0
                try window.pull(into: own) { state in
                    fewest = state.fewestUpdates(by: 0..<workers)
                    return t <= fewest + bound
                }
                ahead = max(ahead, t - min(t, fewest))
                try communicator.compute(seconds: 2e-4) {}
                try window.push(byteCount: 4) { _ in }
            }
            return ahead
        }
        #expect(ahead.max()! <= bound)
        if case .virtual = clock { #expect(ahead == [0, bound, bound, bound, 0]) }
        #expect(fabric.state(of: .parameters, on: workers).version == UInt64(15 * workers))
    }

    @Test(arguments: clocks)
    func `who waits for a condition is told when a rank fails, or that nobody will bring it about`(
        clock: FabricClock
    ) throws {
        struct Broken: Error {}
        func run(_ body: @Sendable (Communicator) throws -> Void) throws {
            let fabric = try Fabric(count: 3, clock: clock)
            try fabric.openWindow(.parameters, on: 2, count: 4)
            _ = try fabric.run(body)
        }
        #expect(throws: Broken.self) {
            try run { communicator in
                if communicator.rank == 1 {
                    try communicator.window(.parameters, on: 2).push(byteCount: 4) { _ in }
                    throw Broken()
                }
                if communicator.rank == 0 {
                    try communicator.window(.parameters, on: 2).pull(into: Vector(count: 4)) { $0.version > 5 }
                }
            }
        }
        let error = #expect(throws: FabricError.self) {
            try run { communicator in
                if communicator.rank > 0 { return }
                try communicator.window(.parameters, on: 2).pull(into: Vector(count: 4)) { $0.version > 0 }
            }
        }
        #expect(error?.description == "deadlock: rank 0 waits for a window to change")
    }

    @Test(arguments: clocks)
    func `who waits for a rank goes on when that has ended, and learns what it knew of the end`(clock: FabricClock)
        throws
    {
        let workers = 5
        let fabric = try Fabric(count: workers + 1, clock: clock)
        try fabric.openWindow(.parameters, on: workers, count: 4)
        let found = try fabric.run { communicator -> (updates: Int, end: UInt64) in
            guard communicator.rank < workers else { return (0, 0) }
            let window = communicator.window(.parameters, on: workers)
            let own = try Vector(count: 4)
            // Rank r makes r updates, each with all others that still go on at its heels.
            for t in 0..<UInt64(communicator.rank) {
                try window.pull(into: own) { t <= $0.fewestUpdates(by: 0..<workers) }
                try communicator.compute(seconds: 1e-4) {}
                try window.push(byteCount: 4) { _ in }
            }
            // After its last word: only who waits for it can hear of it.
            communicator.end(before: UInt64(100 - communicator.rank))
            if communicator.rank == workers - 1 { try window.pull(into: own) { $0.hasEnded(workers - 2) } }
            return (communicator.rank, communicator.endsBefore)
        }
        let state = fabric.state(of: .parameters, on: workers)
        #expect(state.version == 10 && (0..<workers).allSatisfy { state.updates(by: $0) == UInt64($0) })
        #expect(found[workers - 1].end <= 97)
    }

    @Test(arguments: clocks) func `what is offered is told its version, and what is refused is no update`(
        clock: FabricClock
    ) throws {
        let (workers, each) = (4, 12)
        let fabric = try Fabric(count: workers + 1, clock: clock)
        let x = try fabric.openWindow(.parameters, on: workers, count: 8, aside: 3)
        // Three offers make an update: what is put aside is the owner's, whoever offers.
        let found = try fabric.run { communicator -> [(t: UInt64, isUpdate: Bool)] in
            guard communicator.rank < workers else { return [] }
            let window = communicator.window(.parameters, on: workers)
            let own = try Vector(count: 8)
            own.fill(with: 1)
            return try (0..<each).map { _ in
                let offered = try window.offer(own) { x, g, t in
                    window.aside[2] += 1
                    if x[0] != 3 * Float(t) { x[7] = -1_000 }
                    if window.aside[2] < 3 { return false }
                    window.aside[2] = 0
                    x.add(3, times: g)
                    return true
                }
                let pushed = try window.push(own) { x, g, t in
                    if x[0] != 3 * Float(t) { x[7] = -1_000 }
                    x.add(3, times: g)
                }
                #expect(pushed >= (offered.isUpdate ? offered.t + 1 : offered.t))
                return offered
            }
        }
        let state = fabric.state(of: .parameters, on: workers)
        let taken = found.joined().filter(\.isUpdate)
        #expect(taken.count == workers * each / 3 && Set(taken.map(\.t)).count == taken.count)
        #expect(state.version == UInt64(workers * each + taken.count))
        #expect((0..<8).allSatisfy { x[$0] == 3 * Float(state.version) })
        #expect(
            (0..<workers).allSatisfy { rank in
                state.updates(by: rank) == UInt64(each + found[rank].count { $0.isUpdate })
            })
    }

    @Test(arguments: clocks) func `pairs that average keep the sum, and both have the mean`(clock: FabricClock) throws {
        let count = 6
        let fabric = try Fabric(count: count, clock: clock)
        let vectors = try (0..<count).map { rank in
            let x = try fabric.openWindow(.parameters, on: rank, count: 50)
            x.fill(with: Float(rank))
            return x
        }
        let times = try fabric.run { communicator -> Double in
            let own = communicator.window(.parameters, on: communicator.rank)
            var stream = RandomStream(seed: 5, rank: UInt32(communicator.rank), step: 0)
            for _ in 0..<25 {
                let peer = (communicator.rank + 1 + Int(stream.next() % UInt64(count - 1))) % count
                try communicator.window(.parameters, on: peer).average(with: own)
            }
            return communicator.now
        }
        #expect(abs(vectors.reduce(0) { $0 + $1[49] } - 15) < 1e-4)
        #expect(vectors.allSatisfy { x in (0..<50).allSatisfy { x[$0] == x[0] } })
        #expect(vectors.allSatisfy { abs($0[0] - 2.5) < 1 })
        let versions = (0..<count).map { fabric.state(of: .parameters, on: $0).version }
        #expect(versions.reduce(0, +) == UInt64(2 * 25 * count))
        if case .virtual = clock {
            #expect(times.allSatisfy { $0 > 25 * Self.cost.messageSeconds(megabytes: 2e-4) * 0.999 })
        }
    }

    @Test func `an average of two takes one transfer, both ways at once`() throws {
        let fabric = try Fabric(count: 2, clock: .virtual(Self.cost))
        let x = try (0..<2).map { try fabric.openWindow(.parameters, on: $0, count: 250) }
        x[1].fill(with: 3)
        let times = try fabric.run { communicator -> Double in
            if communicator.rank == 1 { return communicator.now }
            let own = communicator.window(.parameters, on: 0)
            try communicator.window(.parameters, on: 1).average(with: own)
            return communicator.now
        }
        #expect(times == [Self.cost.messageSeconds(megabytes: 1e-3), 0])
        #expect(x[0][249] == 1.5 && x[1][0] == 1.5)
    }
}
