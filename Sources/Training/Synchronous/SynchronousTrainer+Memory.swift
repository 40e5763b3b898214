// What a run of data-parallel SGD takes of memory. The coordinator, before anything is laid out.

internal import Measurement
internal import Platform

extension SynchronousTrainer {
    /// Refuses a run in which the kernel would end the process, or an array could not be laid out.
    static func checkMemory(
        _ problem: any MinibatchProblem, workers: Int, ranks: Int, evaluators: Int, _ options: TrainingOptions
    ) throws(InputError) {
        let d = Double(problem.parameterCount)
        let settings = options.synchronous
        // Of each rank, in floats: x and g; the velocity; what rounding has taken; the sum of several minibatches; with a codec residuals as a worker and as a
        // server, and for each of the two a message, which may be half as long again as what it encodes.
        var floats = 2.0
        if settings.momentum > 0 { floats += 1 }
        if keepsLost(problem, settings) { floats += 1 }
        if options.algorithm == .minibatchSGD && workers > 1 { floats += 1 }
        if options.algorithm.compresses || problem.hasSparseGradients { floats += 3 }
        if settings.hasErrorFeedback || options.algorithm == .ecSGD { floats += 2 }
        let batch = Double(workers) * Double(options.batchSize) * Double(MemoryLayout<Int>.size)
        let blocks =
            Double(ranks) * problem.gradientBytes(batchSize: options.batchSize) + Double(evaluators)
            * problem.gradientBytes(batchSize: 256)
        // For all: the start, the model kept, its copy and its file (4 bytes each), gradients in double and sums for them.
        let need = Double(ranks) * 4 * floats * d + batch + blocks + 32 * d
        guard let available = availableMemoryBytes(), need > Double(available) else { return }
        let run = "a model of \(problem.parameterCount) parameters and minibatches of \(options.batchSize) rows"
        throw InputError(
            at: problem.summary.train.name,
            found: "\(run), for which \(workers) workers take about \(Int(min(need, 9e18)) >> 20) MiB of memory",
            expected: "what \(available >> 20) MiB of free memory hold")
    }
}
