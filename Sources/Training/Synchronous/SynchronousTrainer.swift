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
    let ranks: WorkerTeam
    private let stop: StopRequest
    let stepSize: StepSize
    private let evaluator: any ProblemEvaluator
    let workers: [SynchronousWorker]
    private let iterationsPerEpoch: Int
    private var gradient: [Double]
    /// Sent by all ranks.
    private(set) var traffic = (bytes: 0, messages: 0)

    /// Prepares a run; no update is made before `run`.
    ///
    /// Throws what cannot be meant: a worker without rows, a codec that does not suit, a collective that the algorithm does not take,
    /// or more than memory holds.
    ///
    /// `ranks` are the threads of the ranks, `options.algorithm.ranks(workers:options:)` of them; `evaluators` evaluate between stretches,
    /// and may be the same team.
    public init(
        problem: any MinibatchProblem, workers: Int, ranks: WorkerTeam, evaluators: WorkerTeam,
        options: TrainingOptions, stop: StopRequest = StopRequest()
    ) throws(InputError) {
        precondition(
            ranks.count == options.algorithm.ranks(workers: workers, options: options.synchronous),
            "\(ranks.count) ranks for \(workers) workers")
        try Self.checkMemory(
            problem, workers: workers, ranks: ranks.count, evaluators: evaluators.count, options)
        self.problem = problem
        self.options = options
        self.ranks = ranks
        self.stop = stop
        workerCount = workers
        stepSize = options.stepSize.resolved(automatic: problem.automaticStepSize)
        evaluator = try problem.makeEvaluator(team: evaluators)
        self.workers = try Self.makeWorkers(problem, workers: workers, ranks: ranks, options)
        let batch = Double(workers) * Double(options.batchSize)
        iterationsPerEpoch = max(1, Int((Double(problem.rowCount) / batch).rounded()))
        gradient = [Double](repeating: 0, count: problem.parameterCount)
    }

    /// Throws what `init` would, without making what a run needs: so that none of several runs is in vain.
    public static func check(
        problem: any MinibatchProblem, workers: Int, evaluators: Int, options: TrainingOptions
    ) throws(InputError) {
        let ranks = options.algorithm.ranks(workers: workers, options: options.synchronous)
        try checkCollective(options)
        try checkMemory(problem, workers: workers, ranks: ranks, evaluators: evaluators, options)
        if let codec = try codec(problem, options) {
            _ = try CompressedAverage(
                codec.layout, codec: codec.configuration, hasFeedback: codec.hasFeedback,
                elements: problem.parameterCount, rank: 0, workers: workers, seed: options.seed)
        }
        // No worker has fewer rows than the first.
        _ = try RowSampler(
            options.order, rowCount: problem.rowCount, rank: 0, workers: workers, seed: options.seed,
            batchSize: options.batchSize, name: problem.summary.train.name)
    }

    private static func makeWorkers(
        _ problem: any MinibatchProblem, workers: Int, ranks: WorkerTeam, _ options: TrainingOptions
    ) throws(InputError) -> [SynchronousWorker] {
        let settings = options.synchronous
        try checkCollective(options)
        let codec = try codec(problem, options)
        let start = problem.initialParameters(seed: options.seed)
        var made: [SynchronousWorker] = []
        for rank in 0..<ranks.count {
            let parts = options.algorithm == .minibatchSGD ? 0..<workers : rank..<min(rank + 1, workers)
            var samplers: [RowSampler] = []
            for part in parts {
                samplers.append(
                    try RowSampler(
                        options.order, rowCount: problem.rowCount, rank: part, workers: workers, seed: options.seed,
                        batchSize: options.batchSize, name: problem.summary.train.name))
            }
            if let node = ranks.placement.workers[rank].memoryNode {
                for sampler in samplers { for chunk in sampler.partition.chunks { problem.place(chunk, onNode: node) } }
            }
            var average: CompressedAverage?
            if let codec {
                average = try CompressedAverage(
                    codec.layout, codec: codec.configuration, hasFeedback: codec.hasFeedback,
                    elements: problem.parameterCount, rank: rank, workers: workers, seed: options.seed)
            }
            made.append(
                try SynchronousWorker(
                    rank: rank, workers: workers, samplers: samplers,
                    source: try problem.makeGradients(batchSize: options.batchSize), parameters: start,
                    average: average, options: settings))
        }
        return made
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
        }
        let isMeasured = options.synchronous.computeWasMeasured
        let compute = options.synchronous.computeSeconds
        var course = TrainingCourse(from: try evaluate(epoch: 0, updates: 0, seconds: 0), options: options)
        var kept = parameters
        progress(course.progress)
        let parts = min(options.evaluationsPerEpoch, iterationsPerEpoch)
        var status = course.hasReachedTarget ? RunStatus.targetReached : nil
        var part = 0
        while status == nil && part < options.epochs * parts {
            let finite = try train(epoch: part / parts, part: part % parts, of: parts, compute, &course, progress)
            part += 1
            let point = try evaluate(epoch: course.epochs, updates: course.updates, seconds: course.seconds)
            status = course.append(point, finite: finite, stop: stop) { kept = parameters }
            progress(course.progress)
        }
        let figures = figures(of: course, computeSeconds: compute, isMeasured: isMeasured)
        return SynchronousResult(record: record(course, status ?? .completed, figures), parameters: kept)
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
            count: ranks.count, clock: settings.clock, straggler: settings.straggler, firstStep: first,
            placement: ranks.placement)
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
            }
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

    /// The median time of one minibatch by one worker alone, on the first rank's thread.
    private func measuredComputeSeconds() throws(InputError) -> Double {
        let sampler = try RowSampler(
            options.order, rowCount: problem.rowCount, rank: 0, workers: workerCount, seed: options.seed,
            batchSize: options.batchSize, name: problem.summary.train.name)
        let times = Locked<[Double]>([])
        ranks.run { [workers] rank in
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

    private func evaluate(epoch: Double, updates: UInt64, seconds: Double) throws(InputError) -> TrainingPoint {
        let figures = try unsafe evaluator.evaluate(
            UnsafeBufferPointer(workers[0].parameters).span, gradient: &gradient)
        let shown = figures.test ?? figures.train
        return TrainingPoint(
            epoch: epoch, updates: updates, seconds: seconds, loss: shown.loss, accuracy: shown.accuracy,
            auc: shown.auc, r2: shown.r2, trainLoss: figures.test == nil ? nil : figures.train.loss,
            objective: figures.train.loss + figures.penalty,
            gradientNormSquared: gradient.reduce(0) { $0 + $1 * $1 })
    }
}
