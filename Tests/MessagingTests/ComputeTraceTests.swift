import Messaging
import Platform
import SwitchModel
import Testing

/// Recorded times of computations, and computations that a message ends.
@Suite(.timeLimit(.minutes(2))) struct ComputeTraceTests {
    static let cost = try! NetworkCost(latencySeconds: 1e-2, secondsPerMegabyte: 1)
    static let clocks: [FabricClock] = [.wall(cost), .virtual(cost)]

    private func trace(_ text: String, ranks: Int = 2) throws(InputError) -> ComputeTrace {
        try ComputeTrace(TextLines(text, name: "f"), ranks: ranks)
    }

    @Test func `what is written is read, and begins again at its end`() throws {
        let text = ComputeTrace.text(of: [[0.25, 1e-7, 3], [0]])
        let straggler = Straggler.trace(try trace(text))
        #expect((0..<5).map { straggler.factor(rank: 0, step: $0) } == [0.25, 1e-7, 3, 0.25, 1e-7])
        #expect((0..<3).map { straggler.factor(rank: 1, step: $0) } == [0, 0, 0])
        #expect(try trace(text) == trace(text.replacing("\n", with: "\r\n")) && straggler.isDrawn && straggler.isTrace)
        #expect(abs(straggler.meanFactor - (3.25 + 1e-7) / 3) < 1e-12)
    }

    @Test(arguments: [
        ("", "f:1"), ("0,1\n", "f:1"), ("rank,seconds\n0,1\n1", "f:3"), ("rank,seconds\n0,1\n2,1", "f:3"),
        ("rank,seconds\n0,-1", "f:2"), ("rank,seconds\n0,nan", "f:2"), ("rank,seconds\n0,inf", "f:2"),
        ("rank,seconds\n0,1e10", "f:2"), ("rank,seconds\n0,1\n\n1,1", "f:3"), ("rank,seconds\n-1,1", "f:2"),
        ("rank,seconds\n0,1,2", "f:2"), ("rank,seconds\n0,1", "f"), ("rank,seconds", "f"), ("rank,seconds\nx,1", "f:2"),
    ])
    func `what is no trace is refused with its line`(text: String, place: String) throws {
        let error = #expect(throws: InputError.self) { try trace(text) }
        #expect(error?.place == place, "\(error?.description ?? "")")
    }

    @Test func `of a run of one worker the ranks that others would have need no line`() throws {
        let text = TextLines("rank,seconds\n0,2", name: "f")
        #expect(Straggler.trace(try ComputeTrace(text, ranks: 4, computing: 1)).factor(rank: 0, step: 9) == 2)
        // In a list others are compared with it, which have them.
        let all = TextLines("rank,seconds\n0,2\n1,3", name: "f")
        #expect(
            try ComputeTrace(all, ranks: 2, computing: 1)
                == ComputeTrace(TextLines("rank,seconds\n0,2", name: "f"), ranks: 1))
        #expect(throws: InputError.self) { try ComputeTrace(all, ranks: 1, computing: 1) }
    }

    @Test func `as many computations as a run keeps make a file that can be read`() {
        for ranks in [1, 10, 1_000] {
            let line =
                ComputeTrace.text(of: [[Double]](repeating: [-2.2250738585072014e-308], count: ranks)).utf8.count - 13
            #expect(line / ranks * ranks * ComputeTrace.mostPerRank(of: ranks) <= TextLines.maximumBytes)
        }
    }

    @Test func `a file that is not there is refused by name`() {
        let error = #expect(throws: InputError.self) {
            try Straggler(parsing: "trace:/no/such:file", ranks: 2, seed: 1)
        }
        #expect(error?.place == "/no/such:file" && error?.found == "no such file")
    }

    @Test(arguments: clocks) func `ranks compute as long as the trace has it`(clock: FabricClock) throws {
        let straggler = Straggler.trace(try trace("rank,seconds\n0,0.01\n1,0.03\n0,0.02"))
        let fabric = try Fabric(count: 2, clock: clock, straggler: straggler)
        let times = try fabric.run { communicator in
            let start = communicator.now
            // The second is of two minibatches; what belongs to a step besides is not in the trace.
            try communicator.compute(seconds: 1) {}
            try communicator.compute(seconds: 2) {}
            try communicator.compute(seconds: 0.005, isStep: false) {}
            return communicator.now - start
        }
        for (found, expected) in zip(times, [0.055, 0.095]) {
            #expect(found >= expected - 1e-9 && (!clock.isVirtual || found < expected + 1e-9))
        }
    }

    @Test(arguments: clocks) func `a computation ends with a message that comes before its end, and no other`(
        clock: FabricClock
    ) throws {
        let fabric = try Fabric(count: 3, clock: clock)
        let found = try fabric.run { communicator -> [Double] in
            func send(to peer: Int) throws { try communicator.send(byteCount: 0, to: peer) { _ in } }
            if communicator.rank > 0 {
                if communicator.rank == 2 { try send(to: 0) }
                for seconds in [0.02, 0.1] {
                    try communicator.compute(seconds: seconds) {}
                    if communicator.rank == 1 { try send(to: 0) }
                }
                return []
            }
            let start = communicator.now
            func compute(_ seconds: Double) throws -> Bool {
                try communicator.compute(seconds: seconds, untilMessageFrom: 1) { true } ?? false
            }
            func receive() throws { try communicator.receive(byteCount: 0, from: 1) { _ in } }
            // Rank 2's message is there, and nobody's business; rank 1's come at 0.03 and 0.13.
            #expect(try compute(0.005))
            #expect(try !compute(5))
            let first = communicator.now - start
            // As long as it is not received it ends what follows, too.
            #expect(try !compute(5))
            try receive()
            #expect(try compute(0.01))
            let second = communicator.now - start
            #expect(try !compute(5))
            try receive()
            return [first, second, communicator.now - start]
        }[0]
        // On the wall clock ranks begin when they can: only the order of events is sure, and that nothing took its five seconds.
        if clock.isVirtual {
            for (found, expected) in zip(found, [0.03, 0.04, 0.13]) { #expect(abs(found - expected) < 1e-9) }
        }
        #expect(found.count == 3 && found[0] < found[1] && found[1] < found[2] && found[2] < 4)
    }

    @Test func `under the native clock it is looked at the end`() throws {
        let found = try Fabric(count: 2).run { communicator -> [Bool] in
            if communicator.rank == 1 {
                try communicator.send(byteCount: 0, to: 0) { _ in }
                try communicator.barrier()
                try communicator.barrier()
                return []
            }
            try communicator.barrier()
            let first = try communicator.compute(untilMessageFrom: 1) { true }
            try communicator.receive(byteCount: 0, from: 1) { _ in }
            let second = try communicator.compute(untilMessageFrom: 1) { true }
            try communicator.barrier()
            return [first == nil, second == true]
        }
        #expect(found[0] == [true, true])
    }
}
