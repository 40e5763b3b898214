// What a run of data-parallel SGD takes of memory. The coordinator, before anything is laid out.

internal import Collectives
internal import Measurement
internal import Messaging
internal import Platform
internal import SwitchModel

extension SynchronousTrainer {
    /// What a run takes, as its owners state it; refuses already what is too much without codecs, which are made to be asked.
    static func memoryEstimate(
        _ problem: any MinibatchProblem, workers: Int, ranks: Int, evaluators: Int, _ options: TrainingOptions
    ) throws(InputError) -> MemoryEstimate {
        let d = problem.parameterCount
        var estimate = MemoryEstimate()
        let samplers = options.algorithm == .minibatchSGD ? workers : 1
        estimate.add(
            SynchronousWorker.memoryBytes(
                parameters: d, samplers: samplers, keepsLost: keepsLost(problem, options.synchronous),
                options: options.synchronous), times: ranks)
        estimate.add(
            RowSampler.memoryBytes(
                options.order, rowCount: problem.rowCount, workers: workers, batchSize: options.batchSize),
            times: workers)
        estimate.add(Int(min(9e18, problem.gradientBytes(batchSize: options.batchSize))), times: ranks)
        let rankThreads = options.synchronous.clock.isVirtual || ranks == evaluators ? 0 : ranks
        estimate.add(WorkerTeam.threadBytes, times: rankThreads + evaluators)
        try requireFit(estimate, problem, workers: workers, options)
        // One rank's share says what all take.
        var vectorBytes = 4 * d
        var pattern = options.algorithm == .minibatchSGD ? nil : options.synchronous.collective.pattern
        if let average = try average(problem, rank: 0, workers: workers, options) {
            estimate.add(average.memoryBytes, times: ranks)
            vectorBytes = average.largestEncodedBytes
            pattern = average.collective.pattern ?? .ringAllReduce
        }
        let (messages, vectors) = pattern?.mostUnderWay(workers: workers) ?? (0, 0)
        estimate.add(
            Fabric.memoryBytes(
                ranks: ranks, clock: options.synchronous.clock, pairs: pattern?.pairCount(workers: workers) ?? 0,
                messages: messages, bytes: vectors.multiplied(by: vectorBytes)))
        // For all: the start, the model kept and its copy, and the gradient of an evaluation in double.
        estimate.add(3 * 4 * d + (options.gradientNorm == .never ? 0 : 8 * d))
        estimate.add(problem.evaluatorBytes(workers: evaluators, withGradient: options.gradientNorm != .never))
        return estimate
    }

    /// Refuses a run in which the kernel would end the process, or an array could not be laid out; else what the process will take at the
    /// most, in bytes.
    static func checkMemory(
        _ problem: any MinibatchProblem, workers: Int, ranks: Int, evaluators: Int, _ options: TrainingOptions
    ) throws(InputError) -> Int {
        let estimate = try memoryEstimate(
            problem, workers: workers, ranks: ranks, evaluators: evaluators, options)
        try requireFit(estimate, problem, workers: workers, options)
        return estimate.peakBytes
    }

    private static func requireFit(
        _ estimate: MemoryEstimate, _ problem: any MinibatchProblem, workers: Int, _ options: TrainingOptions
    ) throws(InputError) {
        try estimate.requireFit(
            at: problem.summary.train.name,
            """
            a model of \(problem.parameterCount) parameters and minibatches of \(options.batchSize) rows for \
            \(workers) workers
            """)
    }
}
