// Repeats the updates of a recorded run in their order, on one thread. The coordinator's thread.

internal import Datasets
internal import Measurement
internal import Messaging
internal import Objectives
internal import Platform

/// All workers of a run, one after the other: each gradient is taken at the version of the model at which it was read, by the same functions.
final class ReplayRunner: Runner {
    private let plan: RunPlan
    private let algorithm: ASGD
    private let order: RecordedOrder
    private let workers: [RankWorker]
    private let evaluator: any ProblemEvaluator
    private let evaluators: WorkerTeam
    private let stop: StopRequest
    private let start: [Float]
    private let x: Vector
    private var kept: [Float]
    private var gradient: [Double] = []
    private let recorders: [StalenessRecorder]
    private var overTime = StalenessOverTime()
    /// Who delayed whom, as in the recorded run.
    private let matrix: UpdateOrder?
    private let stepsPerEpoch: Int
    /// Updates applied.
    private var t = 0
    /// For each update the next one of the same worker, or -1.
    private let next: [Int32]
    /// Workers whose next gradient is of a version to come, by version.
    private var waiting: [Int: [Int]] = [:]
    private var log: [UpdateLogEntry] = []
    private var sawNonFinite = false

    init(
        _ algorithm: ASGD, _ plan: RunPlan, _ order: RecordedOrder, _ stepSize: StepSize, evaluators: WorkerTeam,
        stop: StopRequest
    ) throws(InputError) {
        try order.check(plan, stepSize)
        self.plan = plan
        self.algorithm = algorithm
        self.order = order
        self.evaluators = evaluators
        self.stop = stop
        start = try plan.startParameters()
        kept = start
        x = try Vector(count: start.count)
        let start = start
        x.withMutableSpan { for i in start.indices { $0[i] = start[i] } }
        evaluator = try plan.problem.makeEvaluator(team: evaluators)
        workers = try FabricRunner.makeWorkers(
            algorithm, plan, ranks: plan.workers, placement: nil, parameters: start)
        recorders = workers.map { _ in StalenessRecorder() }
        matrix = workers[0].observers[0].trace == nil ? nil : UpdateOrder(workers: plan.workers)
        stepsPerEpoch = FabricRunner.stepsPerEpoch(algorithm, plan)
        var next = [Int32](repeating: -1, count: order.updates.count)
        var last = [Int](repeating: -1, count: plan.workers)
        for (t, update) in order.updates.enumerated() {
            let worker = Int(update.worker)
            if last[worker] >= 0 {
                next[last[worker]] = Int32(t)
            } else {
                waiting[t - Int(update.tau), default: []].append(worker)
            }
            last[worker] = t
        }
        self.next = next
        for worker in workers {
            guard let sparse = worker.sparse else { continue }
            sparse.bind(to: x)
            sparse.chooseNext(worker.sampler)
        }
    }

    func segmentsPerEpoch(evaluations: Int) -> Int { min(evaluations, stepsPerEpoch) }

    func train(
        segment: Int, of count: Int, _ course: inout TrainingCourse, _ progress: (TrainingProgress) -> Void
    ) throws -> SegmentEnd {
        let begin = course.seconds
        let clock = monotonicNanoseconds()
        var end = (segment / count) * stepsPerEpoch + stepsPerEpoch * (segment % count + 1) / count
        // Where the run is evaluated as often as it was, it is where it was.
        if order.evaluates(plan.options), segment < order.evaluations.count { end = Int(order.evaluations[segment]) }
        let isLast = segment == plan.options.epochs * count - 1
        end = isLast ? order.updates.count : min(end, order.updates.count)
        // A gradient that is not finite counts as 0, and the recorded run went on until all workers knew of it.
        while t < end && !stop.isRequested {
            apply()
            if t & 0xFFFF == 0 {
                note(&course, begin + Double(monotonicNanoseconds() - clock) / 1e9)
                progress(course.progress)
            }
        }
        note(&course, begin + Double(monotonicNanoseconds() - clock) / 1e9)
        overTime.note(updates: UInt64(t), recorders)
        matrix?.merge(workers.compactMap(\.observers[0].trace), end: UInt64(t))
        if sawNonFinite { return .notFinite }
        return t == order.updates.count || stop.isRequested ? .over : .goesOn
    }

    private func note(_ course: inout TrainingCourse, _ seconds: Double) {
        course.seconds = seconds
        course.updates = UInt64(t)
        course.epochs = Double(t) * Double(plan.options.batchSize) / Double(plan.problem.rowCount)
    }

    /// What happens between version t and version t + 1.
    private func apply() {
        for worker in waiting.removeValue(forKey: t) ?? [] { read(worker) }
        let update = order.updates[t]
        let rank = Int(update.worker)
        let worker = workers[rank]
        let size = algorithm.size(update.stepSize, tau: UInt64(update.tau))
        if let sparse = worker.sparse {
            sparse.advance()
            if !sparse.computeDerivatives() { sawNonFinite = true }
            sparse.chooseNext(worker.sampler)
            sparse.descend(size)
        } else {
            x.descend(size, along: worker.gradient)
        }
        recorders[rank].record(UInt64(update.tau))
        worker.observers[0].trace?.append(t: UInt64(t), tau: UInt64(update.tau))
        if plan.options.keepsUpdateLog {
            log.append(
                UpdateLogEntry(
                    worker: rank, chunk: 0, readVersion: UInt64(t) - UInt64(update.tau), writeVersion: UInt64(t),
                    stepSize: update.stepSize, readSeconds: 0, writeSeconds: 0))
        }
        let following = Int(next[t])
        t += 1
        guard following >= 0 else { return }
        let version = following - Int(order.updates[following].tau)
        if version == t { read(rank) } else { waiting[version, default: []].append(rank) }
    }

    /// The worker reads the model as it is, and where vectors travel computes its gradient.
    private func read(_ rank: Int) {
        let worker = workers[rank]
        if let sparse = worker.sparse { return sparse.readNext() }
        worker.x.copy(from: x)
        if !worker.computeGradientAlone() { sawNonFinite = true }
    }

    func keep() { kept = x.elements }

    var hasChanged: Bool { x.elements != start }

    func figures(_ wanted: EvaluationFigures, ofKept: Bool) throws(InputError) -> ModelFigures {
        if wanted.contains(.gradient), gradient.isEmpty { gradient = [Double](repeating: 0, count: start.count) }
        let found = try evaluator.evaluate((ofKept ? kept : x.elements).span, wanted, gradient: &gradient)
        return ModelFigures(
            train: found.train, test: found.test, penalty: found.penalty,
            gradientNormSquared: wanted.contains(.gradient) ? gradient.reduce(0) { $0 + $1 * $1 } : nil)
    }

    func finish(_ course: TrainingCourse, _ status: RunStatus) throws -> RunnerResult {
        let isAlone = plan.workers == 1
        var staleness =
            isAlone
            ? StalenessSummary.serial(updates: course.updates)
            : StalenessSummary(method: .exact, every: 1, recorders: recorders)
        if !isAlone { staleness.overTime = overTime.summary }
        if !isAlone, let matrix {
            staleness.delayedBy = matrix.delayedBy
            staleness.delayedByCount = matrix.covered
            staleness.concurrencyMax = matrix.mostUnderWay
        }
        return RunnerResult(
            parameters: kept,
            placement: (evaluators.placement.policy.description, Array(repeating: nil, count: plan.workers)),
            workers: plan.workers, batchSize: plan.options.batchSize,
            samples: course.updates * UInt64(plan.options.batchSize), isDeterministic: true, hasExactTime: false,
            staleness: staleness, exchange: nil, updateLog: log)
    }
}
