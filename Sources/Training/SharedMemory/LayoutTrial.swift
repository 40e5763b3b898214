// Which layout of the model suits hogwild on these rows, this machine and so many workers: what can be known beforehand, and a trial of some
// milliseconds on the threads of the run. The coordinator, before the first segment.

internal import Datasets
internal import Kernels
internal import Measurement
internal import Objectives
internal import Platform

/// The layouts that are worth trying for a run, by what is known before it.
struct LayoutChoice {
    /// Beside `shared`; none where there is nothing to choose.
    let candidates: [(layout: HogwildLayout, plan: ReplicaPlan)]
    /// Why these.
    let reason: String?
}

extension LayoutChoice {
    /// Replicas that `auto` may try take no more than this, or as much as the rows.
    private static let mostBytes = 256 << 20
    /// A run that is shorter than this, by a guess, is over before a trial is.
    private static let shortestSeconds = 0.004
    /// Where merging takes more than this many times the rows between two merges, by a guess, nothing is tried.
    static let mostMerging = 3.0
    /// Cache lines that two rows have in common: below that workers hardly meet.
    private static let fewestMeetings = 0.05

    init(
        _ layout: HogwildLayout, _ run: RunPlan, _ problem: LinearProblem, workers: [Placement.Worker], caches: [[Int]]
    ) {
        let data = problem.train
        func none(_ reason: String?) -> ([(layout: HogwildLayout, plan: ReplicaPlan)], String?) { ([], reason) }
        guard layout == .auto else {
            let plan = ReplicaPlan(layout, workers: workers, caches: caches)
            candidates = plan.replicas > 1 ? [(layout, plan)] : []
            reason = plan.replicas > 1 || layout == .shared ? nil : "all workers have one replica in common"
            return
        }
        let meetings = data.linesInCommon + (problem.objective.intercept ? 1 : 0)
        let shown = "\((meetings * 100).rounded() / 100)"
        let work = Double(run.options.epochs * data.rowCount) * Self.rowSeconds(data)
        let looksAtUpdates =
            switch run.options.staleness {
            case .exact, .sampled(every: _?): true
            case .off, .sampled: false
            }
        if workers.count == 1 {
            (candidates, reason) = none("one worker meets nobody")
        } else if looksAtUpdates {
            (candidates, reason) = none("updates of one model are to be looked at")
        } else if work < Self.shortestSeconds {
            (candidates, reason) = none("the run is shorter than a trial")
        } else if meetings < Self.fewestMeetings {
            (candidates, reason) = none("two rows have \(shown) cache lines in common: workers hardly meet")
        } else if case let rows = max(1, data.rowCount / workers.count / MergePeriod.mergesPerEpoch),
            Self.mergeSeconds(data, rows: rows) > Self.mostMerging * Double(rows) * Self.rowSeconds(data)
        {
            (candidates, reason) = none(
                "merging replicas of \(problem.parameterCount) parameters takes most of the time")
        } else {
            var found: [(layout: HogwildLayout, plan: ReplicaPlan)] = []
            let most = max(Self.mostBytes, 8 * data.nonzeroCount)
            for layout in [HogwildLayout.perNode, .perCache, .perCore] {
                let plan = ReplicaPlan(layout, workers: workers, caches: caches)
                let isNew = !found.contains { $0.plan == plan }
                if plan.replicas > 1 && isNew && plan.memoryBytes(parameters: problem.parameterCount) <= most {
                    found.append((layout, plan))
                }
            }
            candidates = found
            reason =
                found.isEmpty
                ? "replicas would take more memory than the rows"
                : "two rows have \(shown) cache lines in common"
        }
    }

    /// About what one row takes, in seconds.
    static func rowSeconds(_ data: SparseDataset) -> Double {
        2e-8 + 1.5e-9 * Double(data.nonzeroCount) / Double(max(1, data.rowCount))
    }

    /// About what a merge after `rows` rows takes, in seconds.
    static func mergeSeconds(_ data: SparseDataset, rows: Int) -> Double {
        let parameters = Double(data.featureCount)
        if data.featureCount < ReplicaCopy.longestWhole { return 2.5e-10 * parameters }
        let lines = parameters / Double(lineFloats)
        let touched = Double(rows) * Double(data.nonzeroCount) / Double(max(1, data.rowCount))
        return 3e-10 * lines + 3e-8 * min(lines, touched)
    }

    /// The last caches of this machine, where a layout asks for them.
    static func caches(for layout: HogwildLayout) throws(InputError) -> [[Int]] {
        switch layout {
        case .auto, .perCache: try Topology.ofThisMachine().lastCaches
        case .shared, .perCore, .perNode: []
        }
    }

    /// The most memory that one of the candidates takes.
    func memoryBytes(parameters: Int) -> Int {
        candidates.map { $0.plan.memoryBytes(parameters: parameters) }.max() ?? 0
    }
}

extension SparseDataset {
    /// Rows of which every pair is compared.
    private static var comparedRows: Int { 256 }

    /// How many cache lines of the model two rows have in common, on the mean over pairs of some rows spread over the data.
    var linesInCommon: Double {
        let count = min(rowCount, Self.comparedRows)
        guard count > 1 else { return 0 }
        var lines: [UInt32] = []
        for i in 0..<count {
            let row = i * rowCount / count
            var last = UInt32.max
            for k in unsafe rows.rowOffsets[row]..<rows.rowOffsets[row + 1] {
                let line = unsafe rows.indices[k] / UInt32(lineFloats)
                if line != last { lines.append(line) }
                last = line
            }
        }
        lines.sort()
        var pairs = 0.0
        var run = 0
        for (place, line) in lines.enumerated() {
            run = place > 0 && lines[place - 1] == line ? run + 1 : 0
            pairs += Double(run)
        }
        return 2 * pairs / Double(count * (count - 1))
    }
}

/// Passes over some rows in each layout, in turns.
struct LayoutTrial {
    /// Replicas are only worth their memory, and their drift, where they are that much faster.
    private static let worthwhile = 1.05
    private static let secondsPerPass = 0.001_5
    private static let rounds = 5
    /// No further round begins after so many seconds.
    private static let mostSeconds = 0.1

    let engine: Engine
    let problem: LinearProblem
    let team: WorkerTeam
    let stop: StopRequest

    /// What a trial found.
    struct Result {
        /// Rows a second of `shared`, then of each candidate.
        let rates: [Double]
        /// The candidate to take, or nil for `shared`.
        let best: Int?
        let seconds: Double
    }

    /// Tries the prepared epoch's rows on `model`, which is then of no use, with workers of the trial's own: nothing that the run's workers
    /// have is touched.
    func run(
        _ candidates: [(plan: ReplicaPlan, period: MergePeriod)], stepSize: EpochStepSize, on model: SharedParameters
    ) throws(InputError) -> Result {
        let start = monotonicNanoseconds()
        var contestants = [try workers()]
        for (plan, period) in candidates {
            let replicas = try Replicas(plan, of: model, recordsStaleness: false)
            let own = try workers()
            replicas.join(own, rows: nil, period: period, team: team)
            contestants.append(own)
        }
        let perRow = LayoutChoice.rowSeconds(problem.train)
        let running = Double(min(team.count, Affinity.processCPUCount))
        let wanted = Int(Self.secondsPerPass / perRow * running / Double(team.count))
        let length = engine.workers[0].schedule.blockLength
        let blocks = min(engine.workers.map(\.schedule.blockCount).min()!, max(1, wanted / length))
        let segment = Segment(
            index: 0, count: 1, stepSize: stepSize, deadline: nil, stop: stop, halt: StopRequest())
        var rates = contestants.map { _ in [Double]() }
        var pass = 0
        // The first is for the caches and for what merges take.
        for round in 0...Self.rounds {
            if round > 1 && Double(monotonicNanoseconds() - start) > 1e9 * Self.mostSeconds { break }
            for place in contestants.indices {
                let index = round.isMultiple(of: 2) ? place : contestants.count - 1 - place
                let own = contestants[index]
                let offset = pass * blocks
                let seconds = team.run { rank in
                    guard rank < own.count else { return }
                    let schedule = own[rank].schedule
                    // Other rows each time, as in an epoch.
                    let first = offset % (schedule.blockCount - blocks + 1)
                    self.engine.work(own[rank], segment, first..<first + blocks, nil, model) { _ in }
                }
                pass += 1
                if round > 0 && seconds > 0 { rates[index].append(Double(blocks * length * own.count) / seconds) }
            }
        }
        let medians = rates.map { rates in rates.isEmpty ? 0 : rates.sorted()[rates.count / 2] }
        let best = medians.indices.dropFirst().max { medians[$0] < medians[$1] }
        return Result(
            rates: medians,
            best: best.flatMap { medians[$0] >= Self.worthwhile * medians[0] ? $0 - 1 : nil },
            seconds: Double(monotonicNanoseconds() - start) / 1e9)
    }

    /// As the run's, in their state before it.
    private func workers() throws(InputError) -> [SharedWorker] {
        try engine.workers.map { worker throws(InputError) in
            try SharedWorker(
                rank: worker.rank, workers: worker.workers, seed: worker.seed, schedule: worker.schedule,
                batchSize: worker.batchSize)
        }
    }
}
