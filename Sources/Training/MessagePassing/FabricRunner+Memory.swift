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
            // All together make the updates of a segment, whoever makes how many.
            let most = traceCapacity(algorithm, plan)
            estimate.add((13 * chunks.count).multiplied(by: min(most, stepsPerEpoch(algorithm, plan) + 64)))
        }
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
            let segment = max(1, stepsPerEpoch(algorithm, plan) / max(1, options.evaluationsPerEpoch))
            let ahead = options.clock.kind.isVirtual ? Int(min(algorithm.lead ?? 1, 1 << 20)) / segment + 1 : 0
            estimate.add(2 * 8 * d)
            estimate.add((4 * d).multiplied(by: 1 + ahead), times: plan.workers)
        }
        estimate.add(problem.evaluatorBytes(workers: evaluators, withGradient: options.gradientNorm != .never))
        return estimate
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
