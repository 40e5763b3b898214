// What a run whose workers exchange messages takes of memory. The coordinator, before anything is laid out.

internal import Measurement
internal import Messaging
internal import Platform
internal import SwitchModel

extension FabricRunner {
    /// What a run takes, as its owners state it; refuses already what is too much without codecs, which are made to be asked.
    static func memoryEstimate(
        _ algorithm: any MessageAlgorithm, _ plan: RunPlan, evaluators: Int
    ) throws(InputError) -> MemoryEstimate {
        let (problem, options) = (plan.problem, plan.options)
        let (ranks, d) = (algorithm.ranks(workers: plan.workers), problem.parameterCount)
        var estimate = MemoryEstimate()
        let isWindow = options.algorithm.facts.evaluates == .window
        estimate.add(
            RankWorker.memoryBytes(
                parameters: d, samplers: plan.workers / ranks, keepsLost: keepsLost(plan),
                momentum: options.stepRule.momentum), times: isWindow ? plan.workers : ranks)
        if isWindow {
            let chunks = algorithm.chunks(parameters: d)
            for chunk in chunks { estimate.add(Vector.byteCount(of: chunk.range.count)) }
            estimate.add(StalenessRecorder.memoryBytes, times: (chunks.count - 1).multiplied(by: plan.workers))
            estimate.add(Vector.byteCount(of: algorithm.floatsAside))
            addOrders(to: &estimate, algorithm, plan, windows: chunks.count)
        }
        addLogs(to: &estimate, algorithm, plan)
        estimate.add(
            RowSampler.memoryBytes(
                options.order, rowCount: problem.rowCount, workers: plan.workers, batchSize: options.batchSize),
            times: plan.workers)
        estimate.add(
            Int(min(9e18, problem.gradientBytes(batchSize: options.batchSize))), times: min(ranks, plan.workers))
        let rankThreads = options.clock.kind.isVirtual ? 0 : ranks
        estimate.add(WorkerTeam.threadBytes, times: rankThreads + evaluators)
        try requireFit(estimate, plan)
        // One rank's share says what all take, and the first's what they share.
        let first = algorithm.memoryBytes(rank: 0)
        estimate.add(first)
        if ranks > 1 { estimate.add(algorithm.memoryBytes(rank: 1), times: ranks - 1) }
        let exchange = algorithm.exchange
        // What asynchronous workers do to a window goes through no mailbox.
        let pattern = exchange.isAsynchronous ? nil : exchange.pattern
        let own = exchange.pairs ?? 0
        let (messages, vectors) = pattern?.mostUnderWay(workers: plan.workers) ?? (own, own)
        estimate.add(
            Fabric.memoryBytes(
                ranks: ranks, clock: options.clock.kind,
                pairs: pattern?.pairCount(workers: plan.workers) ?? own, messages: messages,
                bytes: vectors.multiplied(by: exchange.bytes)))
        // For all: the start, the model kept and its copy, and the gradient of an evaluation in double.
        estimate.add(3 * 4 * d + (options.gradientNorm == .never ? 0 : 8 * d))
        if options.algorithm.facts.evaluates == .mean {
            // Their sum, and each worker's model; under the virtual clock those of all evaluations that the slowest has still to come to.
            let segments = max(1, options.evaluationsPerEpoch)
            let segment = max(1, stepsPerEpoch(algorithm, plan) / segments)
            let apart = if case .none = options.clock.straggler { 1 } else { Int(min(algorithm.lead ?? 1, 1 << 20)) }
            let ahead =
                options.clock.kind.isVirtual ? min(apart / segment + 1, options.epochs.multiplied(by: segments)) : 0
            estimate.add(2 * 8 * d)
            estimate.add((4 * d).multiplied(by: 1 + ahead), times: plan.workers)
        }
        estimate.add(problem.evaluatorBytes(workers: evaluators, withGradient: options.gradientNorm != .never))
        return estimate
    }

    /// Who delayed whom: what workers note of a segment's updates at each window, and what is put together of that.
    private static func addOrders(
        to estimate: inout MemoryEstimate, _ algorithm: any MessageAlgorithm, _ plan: RunPlan, windows: Int
    ) {
        let (most, workers) = (traceCapacity(algorithm, plan), plan.workers)
        if most == 0 { return }
        // All together make the updates of a segment, whoever makes how many: of each trace one page is touched in any case.
        let gradients = stepsPerEpoch(algorithm, plan).multiplied(by: algorithm.gradientsPerUpdate)
        let share = min(most, gradients / workers + 2)
        estimate.add(UpdateTrace.memoryBytes(updates: share), times: workers.multiplied(by: windows))
        estimate.add(
            UpdateOrder.memoryBytes(
                workers: workers, segment: min(stepsPerEpoch(algorithm, plan), most.multiplied(by: workers)),
                updates: updates(algorithm, plan)), times: windows)
        // Their sum, and that which is added to it.
        estimate.add(16 * workers * workers)
    }

    private static func updates(_ algorithm: any MessageAlgorithm, _ plan: RunPlan) -> Int {
        stepsPerEpoch(algorithm, plan).multiplied(by: plan.options.epochs)
    }

    /// What a run keeps of every update or computation until its end, where it is asked to.
    private static func addLogs(to estimate: inout MemoryEstimate, _ algorithm: any MessageAlgorithm, _ plan: RunPlan) {
        let options = plan.options
        let isWindow = options.algorithm.facts.evaluates == .window
        let entry = MemoryLayout<UpdateLogEntry>.stride
        if let order = options.replay {
            // The next update of each update's worker.
            estimate.add(4 + (options.keepsUpdateLog ? entry : 0), times: order.updates.count)
        } else if isWindow && (options.keepsUpdateLog || options.recordsOrder) {
            let windows = max(1, algorithm.chunks(parameters: plan.problem.parameterCount).count)
            let entries = updates(algorithm, plan).multiplied(by: windows * algorithm.gradientsPerUpdate)
            // Those of each worker, all of them together, and the same in their order; as arrays grow, a half besides.
            estimate.add(entry * 7 / 2, times: entries)
            // The order itself, its bytes, and lines of text.
            if options.recordsOrder { estimate.add(24, times: entries) }
            if options.keepsUpdateLog { estimate.add(entry + 24, times: entries) }
        }
        if options.keepsComputeTrace {
            let gradients =
                isWindow ? algorithm.gradientsPerUpdate : options.algorithm.facts.isSerial ? 1 : plan.workers
            let all = updates(algorithm, plan).multiplied(by: gradients)
            // Numbers, and lines of text while that grows.
            estimate.add(
                MemoryLayout<Double>.stride * 3 / 2 + 48,
                times: min(all, ComputeTrace.mostPerRank(of: plan.workers).multiplied(by: plan.workers)))
        }
    }

    /// Refuses a run in which the kernel would end the process, or an array could not be laid out; else what the process will take at the
    /// most, in bytes.
    static func checkMemory(
        _ algorithm: any MessageAlgorithm, _ plan: RunPlan, evaluators: Int
    ) throws(InputError) -> Int {
        let estimate = try memoryEstimate(algorithm, plan, evaluators: evaluators)
        try requireFit(estimate, plan)
        return estimate.peakBytes
    }

    private static func requireFit(_ estimate: MemoryEstimate, _ plan: RunPlan) throws(InputError) {
        try estimate.requireFit(
            at: plan.problem.summary.train.name,
            """
            a model of \(plan.problem.parameterCount) parameters and minibatches of \(plan.options.batchSize) rows for \
            \(plan.workers) workers
            """)
    }
}
