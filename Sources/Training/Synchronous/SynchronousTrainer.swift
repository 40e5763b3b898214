// One run of data-parallel SGD: stretches of iterations on a fabric, evaluation between them, stop rules, the record. The
// coordinator's thread runs it; the ranks run the algorithms.

internal import Collectives
internal import Compression
internal import Datasets
public import Measurement
internal import Messaging
internal import Objectives
public import Platform
internal import SwitchModel
internal import Synchronization

/// What a run of data-parallel SGD gives back.
public struct SynchronousResult {
    public let record: RunRecord
    /// The parameters that were kept.
    public let parameters: [Float]
}

/// Runs one synchronous algorithm on one problem.
public final class SynchronousTrainer {
    let problem: any MinibatchProblem
    let options: TrainingOptions
    /// N.
    let workerCount: Int
    /// The threads of the ranks; nil where they need none of their own.
    let ranks: WorkerTeam?
    /// N, and one more where there is a dedicated server.
    let rankCount: Int
    let evaluators: WorkerTeam
    private let stop: StopRequest
    let stepSize: StepSize
    private let evaluator: any ProblemEvaluator
    let workers: [SynchronousWorker]
    private let iterationsPerEpoch: Int
    private var gradient: [Double]
    /// Sent by all ranks.
    private(set) var traffic = (bytes: 0, messages: 0)
    /// Told when what counts as training begins and ends.
    var timing: ((_ isTraining: Bool) -> Void)?
    /// What the process was expected to take at the most.
    let estimatedMemoryBytes: Int
    /// How many segments had how many iterations.
    private(set) var segmentLengths: [Int: Int] = [:]

    /// Prepares a run; no update is made before `run`.
    ///
    /// Throws what cannot be meant: a worker without rows, a codec that does not suit, a collective that the algorithm does not take,
    /// or more than memory holds.
    ///
    /// `ranks` are the threads of the ranks, `options.algorithm.ranks(workers:options:)` of them, or nil under the virtual clock, where one
    /// thread runs them all; `evaluators` evaluate between stretches, and may be the same team.
    public init(
        problem: any MinibatchProblem, workers: Int, ranks: WorkerTeam?, evaluators: WorkerTeam,
        options: TrainingOptions, stop: StopRequest = StopRequest()
    ) throws(InputError) {
        rankCount = options.algorithm.ranks(workers: workers, options: options.synchronous)
        let count = ranks?.count ?? (options.synchronous.clock.isVirtual ? rankCount : 0)
        precondition(count == rankCount, "\(count) ranks for \(workers) workers")
        try options.check()
        try options.synchronous.checkWait(
            options.algorithm, workers: workers, parameters: problem.parameterCount)
        estimatedMemoryBytes = try Self.checkMemory(
            problem, workers: workers, ranks: rankCount, evaluators: evaluators.count, options)
        self.problem = problem
        self.options = options
        self.ranks = ranks
        self.evaluators = evaluators
        self.stop = stop
        workerCount = workers
        stepSize = try Self.stepSize(problem, options)
        evaluator = try problem.makeEvaluator(team: evaluators)
        self.workers = try Self.makeWorkers(
            problem, workers: workers, ranks: rankCount, placement: ranks?.placement, options)
        let batch = Double(workers) * Double(options.batchSize)
        iterationsPerEpoch = max(1, Int((Double(problem.rowCount) / batch).rounded()))
        gradient = [Double](repeating: 0, count: options.gradientNorm == .never ? 0 : problem.parameterCount)
    }

    /// Throws what `init` would, without making what a run needs: so that none of several runs is in vain.
    public static func check(
        problem: any MinibatchProblem, workers: Int, evaluators: Int, options: TrainingOptions
    ) throws(InputError) {
        let ranks = options.algorithm.ranks(workers: workers, options: options.synchronous)
        try options.check()
        try options.synchronous.checkWait(
            options.algorithm, workers: workers, parameters: problem.parameterCount)
        try checkCollective(options)
        _ = try stepSize(problem, options)
        _ = try checkMemory(problem, workers: workers, ranks: ranks, evaluators: evaluators, options)
        // No worker has fewer rows than the first.
        _ = try RowSampler(
            options.order, rowCount: problem.rowCount, rank: 0, workers: workers, seed: options.seed,
            batchSize: options.batchSize, name: problem.summary.train.name)
    }

    /// With a number for `auto`, of which weight decay is part: 1/(1/auto + decay).
    private static func stepSize(
        _ problem: any MinibatchProblem, _ options: TrainingOptions
    ) throws(InputError) -> StepSize {
        try options.stepSize.resolved(
            automatic: 1 / (1 / problem.automaticStepSize + options.synchronous.weightDecay),
            for: problem.summary.train.name)
    }

    private static func makeWorkers(
        _ problem: any MinibatchProblem, workers: Int, ranks: Int, placement: Placement?, _ options: TrainingOptions
    ) throws(InputError) -> [SynchronousWorker] {
        let settings = options.synchronous
        try checkCollective(options)
        let start = problem.initialParameters(seed: options.seed)
        var made: [SynchronousWorker] = []
        var places: [(range: Range<Int>, node: Int)] = []
        for rank in 0..<ranks {
            let parts = options.algorithm == .minibatchSGD ? 0..<workers : rank..<min(rank + 1, workers)
            var samplers: [RowSampler] = []
            for part in parts {
                samplers.append(
                    try RowSampler(
                        options.order, rowCount: problem.rowCount, rank: part, workers: workers, seed: options.seed,
                        batchSize: options.batchSize, name: problem.summary.train.name))
            }
            if let node = placement?.workers[rank].memoryNode {
                places += samplers.flatMap(\.partition.chunks).map { (range: $0, node: node) }
            }
            let average = try average(problem, rank: rank, workers: workers, options)
            made.append(
                try SynchronousWorker(
                    rank: rank, workers: workers, samplers: samplers,
                    source: try problem.makeGradients(batchSize: options.batchSize), parameters: start,
                    average: average, keepsLost: keepsLost(problem, settings), options: settings))
        }
        problem.place(NodeRanges(places))
        return made
    }

    /// Whether steps have a share of x in them.
    static func keepsLost(_ problem: any MinibatchProblem, _ settings: SynchronousOptions) -> Bool {
        problem.summary.l2 > 0 || settings.weightDecay > 0
    }

    /// A rank's part in what travels in place of plain floats; nil where these travel.
    static func average(
        _ problem: any MinibatchProblem, rank: Int, workers: Int, _ options: TrainingOptions
    ) throws(InputError) -> CompressedAverage? {
        guard let codec = try codec(problem, options) else { return nil }
        return try CompressedAverage(
            codec.layout, codec: codec.configuration, hasFeedback: codec.hasFeedback, elements: problem.parameterCount,
            rank: rank, workers: workers, seed: options.seed, codecTime: options.synchronous.codecTime)
    }

    /// Loses nothing, and makes messages of sparse vectors shorter.
    static let sparseCodec = "nonzeros"

    private static func checkCollective(_ options: TrainingOptions) throws(InputError) {
        let settings = options.synchronous
        let name = options.algorithm.rawValue
        if options.algorithm == .globalReplica,
            ![.multiServer, .parameterServer].contains(settings.collective)
        {
            throw InputError(
                at: "--collective", found: "\(settings.collective.rawValue) for \(name)",
                expected: "multi-server or parameter-server")
        }
        let sums = options.algorithm == .gradientAggregation || options.algorithm == .modelAggregation
        if sums, settings.collective == .direct, settings.clock.isModel {
            throw InputError(
                at: "--collective", found: "direct, which sends no messages, on a model clock",
                expected: "another collective, such as ring-allreduce")
        }
    }

    /// What travels in place of plain floats, and how; nil for plain floats.
    private static func codec(
        _ problem: any MinibatchProblem, _ options: TrainingOptions
    ) throws(InputError) -> (layout: CompressedLayout, configuration: CodecConfiguration, hasFeedback: Bool)? {
        let settings = options.synchronous
        if options.algorithm.compresses {
            let name = options.algorithm.rawValue
            guard let codec = settings.codec else {
                throw InputError(at: "--codec", found: "none for \(name)", expected: "a codec, such as quantize:bits=4")
            }
            let hasFeedback = settings.hasErrorFeedback || options.algorithm == .ecSGD
            if options.algorithm == .ecSGD, settings.layout == .ring {
                throw InputError(
                    at: "--collective", found: "\(settings.layout.rawValue) for ec-sgd",
                    expected: "multi-server, parameter-server or natural; csgd with --error-feedback takes any")
            }
            if !hasFeedback, !settings.allowsBias, try !codec.makeCodec(count: problem.parameterCount).isUnbiased {
                throw InputError(
                    at: "--codec", found: "\(codec), which is biased, for csgd",
                    expected: "an unbiased one, ec-sgd, --error-feedback or --allow-bias")
            }
            return (settings.layout, codec, hasFeedback)
        }
        let takesSparse = options.algorithm == .gradientAggregation || options.algorithm == .globalReplica
        guard takesSparse, problem.hasSparseGradients, !settings.sendsZeros,
            let layout = CompressedLayout(rawValue: settings.collective.rawValue)
        else { return nil }
        return (layout, try CodecConfiguration(parsing: sparseCodec), false)
    }

    /// Trains. `progress` is called on the calling thread now and then, and after every evaluation.
    ///
    /// Throws where a rank fails for another reason than numbers that are not finite, which end the run as diverged.
    public func run(progress: (TrainingProgress) -> Void = { _ in }) throws -> SynchronousResult {
        var options = options
        if options.synchronous.clock.isModel && options.synchronous.computeSeconds == nil {
            options.synchronous.computeSeconds = try measuredComputeSeconds()
            options.synchronous.computeWasMeasured = true
            try options.synchronous.checkWait(
                options.algorithm, workers: workerCount, parameters: problem.parameterCount)
        }
        let isMeasured = options.synchronous.computeWasMeasured
        let compute = options.synchronous.computeSeconds
        let start = parameters
        var kept = start
        func evaluated(_ wanted: EvaluationFigures, ofKept: Bool) throws(InputError) -> ModelFigures {
            try modelFigures(wanted, at: ofKept ? kept : parameters)
        }
        var course = try TrainingCourse(
            options: options, hasHeldOutRows: problem.summary.test != nil, evaluated)
        progress(course.progressWithPoint)
        let parts = min(max(1, options.evaluationsPerEpoch), iterationsPerEpoch)
        var status = course.hasReachedTarget ? RunStatus.targetReached : nil
        var part = 0
        while status == nil && part < options.epochs * parts {
            let finite = try train(epoch: part / parts, part: part % parts, of: parts, compute, &course, progress)
            part += 1
            status = try course.append(
                finite: finite, isLast: part == options.epochs * parts, stop: stop, keep: { kept = parameters },
                evaluated)
            progress(course.progressWithPoint)
        }
        let figures = figures(of: course, computeSeconds: compute, isMeasured: isMeasured)
        let end = try course.status(status ?? .completed, changed: parameters != start, evaluated)
        return SynchronousResult(record: record(course, end, figures), parameters: kept)
    }

    /// A part of an epoch; false where something came out as not finite.
    private func train(
        epoch: Int, part: Int, of parts: Int, _ computeSeconds: Double?, _ course: inout TrainingCourse,
        _ progress: (TrainingProgress) -> Void
    ) throws -> Bool {
        let first = UInt64(epoch * iterationsPerEpoch + iterationsPerEpoch * part / parts)
        let end = UInt64(epoch * iterationsPerEpoch + iterationsPerEpoch * (part + 1) / parts)
        let settings = options.synchronous
        let fabric = try Fabric(
            count: rankCount, clock: settings.clock, straggler: settings.straggler, firstStep: first,
            placement: ranks?.placement)
        let ended = Locked<[RankTimes]>([])
        let begin = course.seconds
        let stretch = SynchronousStretch(
            iterations: first..<end, schedule: stepSize.during(epoch: epoch),
            warmUp: settings.warmUpEpochs * Double(iterationsPerEpoch), computeSeconds: computeSeconds,
            secondsLeft: options.maxSeconds.map { max(0, $0 - begin) }, stop: stop)
        let batch = Double(workerCount * options.batchSize)
        func reached(_ updates: UInt64) {
            course.updates = updates
            course.epochs = Double(updates) * batch / Double(problem.rowCount)
        }
        let start = monotonicNanoseconds()
        var finite = true
        do {
            func show() {
                reached(stretch.done.value.load(ordering: .relaxed))
                if !settings.clock.isModel { course.seconds = begin + Double(monotonicNanoseconds() - start) / 1e9 }
                progress(course.progress)
                // Whatever the ranks wait for, they are to come to their next iteration, where they agree to end.
                if stop.isRequested { fabric.endWallWaits() }
            }
            timing?(true)
            defer { timing?(false) }
            _ = try fabric.run(on: ranks, whileWaiting: show) { [workers, options] communicator in
                let worker = workers[communicator.rank]
                try communicator.beginTogether()
                let from = communicator.now
                // Where a rank fails, too: the record says what it took to come so far.
                defer {
                    let times = RankTimes(from: from, to: communicator.now, sent: communicator.sent)
                    ended.withLock { $0.append(times) }
                }
                try worker.run(options.algorithm, stretch, over: communicator)
            }
        } catch let error as CodecError {
            // A sum or a residual overflowed on the way: the peers have ended with it.
            switch error {
            case .notFinite, .tooLarge: finite = false
            default: throw error
            }
        }
        let spans = ended.withLock { $0 }
        course.seconds = begin + (spans.map(\.to).max() ?? 0) - (spans.map(\.from).min() ?? 0)
        reached(finite ? stretch.reached : stretch.done.value.load(ordering: .relaxed))
        if course.updates > first { segmentLengths[Int(course.updates - first), default: 0] += 1 }
        for span in spans {
            traffic.bytes += span.sent.bytes
            traffic.messages += span.sent.messages
        }
        return finite && !workers.contains { $0.sawNonFinite }
    }

    /// One rank's stretch, on its communicator's clock.
    private struct RankTimes {
        let from: Double
        let to: Double
        let sent: Communicator.Traffic
    }

    /// The median time of one minibatch by one worker alone, on the first thread that evaluates.
    private func measuredComputeSeconds() throws(InputError) -> Double {
        let sampler = try RowSampler(
            options.order, rowCount: problem.rowCount, rank: 0, workers: workerCount, seed: options.seed,
            batchSize: options.batchSize, name: problem.summary.train.name)
        let times = Locked<[Double]>([])
        evaluators.run { [workers] rank in
            guard rank == 0 else { return }
            for _ in 0..<11 {
                let start = monotonicNanoseconds()
                workers[0].rehearse(sampler)
                let end = monotonicNanoseconds()
                times.withLock { $0.append(Double(end - start) / 1e9) }
            }
        }
        // The first two find cold caches.
        return times.withLock { $0.dropFirst(2).sorted()[4] }
    }

    /// x of rank 0, which all workers share.
    private var parameters: [Float] { unsafe Array(workers[0].parameters) }

    private func modelFigures(_ wanted: EvaluationFigures, at parameters: [Float]) throws(InputError) -> ModelFigures {
        if wanted.contains(.gradient), gradient.isEmpty { gradient = [Double](repeating: 0, count: parameters.count) }
        let found = try evaluator.evaluate(parameters.span, wanted, gradient: &gradient)
        return ModelFigures(
            train: found.train, test: found.test, penalty: found.penalty,
            gradientNormSquared: wanted.contains(.gradient) ? gradient.reduce(0) { $0 + $1 * $1 } : nil)
    }
}
