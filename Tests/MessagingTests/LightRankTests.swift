import Glibc
import Messaging
import Platform
import SwitchModel
import Testing

/// Ranks under the virtual clock: stacks on one thread, but under the sanitizers, which know only the stacks of threads.
@Suite struct LightRankTests {
    private static let cost = try! NetworkCost(latencySeconds: 1e-3, secondsPerMegabyte: 5)
    private static let isSanitized = dlsym(nil, "__tsan_init") != nil || dlsym(nil, "__asan_init") != nil

    /// Each rank sends its number `rounds` times round the ring; returns what rank 0 got last.
    private func goRound(_ communicator: Communicator, rounds: Int) throws -> Int {
        let count = communicator.count
        var token = communicator.rank
        for _ in 0..<rounds {
            try communicator.send(byteCount: 8, to: (communicator.rank + 1) % count) {
                $0.storeBytes(of: token, as: Int.self)
            }
            token = try communicator.receive(byteCount: 8, from: (communicator.rank + count - 1) % count) {
                $0.load(as: Int.self)
            }
        }
        return token
    }

    @Test(.enabled(if: !isSanitized, "light ranks are threads under a sanitizer"))
    func `three thousand ranks run on one thread, and their times are those of the switch`() throws {
        let count = 3_000
        let threads = Locked<Set<UInt>>([])
        let fabric = try Fabric(count: count, clock: .virtual(Self.cost))
        let found = try fabric.run { communicator -> (Int, Double) in
            let thread = pthread_self()
            threads.withLock { _ = $0.insert(UInt(thread)) }
            let token = try goRound(communicator, rounds: 3)
            return (token, communicator.now)
        }
        #expect(threads.withLock { $0.count } == 1)
        #expect(found.enumerated().allSatisfy { $0.element.0 == ($0.offset + count - 3) % count })
        let step = Self.cost.messageSeconds(megabytes: 8e-6)
        #expect(found.allSatisfy { $0.1 == step + step + step })
    }

    @Test func `what a rank keeps on its stack and in its registers is there after others have run`() throws {
        let sums = try Fabric(count: 5, clock: .virtual(Self.cost)).run { communicator -> Double in
            // More values than registers, of both kinds, alive across the calls in which others run.
            var whole = (0..<16).map { $0 + 100 * communicator.rank }
            var real = (0..<24).map { Double($0) + 0.5 * Double(communicator.rank) }
            func depth(_ n: Int) throws -> Int { n == 0 ? try goRound(communicator, rounds: 2) : try 1 + depth(n - 1) }
            for step in 0..<4 {
                let token = try depth(50 * step)
                for i in whole.indices { whole[i] += token * i }
                for i in real.indices { real[i] = real[i] * 1.25 + Double(token) }
                try communicator.barrier()
            }
            return Double(whole.reduce(0, +)) + real.reduce(0, +)
        }
        let threads = try Fabric(count: 5).run { communicator -> Double in
            var whole = (0..<16).map { $0 + 100 * communicator.rank }
            var real = (0..<24).map { Double($0) + 0.5 * Double(communicator.rank) }
            for step in 0..<4 {
                let token = try 50 * step + goRound(communicator, rounds: 2)
                for i in whole.indices { whole[i] += token * i }
                for i in real.indices { real[i] = real[i] * 1.25 + Double(token) }
                try communicator.barrier()
            }
            return Double(whole.reduce(0, +)) + real.reduce(0, +)
        }
        #expect(sums == threads)
    }

    @Test func `a measured computation takes what its own rank has computed, not what others do meanwhile`() throws {
        let times = try Fabric(count: 4, clock: .virtual(Self.cost)).run { communicator -> Double in
            for _ in 0..<10 {
                try communicator.compute {
                    guard communicator.rank == 0 else { return }
                    let start = clock()
                    while clock() - start < CLOCKS_PER_SEC / 200 {}
                }
                // Others run before this one goes on.
                try communicator.compute(seconds: 1e-9) {}
            }
            return communicator.now
        }
        #expect(times[1...].allSatisfy { $0 < times[0] / 4 }, "\(times)")
    }

    @Test func `an error in a thousand light ranks is told to all, and all of them end`() throws {
        struct Broken: Error {}
        let ended = Locked(0)
        #expect(throws: Broken.self) {
            try Fabric(count: 1_000, clock: .virtual(Self.cost)).run { communicator in
                defer { ended.withLock { $0 += 1 } }
                if communicator.rank == 700 { throw Broken() }
                _ = try goRound(communicator, rounds: 800)
            }
        }
        #expect(ended.withLock { $0 } == 1_000)
    }
}
