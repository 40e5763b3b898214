// Runs of algorithms whose workers exchange messages, segment by segment, on a fabric that lives as long as the run. The coordinator's
// thread; the ranks run the loops.

internal import Collectives
internal import Compression
internal import Datasets
internal import Measurement
internal import Messaging
internal import Objectives
internal import Platform
internal import SwitchModel
internal import Synchronization

/// Ranks that meet through messages.
final class FabricRunner: Runner {
    let algorithm: any MessageAlgorithm
    /// Asked once: to describe what is compressed takes a codec.
    let exchange: ExchangeShape
    let plan: RunPlan
    let stepSize: StepSize
    /// N, and more where there are servers.
    let rankCount: Int
    /// The threads of the ranks; nil where one thread runs all.
    let ranks: WorkerTeam?
    let evaluators: WorkerTeam
    let workers: [RankWorker]
    /// Steps of an epoch: iterations, or where the parameters are a window its updates.
    let stepsPerEpoch: Int
    private let stop: StopRequest
    private let evaluator: any ProblemEvaluator
    private let start: [Float]
    private var kept: [Float] = []
    private var gradient: [Double] = []
    let fabric: Fabric
    /// The chunks of the model and their vectors, where it is in windows.
    private let windows: [(chunk: ModelChunk, vector: Vector)]
    /// What is known of the order of each window's updates.
    let orders: [UpdateOrder]
    var overTime = StalenessOverTime()
    /// Steps at the ends of the segments so far.
    private var evaluations: [UInt64] = []
    private var run: FabricRun<Void>?
    private var course: RankCourse?
    /// The workers' own models, all after the same step, where their mean is evaluated.
    private var models: [[Float]] = []
    private var mean: [Double] = []
    /// What a minibatch takes on a clock of the model, and whether that was measured here.
    private(set) var compute: (seconds: Double?, wasMeasured: Bool)

    init(
        _ algorithm: any MessageAlgorithm, _ plan: RunPlan, _ stepSize: StepSize, ranks: WorkerTeam?,
        evaluators: WorkerTeam, stop: StopRequest
    ) throws(InputError) {
        let options = plan.options
        exchange = algorithm.exchange
        try options.clock.checkWait(exchange, workers: plan.workers)
        self.algorithm = algorithm
        self.plan = plan
        self.stepSize = stepSize
        self.evaluators = evaluators
        self.stop = stop
        let count = algorithm.ranks(workers: plan.workers)
        let isVirtual = options.clock.kind.isVirtual
        rankCount = count
        // The ranks keep their threads while they stand still: others evaluate, on the same cores.
        self.ranks =
            if isVirtual { nil } else if let ranks { ranks } else { try WorkerTeam(placement: evaluators.placement) }
        precondition(isVirtual || self.ranks!.count == count, "\(self.ranks!.count) threads for \(count) ranks")
        // Before the workers are laid out: of very many ranks the kernel refuses the stacks.
        fabric = try Fabric(
            count: rankCount, clock: options.clock.kind, straggler: options.clock.straggler,
            placement: self.ranks?.placement)
        let start = try plan.startParameters()
        self.start = start
        evaluator = try plan.problem.makeEvaluator(team: evaluators)
        workers = try Self.makeWorkers(
            algorithm, plan, ranks: rankCount, placement: self.ranks?.placement, parameters: start)
        stepsPerEpoch = Self.stepsPerEpoch(algorithm, plan)
        var windows: [(ModelChunk, Vector)] = []
        if options.algorithm.facts.evaluates == .window {
            let chunks = workers[0].chunks
            for (index, chunk) in chunks.enumerated() {
                // Workers visit windows in this order: an update is made when it is in the last one.
                let vector = try fabric.openWindow(
                    .parameters(chunk: index), on: workers[0].owner(of: chunk), count: chunk.range.count,
                    aside: index == 0 ? algorithm.floatsAside : 0, isCounted: index == chunks.count - 1)
                vector.withMutableSpan { for i in chunk.range { $0[i - chunk.range.lowerBound] = start[i] } }
                windows.append((chunk, vector))
            }
        }
        self.windows = windows
        orders =
            workers[0].observers[0].trace == nil ? [] : windows.map { _ in UpdateOrder(workers: plan.workers) }
        compute =
            options.clock.straggler.isTrace
            ? (1, false) : (options.clock.computeSeconds, options.clock.computeWasMeasured)
        gatherModels(atEndOf: nil)
    }

    static func stepsPerEpoch(_ algorithm: any MessageAlgorithm, _ plan: RunPlan) -> Int {
        max(1, Int((Double(plan.problem.rowCount) / rowsPerStep(algorithm, plan)).rounded()))
    }

    /// Rows whose gradient goes into a step.
    private static func rowsPerStep(_ algorithm: any MessageAlgorithm, _ plan: RunPlan) -> Double {
        let gradients = plan.options.algorithm.facts.evaluates == .window ? algorithm.gradientsPerUpdate : plan.workers
        return Double(gradients) * Double(plan.options.batchSize)
    }

    static func makeWorkers(
        _ algorithm: any MessageAlgorithm, _ plan: RunPlan, ranks: Int, placement: Placement?, parameters: [Float]
    ) throws(InputError) -> [RankWorker] {
        let options = plan.options
        var made: [RankWorker] = []
        var places: [(range: Range<Int>, node: Int)] = []
        let chunks = options.algorithm.facts.evaluates == .window ? algorithm.chunks(parameters: parameters.count) : []
        for rank in 0..<ranks {
            let partitions = algorithm.partitions(rank: rank, of: ranks, workers: plan.workers)
            let samplers = try partitions.map { worker throws(InputError) in try sampler(plan, worker: worker) }
            if let node = placement?.workers[rank].memoryNode {
                // Rows that several ranks visit lie with the one whose partition they are.
                let own = zip(partitions, samplers).filter { $0.0 % ranks == rank }.map(\.1)
                places += own.flatMap(\.partition.chunks).map { (range: $0, node: node) }
            }
            let worker = try RankWorker(
                rank: rank, server: ranks > plan.workers ? plan.workers : 0, samplers: samplers,
                source: samplers.isEmpty ? nil : try plan.problem.makeGradients(batchSize: options.batchSize),
                parameters: parameters, keepsLost: keepsLost(plan), chunks: chunks,
                traceCapacity: traceCapacity(algorithm, plan), plan: plan)
            try algorithm.prepare(worker)
            made.append(worker)
        }
        plan.problem.place(NodeRanges(places))
        return made
    }

    /// How many updates of a segment a worker notes at each window, for their order to be put together; 0 where nobody is delayed.
    static func traceCapacity(_ algorithm: any MessageAlgorithm, _ plan: RunPlan) -> Int {
        let options = plan.options
        let isDelayed = plan.workers > 1 || (algorithm.exchange.servers?.pipelined ?? 1) > 1
        guard options.algorithm.facts.evaluates == .window, options.staleness != .off, isDelayed else { return 0 }
        // Each gradient of an update is noted.
        let updates = stepsPerEpoch(algorithm, plan) / max(1, options.evaluationsPerEpoch) + 1
        return WindowObserver.capacity(
            steps: min(1 << 40, updates.multiplied(by: algorithm.gradientsPerUpdate)), workers: plan.workers,
            windows: algorithm.chunks(parameters: plan.problem.parameterCount).count)
    }

    static func sampler(_ plan: RunPlan, worker: Int) throws(InputError) -> RowSampler {
        let (options, partitions) = (plan.options, partitions(plan))
        // Workers who do not wait for each other visit their rows as sgd does.
        return try RowSampler(
            options.order, rowCount: plan.problem.rowCount, rank: worker % partitions, workers: partitions,
            seed: options.seed, batchSize: options.batchSize, name: plan.problem.summary.train.name,
            beginsAnywhere: options.algorithm.facts.evaluates != .window)
    }

    /// The rows of a worker.
    static func partition(_ plan: RunPlan, worker: Int) -> Partition {
        let partitions = partitions(plan)
        return Partition(
            rowCount: plan.problem.rowCount, blockLength: plan.options.order.rowsPerBlock,
            rank: worker % partitions, workers: partitions)
    }

    /// Into how many partitions the rows are cut: where workers do not wait for each other and there are too few rows for all, they share them.
    private static func partitions(_ plan: RunPlan) -> Int {
        guard plan.options.algorithm.facts.evaluates == .window else { return plan.workers }
        let length = plan.options.order.rowsPerBlock
        return max(1, min(plan.workers, (plan.problem.rowCount + length - 1) / length))
    }

    /// Whether steps have a share of x in them.
    static func keepsLost(_ plan: RunPlan) -> Bool {
        plan.options.algorithm.facts.evaluates != .window
            && (plan.problem.hasPenalty || plan.options.stepRule.weightDecay > 0)
    }

    /// Throws what making a run would throw.
    static func check(
        _ algorithm: any MessageAlgorithm, _ plan: RunPlan, evaluators: Int
    ) throws(InputError) {
        try plan.options.clock.checkWait(algorithm.exchange, workers: plan.workers)
        try Fabric.check(count: algorithm.ranks(workers: plan.workers), clock: plan.options.clock.kind)
        _ = try checkMemory(algorithm, plan, evaluators: evaluators)
        _ = try plan.startParameters()
        // No worker has fewer rows than the first.
        _ = try sampler(plan, worker: 0)
    }

    // MARK: Segments

    func segmentsPerEpoch(evaluations: Int) -> Int { min(evaluations, stepsPerEpoch) }

    func train(
        segment: Int, of count: Int, _ course: inout TrainingCourse, _ progress: (TrainingProgress) -> Void
    ) throws -> SegmentEnd {
        let (run, ranks) = try begun(segments: count)
        ranks.note(evaluated: segment)
        let begin = course.seconds
        let start = monotonicNanoseconds()
        let isVirtual = plan.options.clock.kind.isVirtual
        func show() {
            note(ranks.done.value.load(ordering: .relaxed), in: &course)
            if !isVirtual { course.seconds = begin + Double(monotonicNanoseconds() - start) / 1e9 }
            // Whatever the ranks wait for, they are to come to their next step, where they agree to end.
            if stop.isRequested { fabric.endWallWaits() }
            progress(course.progress)
        }
        var isOver = false
        var finite = true
        do {
            isOver = try !run.advance(whileWaiting: show)
        } catch let error as CodecError {
            // A sum or a residual overflowed on the way: the peers have ended with it.
            switch error {
            case .notFinite, .tooLarge: (finite, isOver) = (false, true)
            default: throw error
            }
        }
        course.seconds = ranks.reachedSeconds
        note(steps, in: &course)
        evaluations.append(course.updates)
        noteStaleness(updates: course.updates)
        gatherModels(atEndOf: isOver ? nil : segment)
        if workers.contains(where: \.sawNonFinite) { finite = false }
        return finite ? (isOver ? .over : .goesOn) : .notFinite
    }

    /// nil: as they are.
    private func gatherModels(atEndOf segment: Int?) {
        guard plan.options.algorithm.facts.evaluates == .mean else { return }
        models = workers.filter { !$0.isServer }.map { worker in
            segment.map { worker.takeModel(atEndOf: $0) } ?? worker.x.elements
        }
        mean = [Double](repeating: 0, count: start.count)
        for model in models { for i in mean.indices { mean[i] += Double(model[i]) } }
        for i in mean.indices { mean[i] /= Double(models.count) }
    }

    /// Steps of the model.
    private var steps: UInt64 {
        switch plan.options.algorithm.facts.evaluates {
        case .rank0: workers[0].ended
        case .mean: workers.reduce(.max) { $1.isServer ? $0 : min($0, $1.ended) }
        case .window: version(ofChunk: windows.count - 1)
        }
    }

    /// Updates of a window.
    func version(ofChunk index: Int) -> UInt64 {
        fabric.state(of: .parameters(chunk: index), on: workers[0].owner(of: windows[index].chunk)).version
    }

    private func note(_ steps: UInt64, in course: inout TrainingCourse) {
        course.updates = steps
        course.epochs = Double(steps) * Self.rowsPerStep(algorithm, plan) / Double(plan.problem.rowCount)
    }

    /// The run, which the first segment begins.
    private func begun(segments: Int) throws -> (FabricRun<Void>, RankCourse) {
        if let run, let course { return (run, course) }
        if plan.options.clock.kind.isModel && compute.seconds == nil {
            compute = (try measuredComputeSeconds(), true)
            var clock = plan.options.clock
            clock.computeSeconds = compute.seconds
            try clock.checkWait(exchange, workers: plan.workers)
        }
        let course = RankCourse(
            stepsPerEpoch: stepsPerEpoch, segments: segments, stepSize: stepSize, computeSeconds: compute.seconds,
            lead: algorithm.lead, workers: plan.workers, options: plan.options,
            evaluates: plan.options.algorithm.facts.evaluates, stop: stop)
        let run = try FabricRun(fabric, on: ranks) { [algorithm, workers] communicator in
            let worker = workers[communicator.rank]
            try communicator.beginTogether()
            // Nobody runs for a passive server.
            if worker.isServer && course.evaluates == .window { return }
            worker.begin(course, over: communicator)
            do {
                try algorithm.run(worker, over: communicator)
            } catch FabricError.cancelled {
                // What lies after the last instant of the run is none of it.
                throw FabricError.cancelled
            } catch {
                worker.end()
                throw error
            }
            worker.end()
        }
        self.run = run
        self.course = course
        return (run, course)
    }

    /// The median time of one minibatch by one worker alone, on the first thread that evaluates.
    private func measuredComputeSeconds() throws(InputError) -> Double {
        let sampler = try Self.sampler(plan, worker: 0)
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

    // MARK: The model

    /// The parameters of the run's model as they are.
    private var parameters: [Float] {
        switch plan.options.algorithm.facts.evaluates {
        case .rank0: return workers[0].x.elements
        case .window: return windows.flatMap { $0.vector.elements }
        case .mean: return mean.map(Float.init)
        }
    }

    /// (1/N) sum_n norm(x_n - mean)^2, where workers have models of their own.
    private var consensusDistance: Double? {
        guard plan.options.algorithm.facts.evaluates == .mean else { return nil }
        let sum = models.reduce(0.0) { sum, x in
            mean.indices.reduce(sum) { $0 + (Double(x[$1]) - mean[$1]) * (Double(x[$1]) - mean[$1]) }
        }
        return sum / Double(models.count)
    }

    func keep() { kept = parameters }

    var hasChanged: Bool { parameters != start }

    func figures(_ wanted: EvaluationFigures, ofKept: Bool) throws(InputError) -> ModelFigures {
        if wanted.contains(.gradient), gradient.isEmpty { gradient = [Double](repeating: 0, count: start.count) }
        let found = try evaluator.evaluate((ofKept ? kept : parameters).span, wanted, gradient: &gradient)
        return ModelFigures(
            train: found.train, test: found.test, penalty: found.penalty,
            gradientNormSquared: wanted.contains(.gradient) ? gradient.reduce(0) { $0 + $1 * $1 } : nil,
            consensusDistance: ofKept ? nil : consensusDistance)
    }

    // MARK: The end

    func finish(_ course: TrainingCourse, _ status: RunStatus) throws -> RunnerResult {
        run?.cancel()
        let options = plan.options
        let facts = options.algorithm.facts
        let isVirtual = options.clock.kind.isVirtual
        // Virtual time that was measured is not a matter of the seed.
        let figures = exchangeFigures(of: course)
        let wasMeasured = compute.wasMeasured || figures.codecTime == CodecTime.measured.description
        return RunnerResult(
            parameters: kept,
            placement: (
                (ranks ?? evaluators).placement.policy.description,
                ranks?.placement.workers.map(\.cpu) ?? Array(repeating: nil, count: rankCount)
            ),
            workers: plan.workers, batchSize: options.batchSize,
            samples: UInt64(Double(course.updates) * Self.rowsPerStep(algorithm, plan)),
            isDeterministic: !facts.isRacing || plan.workers == 1 || isVirtual && !wasMeasured,
            hasExactTime: isVirtual && !wasMeasured, staleness: staleness(updates: course.updates), exchange: figures,
            updateLog: options.keepsUpdateLog ? workers.flatMap(\.log) : [],
            order: try recordedOrder(),
            computeTrace: workers.filter { !$0.isServer }.map(\.computations))
    }

    /// Where it was to be kept.
    private func recordedOrder() throws(InputError) -> RecordedOrder? {
        guard plan.options.recordsOrder, let algorithm = algorithm as? any ReplayableAlgorithm else { return nil }
        return try RecordedOrder(workers.flatMap(\.log), algorithm, plan, stepSize, evaluations: evaluations)
    }

    /// Sent by all ranks.
    var traffic: (bytes: Int, messages: Int) {
        (0..<rankCount).reduce((0, 0)) { sum, rank in
            guard let own = run?.traffic(of: rank) else { return sum }
            // In shared memory a window is looked at where it lies.
            let all = [own.sent] + (plan.options.clock.kind.isModel ? [own.pushed, own.pulled] : [])
            return (sum.0 + all.reduce(0) { $0 + $1.bytes }, sum.1 + all.reduce(0) { $0 + $1.messages })
        }
    }
}
