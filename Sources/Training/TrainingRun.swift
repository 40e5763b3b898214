// One training run: epochs, evaluation on the side, stop rules, the model that is kept, the record. The coordinator's thread runs it; the
// workers run the algorithms.

internal import Datasets
public import Measurement
internal import Messaging
internal import Objectives
public import Platform

/// How far a run has come, for display.
public struct TrainingProgress: Sendable {
    public let epoch: Double
    public let epochs: Int
    public let updates: UInt64
    /// Seconds of training so far, evaluation left out.
    public let seconds: Double
    /// The last loss that was evaluated.
    public let loss: Double
    /// The evaluation that has just been made; nil between evaluations.
    public let point: TrainingPoint?
}

/// What a run gives back.
public struct TrainingResult: Sendable {
    public let record: RunRecord
    /// The parameters that were kept.
    public let parameters: [Float]
    /// One entry per update, in no particular order, where a log was asked for and the algorithm keeps one.
    public let updateLog: [UpdateLogEntry]
    /// The order of the updates, where it was to be recorded.
    public let order: RecordedOrder?
    /// By worker the seconds that each computation took, one minibatch each, where they were kept; see `ComputeTrace`.
    public let computeTrace: [[Double]]
}

/// Runs one algorithm on one problem.
public final class TrainingRun {
    private let plan: RunPlan
    let runner: any Runner
    private let stop: StopRequest
    private let stepSize: StepSize
    private let estimatedMemoryBytes: Int
    /// Told when what counts as training begins and ends.
    var timing: ((_ isTraining: Bool) -> Void)?

    /// Prepares a run of N workers; nothing is written and no update made before `run`.
    ///
    /// Throws what cannot be meant, before anything is laid out: options, settings, a codec that does not suit, a worker without rows, or
    /// more than memory holds.
    ///
    /// The threads of `team` evaluate, and on a model in shared memory they are the workers. `ranks` are those of the ranks, `rankCount` of them;
    /// where they are nil and as many as in `team`, the run starts its own at the places of these. Under the virtual clock one thread runs
    /// all ranks.
    public init(
        problem: any MinibatchProblem, workers: Int, team: WorkerTeam, ranks: WorkerTeam? = nil,
        options: TrainingOptions, stop: StopRequest = StopRequest()
    ) throws(InputError) {
        plan = try RunPlan.checked(problem, workers: workers, options)
        self.stop = stop
        let algorithm = try options.algorithm.make(for: plan)
        try plan.refuseComputeTrace(inSharedMemory: plan.inSharedMemory(algorithm) != nil)
        stepSize = try plan.resolvedStepSize()
        if let shared = plan.inSharedMemory(algorithm) {
            estimatedMemoryBytes = try SharedRunner.checkMemory(shared, plan, workers: team.count)
            runner = try SharedRunner(shared, plan, stepSize, team: team, stop: stop)
        } else if let algorithm = algorithm as? any MessageAlgorithm {
            estimatedMemoryBytes = try FabricRunner.checkMemory(algorithm, plan, evaluators: team.count)
            try algorithm.checkOrder(options)
            if let order = options.replay, let replayed = algorithm as? any ReplayableAlgorithm {
                runner = try ReplayRunner(replayed, plan, order, stepSize, evaluators: team, stop: stop)
                return
            }
            runner = try FabricRunner(algorithm, plan, stepSize, ranks: ranks, evaluators: team, stop: stop)
        } else {
            preconditionFailure("\(plan.options.algorithm.name) is of neither world")
        }
    }

    /// The same on threads of the run's own, which stand on physical cores first.
    public convenience init(
        problem: any MinibatchProblem, workers: Int, options: TrainingOptions, stop: StopRequest = StopRequest()
    ) throws(InputError) {
        let topology = try Topology.ofThisMachine()
        func team(_ count: Int?) throws(InputError) -> WorkerTeam {
            try WorkerTeam(placement: Placement(.physicalFirst, workers: count, on: topology))
        }
        let ranks = try Self.rankCount(problem: problem, workers: workers, options: options)
        try self.init(
            problem: problem, workers: workers, team: team(options.clock.kind.isVirtual ? nil : workers),
            ranks: ranks.map { count throws(InputError) in try team(count) }, options: options, stop: stop)
    }

    /// How many threads the ranks of a run need that has them; nil where the threads of the workers, or one, are enough.
    public static func rankCount(
        problem: any MinibatchProblem, workers: Int, options: TrainingOptions
    ) throws(InputError) -> Int? {
        let plan = try RunPlan.checked(problem, workers: workers, options)
        let algorithm = try options.algorithm.make(for: plan)
        guard options.replay == nil, plan.inSharedMemory(algorithm) == nil,
            let algorithm = algorithm as? any MessageAlgorithm
        else {
            return nil
        }
        return options.clock.kind.isVirtual ? nil : algorithm.ranks(workers: plan.workers)
    }

    /// Throws what `init` would, without making what a run needs: so that none of several runs is in vain.
    public static func check(
        problem: any MinibatchProblem, workers: Int, evaluators: Int, options: TrainingOptions
    ) throws(InputError) {
        let plan = try RunPlan.checked(problem, workers: workers, options)
        let algorithm = try options.algorithm.make(for: plan)
        try plan.refuseComputeTrace(inSharedMemory: plan.inSharedMemory(algorithm) != nil)
        _ = try plan.resolvedStepSize()
        if let shared = plan.inSharedMemory(algorithm) {
            _ = try SharedRunner.checkMemory(shared, plan, workers: evaluators)
        } else if let algorithm = algorithm as? any MessageAlgorithm {
            try FabricRunner.check(algorithm, plan, evaluators: evaluators)
            try algorithm.checkOrder(options)
            try options.replay?.check(plan, plan.resolvedStepSize())
        }
    }

    /// Trains. `progress` is called on the calling thread now and then, and after every evaluation.
    ///
    /// Throws where a rank fails for another reason than numbers that are not finite, which end the run as diverged.
    public func run(progress: (TrainingProgress) -> Void = { _ in }) throws -> TrainingResult {
        let options = plan.options
        func evaluated(_ wanted: EvaluationFigures, ofKept: Bool) throws(InputError) -> ModelFigures {
            try runner.figures(wanted, ofKept: ofKept)
        }
        runner.keep()
        var course = try TrainingCourse(
            options: options, hasHeldOutRows: plan.problem.summary.test != nil, evaluated)
        progress(course.progressWithPoint)
        let segments = runner.segmentsPerEpoch(evaluations: max(1, options.evaluationsPerEpoch))
        var status = course.hasReachedTarget ? RunStatus.targetReached : nil
        var segment = 0
        while status == nil && segment < options.epochs * segments {
            timing?(true)
            let end = try runner.train(segment: segment, of: segments, &course, progress)
            timing?(false)
            segment += 1
            let isLast = segment == options.epochs * segments || end == .over
            status = try course.append(
                finite: end != .notFinite, isLast: isLast, stop: stop, keep: runner.keep, evaluated)
            progress(course.progressWithPoint)
            if end == .over { status = status ?? .completed }
        }
        let end = try course.status(status ?? .completed, changed: runner.hasChanged, evaluated)
        return try result(course, end, runner.finish(course, end))
    }

    private func result(_ course: TrainingCourse, _ status: RunStatus, _ result: RunnerResult) -> TrainingResult {
        let (options, summary) = (plan.options, plan.problem.summary)
        let settings = RunRecord.Settings(
            algorithm: options.algorithm.description, objective: summary.objective, l2: summary.l2,
            intercept: summary.intercept, workers: result.workers, placement: result.placement.policy,
            cpus: result.placement.cpus, order: options.order.rawValue, batchSize: result.batchSize,
            stepSize: stepSize.description, epochs: options.epochs, seed: options.seed, targetLoss: options.targetLoss,
            maxSeconds: options.maxSeconds, patience: options.patience)
        // Where the real clock or a signal ended the run, its length is not a matter of the seed.
        let isRepeatable = status != .interrupted && (status != .timeLimit || result.hasExactTime)
        var record = RunRecord(
            settings: settings, train: summary.train, test: summary.test,
            deterministic: isRepeatable && result.isDeterministic, status: status, points: course.points,
            keptPoint: course.keptPoint, updates: course.updates, samples: result.samples, seconds: course.seconds,
            orderSeconds: course.orderSeconds, staleness: result.staleness, exchange: result.exchange)
        record.evaluationSeconds = course.evaluationSeconds
        record.epochsPerEvaluation = options.evaluationsPerEpoch == 1 ? options.epochsPerEvaluation : nil
        record.sampledRows = course.sampledRows
        record.layout = result.layout
        record.estimatedMemoryBytes = estimatedMemoryBytes
        return TrainingResult(
            record: record, parameters: result.parameters, updateLog: result.updateLog, order: result.order,
            computeTrace: result.computeTrace)
    }
}

extension RunPlan {
    /// Throws where a number cannot be meant. Options that the algorithm has no use for are as if they were not there.
    static func checked(
        _ problem: any MinibatchProblem, workers: Int, _ options: TrainingOptions
    ) throws(InputError) -> RunPlan {
        try options.check()
        let l2 = problem.summary.l2
        guard l2 >= 0, Float(l2).isFinite else {
            throw InputError(at: "--l2", found: "\(l2)", expected: "a number that is not negative, finite as a float")
        }
        guard workers >= 1 else { throw InputError(at: "--workers", found: "\(workers)", expected: "at least 1") }
        var options = options
        if options.limitsEvaluation {
            let summary = problem.summary
            // Of a linear model each number of a row meets one parameter, of a network all of those of a layer.
            let work = max(1, Double(problem.parameterCount) / Double(max(1, summary.train.features)))
            let budget = EvaluationBudget(
                epochs: options.epochs, rows: problem.rowCount, heldOutRows: summary.test?.rows,
                rowWork: Double(summary.train.nonzeros) / Double(problem.rowCount) * work,
                startsAtZero: options.startParameters == nil && problem.startsAtZero)
            options.epochsPerEvaluation = budget.epochsPerEvaluation
            options.trainLoss = budget.trainLoss
            options.samplesTrainingRows = budget.samplesTrainingRows
        }
        return RunPlan(
            problem: problem, workers: options.algorithm.facts.isSerial ? 1 : workers, options: options)
    }

    /// The algorithm where it works in shared memory: one that can do without as well does so on dense rows, on a clock of the model, and
    /// where steps need vectors of their own.
    func inSharedMemory(_ algorithm: any TrainingAlgorithm) -> (any SharedAlgorithm)? {
        guard let shared = algorithm as? any SharedAlgorithm else { return nil }
        let needsMessages =
            !(problem is LinearProblem) || options.clock.kind.isModel || !options.stepRule.isPlain
        return needsMessages && algorithm is any MessageAlgorithm ? nil : shared
    }

    /// Throws where a trace of computations is wanted of steps that are too short to be timed one by one.
    func refuseComputeTrace(inSharedMemory: Bool) throws(InputError) {
        let isOfWindow = options.algorithm.facts.evaluates == .window && problem is LinearProblem
        guard options.keepsComputeTrace, inSharedMemory || isOfWindow else { return }
        throw InputError(
            at: "--compute-trace",
            found: "\(options.algorithm.name) on " + (inSharedMemory ? "a model in shared memory" : "sparse rows"),
            expected: isOfWindow ? "dense rows, or another algorithm" : "an algorithm whose workers send messages")
    }

    /// With a number for `auto`, of which weight decay is part: 1/(1/auto + decay).
    func resolvedStepSize() throws(InputError) -> StepSize {
        let automatic =
            options.algorithm.facts.automaticStep == .forRows
            ? problem.automaticRowStepSize : problem.automaticStepSize
        let decay = options.stepRule.weightDecay
        return try options.stepSize.resolved(
            automatic: decay > 0 ? 1 / (1 / automatic + decay) : automatic, for: problem.summary.train.name)
    }
}

extension SparseDataset {
    var recordSummary: RunRecord.Data {
        RunRecord.Data(name: name, rows: rowCount, features: featureCount, nonzeros: nonzeroCount)
    }

    /// The mean over the rows of norm(x)^2, plus 1 for an intercept.
    func meanRowNormSquared(intercept: Bool) -> Double {
        var sum = 0.0
        let values = unsafe rows.values
        for k in 0..<nonzeroCount { unsafe sum += Double(values[k]) * Double(values[k]) }
        return sum / Double(max(1, rowCount)) + (intercept ? 1 : 0)
    }
}
