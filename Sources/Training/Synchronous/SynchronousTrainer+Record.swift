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
            intercept: summary.intercept, workers: workerCount,
            placement: (ranks ?? evaluators).placement.policy.description,
            cpus: ranks?.placement.workers.map(\.cpu) ?? Array(repeating: nil, count: rankCount),
            order: options.order.rawValue, batchSize: options.batchSize,
            stepSize: stepSize.description, epochs: options.epochs, seed: options.seed, targetLoss: options.targetLoss,
            maxSeconds: options.maxSeconds, patience: options.patience)
        // Each gradient is taken at the model that it then changes.
        let staleness = StalenessRecorder()
        staleness.record(0, count: course.updates)
        // Where the real clock or a signal ended the run, its length is not a matter of the seed; nor is virtual time that was measured.
        let wasMeasured = figures.computeWasMeasured || figures.codecTime == CodecTime.measured.description
        let isVirtual = options.synchronous.clock.isVirtual && !wasMeasured
        var record = RunRecord(
            settings: settings, train: summary.train, test: summary.test,
            deterministic: status != .interrupted && (status != .timeLimit || isVirtual), status: status,
            points: course.points, keptPoint: course.keptPoint, updates: course.updates,
            samples: course.updates * UInt64(workerCount * options.batchSize), seconds: course.seconds, orderSeconds: 0,
            staleness: StalenessSummary(method: .serial, every: 1, recorders: [staleness]), synchronous: figures)
        record.evaluationSeconds = course.evaluationSeconds
        record.epochsPerEvaluation = options.evaluationsPerEpoch == 1 ? options.epochsPerEvaluation : nil
        record.estimatedMemoryBytes = estimatedMemoryBytes
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
        if cost != nil && !averages.isEmpty { figures.codecTime = settings.codecTime.description }
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

    /// Seconds of one iteration, the mean of segments as long as the run's: the workers' computation, then the exchange.
    private func predictedSeconds(over cost: NetworkCost, computeSeconds: Double) -> Double? {
        let factors = (0..<workerCount).map { options.synchronous.straggler.factor(rank: $0, step: 0) }
        if options.algorithm == .minibatchSGD { return Double(workerCount) * factors[0] * computeSeconds }
        guard let exchanges = exchanges(factors) else { return nil }
        let programs = IterationPrograms(exchanges, computeSeconds: factors.map { $0 * computeSeconds })
        let lengths = segmentLengths.isEmpty ? [1: 1] : segmentLengths
        let (seconds, iterations) = lengths.reduce((0.0, 0)) { sum, segment in
            let (length, count) = segment
            return (
                sum.0 + Double(count) * programs.seconds(iterations: length, over: cost), sum.1 + count * length
            )
        }
        return seconds / Double(iterations)
    }

    /// What all ranks do in an iteration once their gradients are there; nil for `direct`.
    private func exchanges(_ factors: [Double]) -> [any RankPrograms]? {
        func plain(_ pattern: Pattern) -> PatternPrograms {
            let partition = VectorPartition(
                elements: problem.parameterCount, count: pattern.partitions(workers: workerCount))
            return PatternPrograms(pattern, workers: workerCount, partition: partition)
        }
        guard let average = workers[0].average else {
            return options.synchronous.collective.pattern.map { [plain($0)] }
        }
        let coding = codecSecondsPerMegabyte
        guard options.algorithm == .globalReplica else {
            return [average.programs(codecSecondsPerMegabyte: coding, factors: factors)]
        }
        // Into a global replica go compressed gradients, and the model comes out.
        let collective: Pattern = average.layout == .parameterServer ? .parameterServer : .multiServer
        return [
            average.programs(isPush: true, codecSecondsPerMegabyte: coding, factors: factors), plain(collective).pull,
        ]
    }

    /// What the model's clock charges for coding; where it is measured, what it took on the mean of all ranks.
    private var codecSecondsPerMegabyte: Double {
        switch options.synchronous.codecTime {
        case .none: return 0
        case .perMegabyte(let seconds): return seconds
        case .measured:
            let (seconds, floats) = workers.compactMap(\.average).reduce((0.0, 0)) {
                ($0.0 + $1.codecSeconds, $0.1 + $1.codedFloats)
            }
            return floats > 0 ? seconds / (Double(floats) * 4 / 1e6) : 0
        }
    }
}
