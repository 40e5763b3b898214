// What a run of data-parallel SGD leaves behind. The coordinator, when the ranks are idle.

internal import Collectives
internal import Compression
internal import Datasets
internal import Measurement
internal import Messaging
internal import Platform
internal import SwitchModel

extension SynchronousTrainer {
    func record(_ course: TrainingCourse, _ status: RunStatus, _ figures: RunRecord.Synchronous) -> RunRecord {
        let summary = problem.summary
        let settings = RunRecord.Settings(
            algorithm: options.algorithm.rawValue, objective: summary.objective, l2: summary.l2,
            intercept: summary.intercept, workers: workerCount, placement: ranks.placement.policy.description,
            cpus: ranks.placement.workers.map(\.cpu), order: options.order.rawValue, batchSize: options.batchSize,
            stepSize: stepSize.description, epochs: options.epochs, seed: options.seed, targetLoss: options.targetLoss,
            maxSeconds: options.maxSeconds, patience: options.patience)
        // Each gradient is taken at the model that it then changes.
        let staleness = StalenessRecorder()
        staleness.record(0, count: course.updates)
        // Where the real clock or a signal ended the run, its length is not a matter of the seed; nor is virtual time that was measured.
        let isVirtual = if case .virtual = options.synchronous.clock { !figures.computeWasMeasured } else { false }
        var record = RunRecord(
            settings: settings, train: summary.train, test: summary.test,
            deterministic: status != .interrupted && (status != .timeLimit || isVirtual), status: status,
            points: course.points, keptPoint: course.keptPoint, updates: course.updates,
            samples: course.updates * UInt64(workerCount * options.batchSize), seconds: course.seconds, orderSeconds: 0,
            staleness: StalenessSummary(method: .serial, every: 1, recorders: [staleness]), synchronous: figures)
        record.evaluationSeconds = course.evaluationSeconds
        return record
    }

    /// What was exchanged, and what the switch model says of it.
    func figures(of course: TrainingCourse, computeSeconds: Double?, isMeasured: Bool) -> RunRecord.Synchronous {
        let settings = options.synchronous
        let (clock, cost): (String, NetworkCost?) =
            switch settings.clock {
            case .native: ("native", nil)
            case .wall(let cost): ("wall", cost)
            case .virtual(let cost): ("virtual", cost)
            }
        let averages = workers.compactMap(\.average)
        var figures = RunRecord.Synchronous(
            collective: collectiveName,
            codec: options.algorithm.compresses
                ? settings.codec?.description : averages.isEmpty ? nil : Self.sparseCodec,
            errorFeedback: averages.first?.hasFeedback ?? false, momentum: settings.momentum,
            nesterov: settings.isNesterov, weightDecay: settings.weightDecay, clipNorm: settings.clipNorm,
            warmUpEpochs: settings.warmUpEpochs, clock: clock, latencySeconds: cost?.latencySeconds,
            secondsPerMegabyte: cost?.secondsPerMegabyte, ports: cost?.ports.rawValue,
            straggler: settings.straggler == .none ? nil : settings.straggler.text, computeSeconds: computeSeconds,
            computeWasMeasured: isMeasured)
        if let cost, let computeSeconds, !settings.straggler.isDrawn {
            figures.predictedSecondsPerIteration = predictedSeconds(over: cost, computeSeconds: computeSeconds)
        }
        guard course.updates > 0 else { return figures }
        let iterations = Double(course.updates)
        figures.secondsPerIteration = course.seconds / iterations
        figures.bytesPerIteration = Double(traffic.bytes) / iterations
        figures.messagesPerIteration = Double(traffic.messages) / iterations
        let (plain, encoded) = averages.reduce((0, 0)) { ($0.0 + $1.uncompressedBytes, $0.1 + $1.encodedBytes) }
        if encoded > 0 {
            figures.compressionRatio = Double(plain) / Double(encoded)
            figures.codecSecondsPerIteration = averages.map(\.codecSeconds).max().map { $0 / iterations }
        }
        return figures
    }

    private var collectiveName: String? {
        if options.algorithm == .minibatchSGD { return nil }
        return options.algorithm.compresses
            ? options.synchronous.layout.rawValue : options.synchronous.collective.rawValue
    }

    /// Seconds of one iteration: the workers' computation, then the exchange.
    private func predictedSeconds(over cost: NetworkCost, computeSeconds: Double) -> Double? {
        let factors = (0..<workerCount).map { options.synchronous.straggler.factor(rank: $0, step: 0) }
        if options.algorithm == .minibatchSGD { return Double(workerCount) * factors[0] * computeSeconds }
        let slowest = factors.max() ?? 1
        if let average = workers[0].average {
            // Into a global replica go compressed gradients, and the model comes out.
            guard options.algorithm == .globalReplica else {
                guard average.layout == .parameterServer, let pattern = average.pattern else {
                    return slowest * computeSeconds + average.predictedSeconds(over: cost)
                }
                return IterationPrograms.secondsPerIteration(
                    of: pattern, computeSeconds: factors.map { $0 * computeSeconds }, over: cost)
            }
            let pull: Pattern = options.synchronous.collective == .parameterServer ? .parameterServer : .allGather
            let share = pull == .parameterServer ? 0.5 : 1
            return slowest * computeSeconds + average.predictedPushSeconds(over: cost) + share * seconds(pull, cost)
        }
        guard let pattern = options.synchronous.collective.pattern else { return nil }
        let partition = VectorPartition(
            elements: problem.parameterCount, count: pattern.partitions(workers: workerCount))
        return IterationPrograms.secondsPerIteration(
            of: PatternPrograms(pattern, workers: workerCount, partition: partition),
            computeSeconds: factors.map { $0 * computeSeconds }, over: cost)
    }

    /// What a pattern takes with vectors of d floats.
    private func seconds(_ pattern: Pattern, _ cost: NetworkCost) -> Double {
        let partition = VectorPartition(
            elements: problem.parameterCount, count: pattern.partitions(workers: workerCount))
        return PatternPrograms(pattern, workers: workerCount, partition: partition)
            .timeline(over: cost, keepingPassages: false).lastEnd
    }
}
