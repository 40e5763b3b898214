// One collective over a sweep of sizes: the program of its ranks, and what they measured. The main thread makes it, the workers'
// threads run it.

import Collectives
import Mailboxes
import Messaging
import Platform
import SwitchModel

/// Timed collectives: before each the vectors are rewritten, the ranks meet at a barrier, and the workers compute.
struct CollectiveSweep {
    let collective: SweptCollective
    /// Without a dedicated server.
    let workers: Int
    let clock: FabricClock
    let computeSeconds: Double
    let straggler: Straggler
    /// Vector sizes in bytes.
    let sizes: [Int]
    /// Timed iterations by size.
    let iterations: [Int]
    let warmups: Int
    let isChecked: Bool

    /// What all ranks measured at one size.
    struct Outcome {
        /// By iteration. Native clock: the mean of the ranks' times. Model clocks: until the last rank is done.
        let seconds: [Double]
        /// How late the wall clock was in each iteration, at worst; empty under other clocks.
        let lateSeconds: [Double]
        /// Elements that were wrong in a checked run with other inputs; nil where none was made.
        let wrong: Int?
        /// What each worker copies per second while all copy a vector of this size; nil under model clocks and for no bytes.
        let copyBytesPerSecond: Double?
    }

    /// What one rank measured at one size.
    private struct Times {
        var starts: [Double] = []
        var ends: [Double] = []
        var late: [Double] = []
        var copySeconds: [Double] = []
        var wrong = 0
    }

    /// The steps of the straggler model that are timed at `size`, an index of `sizes`.
    func steps(size: Int) -> Range<UInt64> {
        let before = iterations[..<size].reduce(0, +) + (size + 1) * warmups
        return UInt64(before)..<UInt64(before + iterations[size])
    }

    /// Whether ranks need a second vector beside their own.
    private var needsCopy: Bool { !clock.isModel || collective == .ringExchange }

    /// About what the ranks' vectors and the messages between them take.
    var memoryBytes: Int {
        let vectors = (needsCopy ? 2 : 1) + (clock.isModel ? 1 : 0)
        return collective.ranks(workers: workers) * vectors * (sizes.max() ?? 0)
    }

    func run(placement: Placement) throws -> [Outcome] {
        let ranks = placement.workers.count
        let fabric = try Fabric(count: ranks, clock: clock, straggler: straggler, placement: placement)
        let team: WorkerTeam? = clock.isVirtual ? nil : try WorkerTeam(placement: placement)
        let times = try fabric.run(on: team) { communicator in
            var times: [Times] = []
            let vector = try PageBuffer<Float>(count: sizes.max()! / 4, hugePages: true)
            let copy = try PageBuffer<Float>(count: needsCopy ? sizes.max()! / 4 : 0, hugePages: true)
            for (size, count) in zip(sizes, iterations) {
                let part = unsafe FloatVector(start: vector.pointer, count: size / 4)
                let other = unsafe FloatVector(start: copy.pointer, count: needsCopy ? size / 4 : 0)
                var time = try unsafe measure(communicator, part, neighbour: other, count)
                if !clock.isModel {
                    time.copySeconds = try unsafe measureCopy(communicator, from: part, to: other, count)
                }
                if isChecked {
                    time.wrong = try unsafe collective.countWrong(communicator, part, workers: workers)
                }
                times.append(time)
            }
            return times
        }
        return sizes.indices.map { i in outcome(of: times.map { $0[i] }, bytes: sizes[i]) }
    }

    private func outcome(of ranks: [Times], bytes: Int) -> Outcome {
        let iterations = ranks[0].starts.indices
        let seconds = iterations.map { i in
            clock.isModel
                ? ranks.map { $0.ends[i] }.max()! - ranks.map { $0.starts[i] }.min()!
                : ranks.map { $0.ends[i] - $0.starts[i] }.reduce(0, +) / Double(ranks.count)
        }
        let copies = ranks.map { Samples($0.copySeconds).p50Seconds }.max()!
        return Outcome(
            seconds: seconds,
            lateSeconds: ranks[0].late.isEmpty ? [] : iterations.map { i in ranks.map { $0.late[i] }.max()! },
            wrong: isChecked ? ranks.map(\.wrong).reduce(0, +) : nil,
            copyBytesPerSecond: bytes > 0 && copies > 0 ? Double(bytes) / copies : nil)
    }

    private func measure(
        _ communicator: Communicator, _ vector: FloatVector, neighbour: FloatVector, _ count: Int
    ) throws -> Times {
        var times = Times()
        times.starts.reserveCapacity(count)
        times.ends.reserveCapacity(count)
        for iteration in -warmups..<count {
            // Those that are done first rewrite nothing while others still need the processors to be on time.
            if clock.isModel { try communicator.barrier() }
            unsafe vector.update(repeating: Float((communicator.rank + 1) * (1 + (iteration & 7))))
            try communicator.beginTogether()
            let start = communicator.now
            if computeSeconds > 0, communicator.rank < workers {
                try communicator.compute(seconds: computeSeconds) {}
            }
            try unsafe collective.perform(communicator, vector, neighbour: neighbour)
            let end = communicator.now
            if iteration < 0 { continue }
            times.starts.append(start)
            times.ends.append(end)
            if case .wall = clock { times.late.append(communicator.largestLatenessSeconds) }
        }
        return times
    }

    /// The limit: each worker copies its vector while the others do so too.
    private func measureCopy(
        _ communicator: Communicator, from source: FloatVector, to target: FloatVector, _ count: Int
    ) throws -> [Double] {
        var seconds: [Double] = []
        for iteration in 0..<min(count, 200) + 2 {
            unsafe source.update(repeating: Float(iteration))
            try communicator.barrier()
            let start = communicator.now
            unsafe UnsafeMutableRawBufferPointer(target).copyMemory(from: UnsafeRawBufferPointer(source))
            if iteration >= 2 { seconds.append(communicator.now - start) }
        }
        return seconds
    }

    /// The median round trip of eight bytes between two ranks through mailboxes of one slot, in seconds: the least that an
    /// exchange can take here.
    static func pingPongSeconds(placement: Placement) throws -> Double {
        let there = try OneSlotMailbox<UInt64>(threads: 2)
        let back = try OneSlotMailbox<UInt64>(threads: 2)
        let samples = Locked<[Double]>([])
        let rounds: UInt64 = 500
        let failure = Locked<(any Error)?>(nil)
        try WorkerTeam(placement: placement).run { rank in
            if rank > 1 { return }
            do { try pingPong(rank) } catch { failure.withLock { $0 = error } }
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
        return Samples(samples.withLock { $0 }).p50Seconds

        @Sendable func pingPong(_ rank: Int) throws {
            for batch in 0..<40 {
                if rank == 1 {
                    for _ in 0..<rounds { try back.send(there.receive()) }
                    continue
                }
                let start = monotonicNanoseconds()
                for i in 0..<rounds {
                    try there.send(i)
                    _ = try back.receive()
                }
                let seconds = Double(monotonicNanoseconds() - start) / 1e9 / Double(rounds)
                if batch > 0 { samples.withLock { $0.append(seconds) } }
            }
        }
    }
}
