@testable import Measurement

/// Workers whose updates take drawn times on a simulated clock, and who look at them as `hogwild` does.
struct SimulatedWorkers {
    /// What really happened.
    struct Update {
        let begin: UInt64
        let readEnd: UInt64
        let write: UInt64
        let end: UInt64
    }

    let workers: Int
    /// What stamping adds to each third of an update, in ticks.
    var stampTicks: UInt64 = 0
    /// One update in so many is interrupted for 40,000 ticks, somewhere; 0 for none.
    var sleepEvery: UInt64 = 0
    private(set) var truth: [[Update]] = []
    private(set) var recorders: [StalenessRecorder] = []
    private(set) var readSpans: [StalenessRecorder] = []
    private(set) var results: [UpdateMerge.Result] = []

    init(workers: Int) { self.workers = workers }

    var summary: StalenessSummary {
        StalenessSummary(method: .sampled, every: 1, recorders: recorders, readSpans: readSpans)
    }

    /// Runs until `ticks`, looking at one update in `every`.
    mutating func run(every: Int, ticks: UInt64, seed: UInt64) throws {
        truth = []
        var probes: [UpdateProbe] = []
        let windows = ProbeWindows(every: every, now: 1_000_000, updateTicks: 100, segment: 1)
        for rank in 0..<workers {
            let probe = try UpdateProbe(capacity: Int(ticks) / 50)
            truth.append(work(probe, windows, from: 1_000_000, to: 1_000_000 + ticks, seed: seed &+ UInt64(rank) << 32))
            probes.append(probe)
        }
        recorders = probes.map { _ in StalenessRecorder() }
        readSpans = probes.map { _ in StalenessRecorder() }
        results = probes.map { _ in UpdateMerge.Result(workers: workers) }
        for rank in 0..<workers {
            UpdateMerge.merge(
                rank: rank, of: probes, staleness: recorders[rank], readSpan: readSpans[rank], into: &results[rank])
        }
    }

    private func work(
        _ probe: UpdateProbe, _ windows: ProbeWindows, from start: UInt64, to end: UInt64, seed: UInt64
    ) -> [Update] {
        var random = SplitMix(state: seed)
        var updates: [Update] = []
        // Nobody begins at the same tick.
        var now = start + random.below(100)
        func next(_ extra: UInt64) -> Update {
            // Read, derivative and step, about 60, 10 and 30 ticks; rows differ in length.
            let length = 50 + random.below(100)
            var times = [length * 6 / 10 + extra, length / 10 + extra, length * 3 / 10 + extra]
            if sleepEvery > 0, random.below(sleepEvery) == 0 { times[Int(random.below(3))] += 40_000 }
            let begin = now
            let readEnd = begin + times[0]
            let write = readEnd + times[1]
            now = write + times[2]
            return Update(begin: begin, readEnd: readEnd, write: write, end: now)
        }
        probe.begin(windows, at: now, completed: 0)
        while now < end {
            if probe.mode == .stamping {
                var window = probe.window()
                while now < end, window.isOpen(at: now) {
                    let update = next(stampTicks)
                    window.record(
                        begin: update.begin, readEnd: update.readEnd, write: update.write,
                        completed: UInt64(updates.count))
                    updates.append(update)
                }
                probe.leave(window, at: now, completed: UInt64(updates.count))
            } else {
                for _ in 0..<probe.updatesPerLook where now < end { updates.append(next(0)) }
                probe.look(at: now, completed: UInt64(updates.count))
            }
        }
        probe.finish(at: now, completed: UInt64(updates.count))
        return updates
    }

    /// Updates that rank `rank` had applied by `time`.
    func applied(by rank: Int, at time: UInt64) -> UInt64 {
        // By bisection: updates end in order.
        var (low, high) = (0, truth[rank].count)
        while low < high {
            let middle = (low + high) / 2
            if truth[rank][middle].end <= time { low = middle + 1 } else { high = middle }
        }
        return UInt64(low)
    }

    /// The staleness of every update of `rank`, and by whom.
    func exactStaleness(of rank: Int) -> [[UInt64]] {
        truth[rank].map { update in
            (0..<workers).map { peer in
                peer == rank ? 0 : applied(by: peer, at: update.write) - applied(by: peer, at: update.begin)
            }
        }
    }

    /// The mean staleness of all updates.
    var exactMean: Double {
        let sum = (0..<workers).reduce(UInt64(0)) { sum, rank in
            exactStaleness(of: rank).reduce(sum) { $0 + $1.reduce(0, +) }
        }
        return Double(sum) / Double(truth.reduce(0) { $0 + $1.count })
    }
}

/// A small generator for tests.
struct SplitMix {
    var state: UInt64

    mutating func below(_ bound: UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return (z ^ (z >> 31)) % bound
    }
}
