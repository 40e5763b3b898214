// One training run: epochs, evaluation on the side, stop rules, the record. The coordinator's thread runs it; the workers run the
// algorithms.

public import Datasets
internal import Kernels
public import Measurement
public import Objectives
public import Platform
internal import Synchronization

/// How far a run has come, for display.
public struct TrainingProgress: Sendable {
    public let epoch: Double
    public let epochs: Int
    public let updates: UInt64
    /// Seconds of training so far, evaluation left out.
    public let seconds: Double
    /// The last loss that was evaluated.
    public let loss: Double
}

/// What a run gives back.
public struct TrainingResult {
    public let record: RunRecord
    /// The model that was kept.
    public let model: LinearModel
    /// One entry per update, in no particular order, where a log was asked for.
    public let updateLog: [UpdateLogEntry]
}

/// Runs one algorithm on one data set.
public final class Trainer {
    let team: WorkerTeam
    let options: TrainingOptions
    let stepSize: StepSize
    let model: SharedParameters
    let best: SharedParameters?
    let train: SparseDataset
    let features: Int
    let trainEvaluator: LinearEvaluator
    let testEvaluator: LinearEvaluator?
    let engine: Engine
    let stop: StopRequest
    private var gradient: [Double]

    /// Prepares a run; nothing is written and no update made before `run`.
    ///
    /// - Parameters:
    ///   - train: rows with targets that suit the objective: -1 and +1 for classification.
    ///   - test: held-out rows of the same kind, on which loss and accuracy are then reported.
    ///   - team: the workers. Serial algorithms make their updates on rank 0; all ranks take part in evaluation.
    public init(
        train: SparseDataset, test: SparseDataset? = nil, team: WorkerTeam, options: TrainingOptions,
        stop: StopRequest = StopRequest()
    ) throws(InputError) {
        self.train = train
        self.team = team
        self.options = options
        self.stop = stop
        features = train.featureCount
        let parameters = options.objective.parameterCount(features: features)
        try Self.checkMemory(parameters: parameters, of: train)
        model = try SharedParameters(count: parameters)
        best = options.patience == nil ? nil : try SharedParameters(count: parameters)
        model.interleave(overNodes: team.placement.replicaNodes)
        stepSize = options.stepSize.resolved(
            meanRowNormSquared: train.meanRowNormSquared(intercept: options.objective.intercept))
        trainEvaluator = try LinearEvaluator(data: train, objective: options.objective, features: features)
        testEvaluator =
            try test.map { test throws(InputError) in
                try LinearEvaluator(data: test, objective: options.objective, features: train.featureCount)
            }
        engine = try Engine(train: train, team: team, options: options)
        gradient = [Double](repeating: 0, count: parameters)
    }

    /// Trains. `progress` is called on the calling thread now and then, and after every evaluation.
    public func run(progress: (TrainingProgress) -> Void = { _ in }) throws(InputError) -> TrainingResult {
        var seconds = 0.0
        var orderSeconds = 0.0
        var epochs = 0.0
        var points = [try evaluate(epoch: 0, seconds: 0)]
        var bestPoint = 0
        var status = RunStatus.completed
        var steps: UInt64 = 0
        func report() {
            progress(
                TrainingProgress(
                    epoch: epochs, epochs: options.epochs, updates: steps + engine.updates, seconds: seconds,
                    loss: points.last!.loss))
        }
        best?.copy(from: model)
        report()

        training: for epoch in 0..<options.epochs {
            let gamma = stepSize.during(epoch: epoch)
            let parts = options.algorithm == .gd ? 1 : options.evaluationsPerEpoch
            for part in 0..<parts {
                var finite = true
                if options.algorithm == .gd {
                    let start = monotonicNanoseconds()
                    finite = try gradientDescentStep(
                        trainEvaluator, team, model: model, gradient: &gradient, stepSize: gamma.value(steps))
                    seconds += Double(monotonicNanoseconds() - start) / 1e9
                    steps += 1
                    epochs += 1
                } else {
                    if part == 0 {
                        let preparation = engine.prepare(epoch: epoch, team: team)
                        orderSeconds += preparation
                        seconds += preparation
                    }
                    let begin = seconds
                    let deadline = options.maxSeconds.map { monotonicNanoseconds() + UInt64(max(0, $0 - begin) * 1e9) }
                    let clock = monotonicNanoseconds()
                    let stretch = engine.run(
                        Stretch(
                            part: part, parts: parts, stepSize: gamma, deadline: deadline, stop: stop,
                            halt: StopRequest()),
                        model: model, team: team
                    ) {
                        seconds = begin + Double(monotonicNanoseconds() - clock) / 1e9
                        epochs = Double(engine.rowsDone) / Double(max(1, train.rowCount))
                        report()
                    }
                    seconds = begin + stretch.seconds
                    finite = stretch.finite
                    epochs = Double(engine.rowsDone) / Double(max(1, train.rowCount))
                }
                points.append(try evaluate(epoch: epochs, updates: steps + engine.updates, seconds: seconds))
                let point = points[points.count - 1]
                report()
                if point.loss < points[bestPoint].loss {
                    bestPoint = points.count - 1
                    best?.copy(from: model)
                }
                if !finite || hasDiverged(point, from: points[0]) {
                    status = .diverged
                    break training
                }
                if let target = options.targetLoss, point.loss <= target {
                    status = .targetReached
                    break training
                }
                if stop.isRequested {
                    status = .interrupted
                    break training
                }
                if let limit = options.maxSeconds, seconds >= limit {
                    status = .timeLimit
                    break training
                }
                if let patience = options.patience, points.count - 1 - bestPoint >= patience {
                    status = .stoppedEarly
                    break training
                }
            }
        }

        if let best { model.copy(from: best) }
        var staleness = engine.stalenessSummary(serialUpdates: steps)
        if !options.algorithm.isSerial && options.staleness != .off && status != .diverged && status != .interrupted {
            staleness.measurementCost = try measureRecordingCost(
                train: train, team: team, options: options, model: model, stepSize: stepSize.during(epoch: 0),
                stop: stop)
        }
        let record = RunRecord(
            settings: settings, train: train.recordSummary, test: testEvaluator?.data.recordSummary,
            deterministic: options.algorithm.isSerial || team.count == 1, status: status, points: points,
            keptPoint: best == nil ? points.count - 1 : bestPoint, updates: steps + engine.updates,
            samples: options.algorithm == .gd ? steps * UInt64(train.rowCount) : engine.rowsDone, seconds: seconds,
            orderSeconds: orderSeconds, staleness: staleness)
        return TrainingResult(record: record, model: linearModel, updateLog: engine.takeLog())
    }

    private func evaluate(epoch: Double, updates: UInt64 = 0, seconds: Double) throws(InputError) -> TrainingPoint {
        let onTrain = try trainEvaluator.evaluate(model, team: team, gradient: &gradient)
        let shown = testEvaluator?.evaluate(model, team: team) ?? onTrain
        return TrainingPoint(
            epoch: epoch, updates: updates, seconds: seconds, loss: shown.loss, accuracy: shown.accuracy,
            auc: shown.auc, r2: shown.r2, trainLoss: testEvaluator == nil ? nil : onTrain.loss,
            objective: onTrain.loss + trainEvaluator.penalty(model),
            gradientNormSquared: gradient.reduce(0) { $0 + $1 * $1 })
    }

    /// Refuses a model for which the kernel would end the process in the middle of the run.
    private static func checkMemory(parameters: Int, of train: SparseDataset) throws(InputError) {
        // Model, its copies for measuring, for the file and for the penalty (4 bytes each), and two gradients in double.
        let need = 32 * parameters
        guard let available = availableMemoryBytes(), need > available else { return }
        throw InputError(
            at: train.name,
            found: "\(train.featureCount) features, for which training takes about \(need >> 20) MiB of memory",
            expected: "what \(available >> 20) MiB of free memory hold")
    }

    /// Not finite, or so far above the start that no step of this size will lead back.
    private func hasDiverged(_ point: TrainingPoint, from start: TrainingPoint) -> Bool {
        !point.objective.isFinite || !point.loss.isFinite || point.objective > 1e6 * max(start.objective, 1e-3)
    }

    private var linearModel: LinearModel {
        let values = model.values
        let classes = train.classes?.modelLabels
        return LinearModel(
            loss: options.objective.loss, weights: Array(values[..<features]),
            intercept: options.objective.intercept ? values[features] : nil, positiveLabel: classes?.positive ?? 1,
            negativeLabel: classes?.negative ?? -1)
    }

    private var settings: RunRecord.Settings {
        RunRecord.Settings(
            algorithm: options.algorithm.rawValue, objective: options.objective.loss.rawValue,
            l2: options.objective.l2, intercept: options.objective.intercept, workers: engine.workers.count,
            placement: team.placement.policy.description,
            cpus: team.placement.workers.prefix(engine.workers.count).map(\.cpu),
            order: options.order.rawValue, batchSize: engine.batchSize, stepSize: stepSize.description,
            epochs: options.epochs, seed: options.seed, targetLoss: options.targetLoss, maxSeconds: options.maxSeconds,
            patience: options.patience)
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
