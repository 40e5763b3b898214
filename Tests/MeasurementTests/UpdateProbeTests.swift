import Testing

@testable import Measurement

/// What stamps in windows say, against what happened.
@Suite struct UpdateProbeTests {
    @Test(arguments: [2, 3, 5], [0, 300] as [UInt64])
    func `where all updates are stamped, staleness and who delayed whom are what happened`(
        workers: Int, sleepEvery: UInt64
    ) throws {
        var simulated = SimulatedWorkers(workers: workers)
        simulated.sleepEvery = sleepEvery
        try simulated.run(every: 1, ticks: 200_000, seed: 7)
        for rank in 0..<workers {
            let exact = simulated.exactStaleness(of: rank)
            #expect(simulated.recorders[rank].count == UInt64(exact.count))
            #expect(simulated.recorders[rank].sum == exact.reduce(0) { $0 + $1.reduce(0, +) })
            #expect(simulated.recorders[rank].maximum == exact.map { $0.reduce(0, +) }.max())
            for peer in 0..<workers {
                #expect(simulated.results[rank].delayedBy[peer] == exact.reduce(0) { $0 + $1[peer] })
            }
            #expect(simulated.readSpans[rank].sum <= simulated.recorders[rank].sum)
        }
    }

    /// The workers' truth without any probe, that with one, and what it says, agree.
    @Test(arguments: [1, 2, 7, 61, 1_009])
    func `the mean does not depend on how many updates are looked at, nor on what stamping them costs`(every: Int)
        throws
    {
        var free = SimulatedWorkers(workers: 3)
        try free.run(every: 1 << 20, ticks: 1_000_000, seed: 3)
        var simulated = SimulatedWorkers(workers: 3)
        simulated.stampTicks = 20
        try simulated.run(every: every, ticks: every > 100 ? 20_000_000 : 2_000_000, seed: 4)
        let all = simulated.summary.all
        #expect(all.count > 200)
        #expect(abs(all.mean / free.exactMean - 1) < 0.05, "\(all.mean) for \(free.exactMean)")
        // Workers that are always busy: N - 1 times the share of time between read and write.
        let share =
            simulated.results.reduce(0) { $0 + $1.inFlightTicks } / simulated.results.reduce(0) { $0 + $1.updateTicks }
        #expect(abs(all.mean / (2 * share) - 1) < 0.05)
    }

    /// A worker that has yet to see a window open, or has seen it close, passes more of its peers' stamped updates than one that stamps.
    @Test(arguments: [3, 7, 61])
    func `the mean in windows is that of stamping all updates, however long that makes them`(every: Int) throws {
        var all = SimulatedWorkers(workers: 2)
        all.stampTicks = 40
        try all.run(every: 1, ticks: 2_000_000, seed: 5)
        var simulated = SimulatedWorkers(workers: 2)
        simulated.stampTicks = 40
        try simulated.run(every: every, ticks: 2_000_000 * UInt64(every), seed: 6)
        #expect(simulated.summary.all.count > 10_000)
        let (mean, expected) = (simulated.summary.all.mean, all.summary.all.mean)
        #expect(abs(mean / expected - 1) < 0.03, "\(mean) for \(expected)")
    }

    @Test func `the share of time together leaves out what one worker works alone`() throws {
        let probes = try (0..<2).map { _ in try UpdateProbe(capacity: 20) }
        let windows = ProbeWindows(start: 0, period: 1, length: 1, updatesPerLook: 1)
        for (probe, work) in zip(probes, [100...500, 200...700] as [ClosedRange<UInt64>]) {
            probe.begin(windows, at: work.lowerBound, completed: 0)
            probe.finish(at: work.upperBound, completed: 3)
        }
        for (rank, expected) in [(400.0, 300.0), (500, 300)].enumerated() {
            var result = UpdateMerge.Result(workers: 2)
            UpdateMerge.merge(
                rank: rank, of: probes, staleness: StalenessRecorder(), readSpan: StalenessRecorder(), into: &result)
            #expect((result.workTicks, result.togetherTicks) == expected)
        }
    }

    @Test func `an update during which its worker slept counts in full, wherever it ends`() throws {
        var simulated = SimulatedWorkers(workers: 4)
        simulated.sleepEvery = 200
        try simulated.run(every: 7, ticks: 5_000_000, seed: 11)
        // Most of the sum is of few updates, which a sample holds more or less of.
        let (mean, exact) = (simulated.summary.all.mean, simulated.exactMean)
        #expect(simulated.summary.all.max > 300)
        #expect(abs(mean / exact - 1) < 0.2, "\(mean) for \(exact)")
    }

    @Test(arguments: [2, 7, 61, 1_009]) func `about one update in so many is looked at`(every: Int) throws {
        var simulated = SimulatedWorkers(workers: 2)
        try simulated.run(every: every, ticks: every > 100 ? 20_000_000 : 2_000_000, seed: 5)
        let share = Double(simulated.truth.reduce(0) { $0 + $1.count }) / Double(simulated.summary.all.count)
        #expect(share > 0.7 * Double(every) && share < 1.6 * Double(every), "one in \(share)")
    }

    @Test func `windows for stamps and for watching come in turns and never meet`() {
        for every in [2, 3, 4, 61] {
            let windows = ProbeWindows(start: 1_000, period: UInt64(10 * every), length: 10, updatesPerLook: 1)
            var ticks: [UpdateProbe.Mode: Int] = [:]
            for now in 1_000..<1_000 + UInt64(40 * every) {
                let (mode, until, _) = windows.phase(at: now)
                #expect(
                    until > now && windows.phase(at: until - 1).mode == mode && windows.phase(at: until).mode != mode
                        || every == 2)
                ticks[mode, default: 0] += 1
            }
            #expect(ticks[.stamping] == 40 && ticks[.watching] == 40)
        }
    }

    @Test func `a full log leaves the rest of the segment alone and keeps its last moment`() throws {
        let probe = try UpdateProbe(capacity: 20)
        let windows = ProbeWindows(start: 0, period: 1, length: 1, updatesPerLook: 1)
        probe.begin(windows, at: 10, completed: 0)
        var (now, completed) = (UInt64(10), UInt64(0))
        while completed < 1_000 {
            if probe.mode == .stamping {
                var window = probe.window()
                while window.isOpen(at: now) {
                    window.record(begin: now, readEnd: now + 1, write: now + 2, completed: completed)
                    now += 3
                    completed += 1
                }
                probe.leave(window, at: now, completed: completed)
            } else {
                now += 3
                completed += 1
                probe.look(at: now, completed: completed)
            }
        }
        probe.finish(at: now, completed: completed)
        #expect(probe.count <= 28)
        #expect(probe[probe.count - 1].completed == 1_000 && probe[probe.count - 1].begin == now)
    }
}
