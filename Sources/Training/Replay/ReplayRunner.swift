// Repeats the updates of a recorded run in their order, on one thread. The coordinator's thread.

internal import Datasets
internal import Measurement
internal import Messaging
internal import Objectives
internal import Platform

/// All workers of a run, one after the other: each gradient is taken at the version of the model at which it was read, by the same functions.
final class ReplayRunner: Runner {
    private let plan: RunPlan
    private let algorithm: any ReplayableAlgorithm
    private let order: RecordedOrder
    private let workers: [RankWorker]
    private let evaluator: any ProblemEvaluator
    private let evaluators: WorkerTeam
    private let stop: StopRequest
    private let start: [Float]
    private let x: Vector
    private let aside: Vector
    private var kept: [Float]
    private var gradient: [Double] = []
    private let recorders: [StalenessRecorder]
    private var overTime = StalenessOverTime()
    /// Who delayed whom, as in the recorded run.
    private let matrix: UpdateOrder?
    private let stepsPerEpoch: Int
    /// Gradients applied, of which `group` make an update.
    private var place = 0
    private let group: Int
    /// For each gradient the next one of the same worker, or -1.
    private let next: [Int]
    /// Gradients whose version is still to come, by version.
    private var waiting: [Int: [Int]] = [:]
    private var readers: [Reader]
    private var log: [UpdateLogEntry] = []

    /// What a worker is to read next, and what it has read.
    private struct Reader {
        /// The next gradient to wait for a version; -1 for none.
        var ahead = -1
        /// Minibatches that its sampler has chosen.
        var chosen: UInt64 = 0
        /// Gradients read, and those of them that were applied.
        var (read, applied) = (0, 0)
        /// Gradients under way, by turns, where there may be several: vectors, and of sparse rows none.
        var underWay: [Vector] = []
    }

    /// t: updates applied.
    private var t: Int { place / group }
    private var sawNonFinite = false

    init(
        _ algorithm: any ReplayableAlgorithm, _ plan: RunPlan, _ order: RecordedOrder, _ stepSize: StepSize,
        evaluators: WorkerTeam,
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
        aside = try Vector(count: algorithm.floatsAside)
        group = order.group
        evaluator = try plan.problem.makeEvaluator(team: evaluators)
        workers = try FabricRunner.makeWorkers(
            algorithm, plan, ranks: plan.workers, placement: nil, parameters: start)
        recorders = workers.map { _ in StalenessRecorder() }
        matrix = workers[0].observers[0].trace == nil ? nil : UpdateOrder(workers: plan.workers)
        stepsPerEpoch = FabricRunner.stepsPerEpoch(algorithm, plan)
        var next = [Int](repeating: -1, count: order.updates.count)
        var last = [Int](repeating: -1, count: plan.workers)
        readers = Array(repeating: Reader(), count: plan.workers)
        for (place, update) in order.updates.enumerated() {
            let worker = Int(update.worker)
            if last[worker] >= 0 { next[last[worker]] = place } else { readers[worker].ahead = place }
            last[worker] = place
        }
        self.next = next
        for worker in workers {
            if let sparse = worker.sparse {
                sparse.bind(to: x)
                if isPipelined { sparse.bind(to: x, chunk: 0) }
                chooseNext(worker.rank)
            } else if isPipelined {
                for _ in 0..<algorithm.underWay {
                    readers[worker.rank].underWay.append(try Vector(count: start.count))
                }
            }
            for _ in 0..<algorithm.underWay { waitForNext(worker.rank) }
        }
    }

    private var isPipelined: Bool { algorithm.underWay > 1 }

    /// The next gradient of a worker waits for the version that it was read at.
    private func waitForNext(_ rank: Int) {
        let place = readers[rank].ahead
        guard place >= 0 else { return }
        readers[rank].ahead = next[place]
        waiting[place / group - Int(order.updates[place].tau), default: []].append(place)
    }

    private func chooseNext(_ rank: Int) {
        guard let sparse = workers[rank].sparse else { return }
        sparse.chooseNext(workers[rank].sampler)
        if isPipelined { sparse.cutNext() }
        readers[rank].chosen += 1
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
        end = isLast ? order.updates.count : min(end * group, order.updates.count)
        // A gradient that is not finite counts as 0, and the recorded run went on until all workers knew of it.
        while place < end && !stop.isRequested {
            apply()
            if place & 0xFFFF == 0 {
                note(&course, begin + Double(monotonicNanoseconds() - clock) / 1e9)
                progress(course.progress)
            }
        }
        note(&course, begin + Double(monotonicNanoseconds() - clock) / 1e9)
        overTime.note(updates: UInt64(t), recorders)
        matrix?.merge(workers.compactMap(\.observers[0].trace), end: UInt64(t))
        guard place == order.updates.count || stop.isRequested else { return .goesOn }
        return sawNonFinite ? .notFinite : .over
    }

    private func note(_ course: inout TrainingCourse, _ seconds: Double) {
        course.seconds = seconds
        course.updates = UInt64(t)
        course.epochs =
            Double(t * group) * Double(plan.options.batchSize) / Double(plan.problem.rowCount)
    }

    /// Applies one gradient, once all that were read at this version have been.
    private func apply() {
        while let places = waiting.removeValue(forKey: t) {
            for place in places { read(place) }
        }
        let update = order.updates[place]
        let rank = Int(update.worker)
        let worker = workers[rank]
        let (tau, size) = (UInt64(update.tau), update.stepSize)
        if let sparse = worker.sparse {
            if isPipelined {
                // What was under way at the end has its turn among them, and is never applied.
                let before = sawNonFinite
                while readers[rank].read < readers[rank].applied + algorithm.underWay { advance(rank) }
                sawNonFinite = before
                sparse.descendOldest(algorithm.delayed.size(size, tau: tau), chunk: 0)
            } else {
                sparse.descend(algorithm.delayed.size(size, tau: tau))
            }
        } else {
            let ring = readers[rank].underWay
            let gradient = isPipelined ? ring[readers[rank].applied % ring.count] : worker.gradient
            algorithm.apply(gradient, of: worker.x, to: x, aside: aside, size, tau: tau)
        }
        readers[rank].applied += 1
        recorders[rank].record(tau)
        worker.observers[0].trace?.append(t: UInt64(t), tau: tau)
        if plan.options.keepsUpdateLog {
            log.append(
                UpdateLogEntry(
                    worker: rank, chunk: 0, minibatch: update.minibatch, readVersion: UInt64(t) - tau,
                    writeVersion: UInt64(t), part: place % group, stepSize: size, readSeconds: 0, writeSeconds: 0))
        }
        place += 1
        waitForNext(rank)
    }

    /// The worker reads the model as it is, and computes the gradient that is applied in place `place`; what it dropped before it, it leaves
    /// out.
    private func read(_ place: Int) {
        let update = order.updates[place]
        let rank = Int(update.worker)
        let worker = workers[rank]
        if let sparse = worker.sparse {
            while readers[rank].chosen <= update.minibatch { chooseNext(rank) }
            if isPipelined { sparse.readNext(chunk: 0) } else { sparse.readNext() }
            return advance(rank)
        }
        while readers[rank].chosen < update.minibatch {
            worker.skipGradient()
            readers[rank].chosen += 1
        }
        readers[rank].chosen += 1
        worker.x.copy(from: x)
        if !worker.computeGradientAlone() { sawNonFinite = true }
        let ring = readers[rank].underWay
        if isPipelined { ring[readers[rank].read % ring.count].copy(from: worker.gradient) }
        readers[rank].read += 1
    }

    /// The rows that were read are under way, and the next ones are chosen.
    private func advance(_ rank: Int) {
        guard let sparse = workers[rank].sparse else { return }
        sparse.advance()
        if !sparse.computeDerivatives() { sawNonFinite = true }
        chooseNext(rank)
        readers[rank].read += 1
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
            samples: course.updates * UInt64(group * plan.options.batchSize), isDeterministic: true,
            hasExactTime: false,
            staleness: staleness, exchange: nil, updateLog: log)
    }
}
