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
    /// The evaluation that has just been made; nil between evaluations.
    public let point: TrainingPoint?
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
    let kept: SharedParameters
    let train: SparseDataset
    let features: Int
    let trainEvaluator: LinearEvaluator
    let testEvaluator: LinearEvaluator?
    let engine: Engine
    let stop: StopRequest
    /// Of gd alone.
    private var gradient: [Double]
    /// What rounding has taken from the model, of gd.
    private var lost: [Float]
    /// Told when what counts as training begins and ends.
    var timing: ((_ isTraining: Bool) -> Void)?
    /// What the process was expected to take at the most.
    private let estimatedMemoryBytes: Int

    /// Prepares a run; nothing is written and no update made before `run`.
    ///
    /// Targets suit the objective: -1 and +1 for classification. Loss and accuracy are reported on `test` where there are held-out rows.
    /// Serial algorithms make their updates on rank 0 of `team`; all ranks take part in evaluation.
    public init(
        train: SparseDataset, test: SparseDataset? = nil, team: WorkerTeam, options: TrainingOptions,
        stop: StopRequest = StopRequest()
    ) throws(InputError) {
        try options.check()
        self.train = train
        self.team = team
        self.options = options
        self.stop = stop
        features = train.featureCount
        let parameters = options.objective.parameterCount(features: features)
        estimatedMemoryBytes = try Self.checkMemory(
            train: train, test: test, workers: team.count, parameters: parameters, options)
        model = try SharedParameters(count: parameters)
        kept = try SharedParameters(count: parameters)
        model.interleave(overNodes: team.placement.replicaNodes)
        stepSize = try options.stepSize.resolved(
            for: options.algorithm, options.objective,
            meanRowNormSquared: train.meanRowNormSquared(intercept: options.objective.intercept), name: train.name)
        trainEvaluator = try LinearEvaluator(data: train, objective: options.objective, features: features)
        testEvaluator =
            try test.map { test throws(InputError) in
                try LinearEvaluator(data: test, objective: options.objective, features: train.featureCount)
            }
        engine = try Engine(train: train, team: team, options: options)
        gradient = [Double](repeating: 0, count: options.algorithm == .gd ? parameters : 0)
        lost = [Float](repeating: 0, count: options.algorithm == .gd ? parameters : 0)
    }

    /// Trains. `progress` is called on the calling thread now and then, and after every evaluation.
    public func run(progress: (TrainingProgress) -> Void = { _ in }) throws(InputError) -> TrainingResult {
        var course = try TrainingCourse(options: options, hasHeldOutRows: testEvaluator != nil, figures)
        kept.copy(from: model)
        progress(course.progressWithPoint)
        let parts = options.algorithm == .gd ? 1 : min(max(1, options.evaluationsPerEpoch), engine.mostParts)
        var status = course.hasReachedTarget ? RunStatus.targetReached : nil
        var part = 0
        while status == nil && part < options.epochs * parts {
            let finite = try train(epoch: part / parts, part: part % parts, of: parts, &course, progress)
            part += 1
            status = try course.append(
                finite: finite, isLast: part == options.epochs * parts, stop: stop, keep: { kept.copy(from: model) },
                figures)
            progress(course.progressWithPoint)
        }
        let changed = model.values.contains { $0 != 0 }
        return try result(course, course.status(status ?? .completed, changed: changed, figures))
    }

    /// Trains on a part of an epoch; false where something came out as not finite.
    private func train(
        epoch: Int, part: Int, of parts: Int, _ course: inout TrainingCourse, _ progress: (TrainingProgress) -> Void
    ) throws(InputError) -> Bool {
        let gamma = stepSize.during(epoch: epoch)
        timing?(true)
        defer { timing?(false) }
        if options.algorithm == .gd {
            let start = monotonicNanoseconds()
            let finite = try gradientDescentStep(
                trainEvaluator, team, model: model, gradient: &gradient, lost: &lost,
                stepSize: gamma.value(course.updates))
            course.seconds += Double(monotonicNanoseconds() - start) / 1e9
            course.updates += 1
            course.epochs += 1
            return finite
        }
        if part == 0 {
            let preparation = engine.prepare(epoch: epoch, team: team)
            course.orderSeconds += preparation
            course.seconds += preparation
        }
        let begin = course.seconds
        let start = monotonicNanoseconds()
        let deadline = options.maxSeconds.map { monotonicNanoseconds(in: $0 - begin) }
        func epochs() -> Double { Double(engine.rowsDone) / Double(max(1, train.rowCount)) }
        let (seconds, finite) = engine.run(
            Stretch(
                part: part, parts: parts, stepSize: gamma, deadline: deadline, stop: stop, halt: StopRequest()),
            model: model, team: team
        ) {
            course.seconds = begin + Double(monotonicNanoseconds() - start) / 1e9
            course.epochs = epochs()
            course.updates = engine.updates
            progress(course.progress)
        }
        course.seconds = begin + seconds
        course.epochs = epochs()
        course.updates = engine.updates
        return finite
    }

    private func result(_ course: TrainingCourse, _ status: RunStatus) throws(InputError) -> TrainingResult {
        model.copy(from: kept)
        var staleness = engine.stalenessSummary(updates: course.updates)
        if status != .diverged && status != .interrupted && course.seconds > 0 {
            let measurement = RecordingCostMeasurement(train: train, team: team, options: options, stop: stop)
            staleness.measurementCost = try measurement.run(
                on: kept, stepSize: stepSize.during(epoch: 0),
                rowsPerSecond: Double(engine.rowsDone) / course.seconds, seconds: course.seconds)
        }
        // Where the clock or a signal ended the run, its length is not a matter of the seed.
        let isRepeatable = status != .timeLimit && status != .interrupted
        var record = RunRecord(
            settings: settings, train: train.recordSummary, test: testEvaluator?.data.recordSummary,
            deterministic: isRepeatable && (!options.algorithm.isRacing || team.count == 1), status: status,
            points: course.points, keptPoint: course.keptPoint, updates: course.updates,
            samples: options.algorithm == .gd ? course.updates * UInt64(train.rowCount) : engine.rowsDone,
            seconds: course.seconds, orderSeconds: course.orderSeconds, staleness: staleness)
        record.evaluationSeconds = course.evaluationSeconds
        record.epochsPerEvaluation = options.evaluationsPerEpoch == 1 ? options.epochsPerEvaluation : nil
        record.estimatedMemoryBytes = estimatedMemoryBytes
        return TrainingResult(record: record, model: linearModel, updateLog: engine.takeLog())
    }

    private func figures(_ figures: EvaluationFigures, ofKept: Bool) throws(InputError) -> ModelFigures {
        let model = ofKept ? kept : model
        var found = ModelFigures(penalty: trainEvaluator.penalty(model))
        if figures.contains(.gradient) {
            found.gradientNormSquared = try trainEvaluator.gradientNormSquared(of: model, team: team)
        }
        if figures.contains(.training) {
            found.train = trainEvaluator.evaluate(
                model, team: team, withAUC: testEvaluator == nil && figures.contains(.auc))
        }
        if figures.contains(.heldOut) {
            found.test = testEvaluator?.evaluate(model, team: team, withAUC: figures.contains(.auc))
        }
        return found
    }

    private var linearModel: LinearModel {
        let classes = train.classes?.modelLabels
        return LinearModel(
            loss: options.objective.loss, weights: (0..<features).map { model[$0] },
            intercept: options.objective.intercept ? model[features] : nil, positiveLabel: classes?.positive ?? 1,
            negativeLabel: classes?.negative ?? -1)
    }

    private var settings: RunRecord.Settings {
        let workers = options.algorithm == .gd ? team.count : engine.workers.count
        return RunRecord.Settings(
            algorithm: options.algorithm.rawValue, objective: options.objective.loss.rawValue,
            l2: options.objective.l2, intercept: options.objective.intercept, workers: workers,
            placement: team.placement.policy.description, cpus: team.placement.workers.prefix(workers).map(\.cpu),
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
