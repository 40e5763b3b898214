// How a run goes: what is evaluated when, and whether it goes on: what all runners share. The coordinator's thread.

internal import Measurement
internal import Objectives
internal import Platform

/// Figures of one model; nil for what was not asked for.
struct ModelFigures {
    var train: Evaluation?
    var test: Evaluation?
    var penalty: Double
    var gradientNormSquared: Double?
    /// Of workers with models of their own.
    var consensusDistance: Double?
}

/// The points of a run so far and the rules that end it.
struct TrainingCourse {
    /// Computes figures of the model as it is, or of the one that was kept last.
    typealias Evaluate = (_ figures: EvaluationFigures, _ ofKept: Bool) throws(InputError) -> ModelFigures

    private let options: TrainingOptions
    private let hasHeldOutRows: Bool
    private(set) var points: [TrainingPoint]
    /// The index in `points` of the model that is kept.
    private(set) var keptPoint = 0
    /// The objective, or with rows held out their loss and the penalty, at the start.
    private var valueAtStart = 0.0
    var seconds = 0.0
    var orderSeconds = 0.0
    /// In evaluations, which are in no other seconds.
    private(set) var evaluationSeconds = 0.0
    /// Of how many training rows the figures are, where they are a sample.
    private(set) var sampledRows: Int?
    /// Passes over the training rows.
    var epochs = 0.0
    /// Updates of the model.
    var updates: UInt64 = 0
    /// Segments that have ended.
    private var segments = 0

    /// Begins with the model at the start, which is the first to be kept.
    init(options: TrainingOptions, hasHeldOutRows: Bool, _ evaluate: Evaluate) throws(InputError) {
        self.options = options
        self.hasHeldOutRows = hasHeldOutRows
        points = []
        let figures = try timed(figures(isEnd: true), ofKept: false, evaluate)
        valueAtStart = value(figures)
        points.append(point(figures))
    }

    var hasReachedTarget: Bool {
        guard let target = options.targetLoss else { return false }
        return points[points.count - 1].loss <= target
    }

    var progress: TrainingProgress {
        TrainingProgress(
            epoch: epochs, epochs: options.epochs, updates: updates, seconds: seconds,
            loss: points[points.count - 1].loss, point: nil)
    }

    /// As `progress`, with the last point where it is a new one.
    var progressWithPoint: TrainingProgress {
        let last = points[points.count - 1]
        return TrainingProgress(
            epoch: epochs, epochs: options.epochs, updates: updates, seconds: seconds, loss: last.loss,
            point: last.updates == updates && last.epoch == epochs ? last : nil)
    }

    /// Evaluates after a segment, where that is not for the end only; how the run ends with it, or nil where it goes on. `isLast` says that
    /// the workers have ended. `keep` is called where the model is now the one to keep: with early stopping the best so far, otherwise
    /// the last that is finite.
    ///
    /// Which figures are computed changes nothing of this: it rests on the loss of the rows held out, or of the training rows where none are.
    mutating func append(
        finite: Bool, isLast: Bool, stop: StopRequest, keep: () -> Void, _ evaluate: Evaluate
    ) throws(InputError) -> RunStatus? {
        segments += 1
        if !isLast && finite {
            switch options.evaluationsPerEpoch {
            case 0: return nil
            case 1: if segments % options.epochsPerEvaluation != 0 { return nil }
            default: break
            }
        }
        let figures = try timed(figures(isEnd: isLast && options.patience == nil), ofKept: false, evaluate)
        points.append(point(figures))
        let status = status(finite: finite && !hasDiverged(figures), isLast: isLast, stop: stop, keep: keep)
        if status != nil || isLast { try complete(evaluate) }
        return status
    }

    private mutating func status(finite: Bool, isLast: Bool, stop: StopRequest, keep: () -> Void) -> RunStatus? {
        if !finite { return .diverged }
        let last = points.count - 1
        if options.patience == nil || points[last].loss < points[keptPoint].loss {
            keep()
            keptPoint = last
        }
        if hasReachedTarget { return .targetReached }
        // The workers end for these themselves, all alike.
        if isLast && stop.isRequested { return .interrupted }
        if isLast, let limit = options.maxSeconds, seconds >= limit { return .timeLimit }
        if let patience = options.patience, last - keptPoint >= patience { return .stoppedEarly }
        return nil
    }

    /// How a run that ended as `status` is to be called, where `changed` says whether the model is another than at the start: no epoch
    /// leaves it as it was but at a stationary point.
    func status(_ status: RunStatus, changed: Bool, _ evaluate: Evaluate) throws(InputError) -> RunStatus {
        switch status {
        case .completed, .stoppedEarly, .timeLimit:
            if changed || epochs < 1 { return status }
            return try evaluate(.gradient, true).gradientNormSquared == 0 ? status : .unchanged
        case .targetReached, .interrupted, .diverged, .unchanged: return status
        }
    }

    /// Not finite, or so far above the start that no step of this size will lead back.
    private func hasDiverged(_ figures: ModelFigures) -> Bool {
        let value = value(figures)
        return !value.isFinite || value > 1e6 * max(valueAtStart, 1e-3)
    }

    private func value(_ figures: ModelFigures) -> Double {
        ((hasHeldOutRows ? figures.test : figures.train)?.loss ?? .nan) + figures.penalty
    }

    // MARK: What is evaluated

    /// What an evaluation computes, at the ends of the run or between them.
    private func figures(isEnd: Bool) -> EvaluationFigures {
        func isDue(_ times: EvaluationTimes) -> Bool {
            switch times {
            case .every: true
            case .ends: isEnd
            case .end: isEnd && !points.isEmpty
            case .never: false
            }
        }
        var figures: EvaluationFigures = hasHeldOutRows ? .heldOut : .training
        if options.samplesTrainingRows { figures.insert(.sample) }
        if isDue(options.trainLoss) { figures.insert(.training) }
        if isDue(options.gradientNorm) { figures.insert(.gradient) }
        if isEnd || options.trainLoss == .every { figures.insert(.auc) }
        return figures
    }

    /// Gives the point that was kept what is due at the end: that it is the end was not known when it was made.
    private mutating func complete(_ evaluate: Evaluate) throws(InputError) {
        var missing = figures(isEnd: true)
        if points[0].auc == nil || points[keptPoint].auc != nil { missing.subtract([.auc, .heldOut]) }
        let isShownAnew = missing.contains(.auc) && !hasHeldOutRows
        if points[keptPoint].objective != nil && !isShownAnew { missing.remove(.training) }
        if points[keptPoint].gradientNormSquared != nil { missing.remove(.gradient) }
        if missing.isEmpty { return }
        let figures = try timed(missing, ofKept: true, evaluate)
        if let train = figures.train {
            if hasHeldOutRows { points[keptPoint].trainLoss = train.loss }
            points[keptPoint].objective = train.loss + figures.penalty
        }
        points[keptPoint].auc = (hasHeldOutRows ? figures.test : figures.train)?.auc ?? points[keptPoint].auc
        points[keptPoint].gradientNormSquared = figures.gradientNormSquared ?? points[keptPoint].gradientNormSquared
    }

    private mutating func timed(
        _ figures: EvaluationFigures, ofKept: Bool, _ evaluate: Evaluate
    ) throws(InputError) -> ModelFigures {
        let start = monotonicNanoseconds()
        let found = try evaluate(figures, ofKept)
        sampledRows = found.train?.sampledRows ?? sampledRows
        evaluationSeconds += Double(monotonicNanoseconds() - start) / 1e9
        return found
    }

    private func point(_ figures: ModelFigures) -> TrainingPoint {
        let shown = (hasHeldOutRows ? figures.test : figures.train) ?? Evaluation(loss: .nan)
        return TrainingPoint(
            epoch: epochs, updates: updates, seconds: seconds, loss: shown.loss, accuracy: shown.accuracy,
            auc: shown.auc, r2: shown.r2, trainLoss: hasHeldOutRows ? figures.train?.loss : nil,
            objective: figures.train.map { $0.loss + figures.penalty },
            gradientNormSquared: figures.gradientNormSquared, consensusDistance: figures.consensusDistance)
    }
}
