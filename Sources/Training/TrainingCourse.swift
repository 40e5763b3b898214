// How far a run has come, and whether it goes on: what all trainers share. The coordinator's thread.

internal import Measurement
internal import Platform

/// The points of a run so far and the rules that end it.
struct TrainingCourse {
    private let options: TrainingOptions
    private(set) var points: [TrainingPoint]
    /// The index in `points` of the model that is kept.
    private(set) var keptPoint = 0
    var seconds = 0.0
    var orderSeconds = 0.0
    /// Passes over the training rows.
    var epochs = 0.0
    /// Updates of the model.
    var updates: UInt64 = 0

    /// Begins with the model at the start.
    init(from start: TrainingPoint, options: TrainingOptions) {
        points = [start]
        self.options = options
    }

    var hasReachedTarget: Bool {
        guard let target = options.targetLoss else { return false }
        return points[points.count - 1].loss <= target
    }

    var progress: TrainingProgress {
        TrainingProgress(
            epoch: epochs, epochs: options.epochs, updates: updates, seconds: seconds,
            loss: points[points.count - 1].loss)
    }

    /// Takes the next evaluation; how the run ends with it, or nil where it goes on. `keep` is called where the model is now the one to
    /// keep: with early stopping the best so far, otherwise the last that is finite.
    mutating func append(_ point: TrainingPoint, finite: Bool, stop: StopRequest, keep: () -> Void) -> RunStatus? {
        points.append(point)
        let last = points.count - 1
        if !finite || hasDiverged(point) { return .diverged }
        if options.patience == nil || point.loss < points[keptPoint].loss {
            keep()
            keptPoint = last
        }
        if hasReachedTarget { return .targetReached }
        if stop.isRequested { return .interrupted }
        if let limit = options.maxSeconds, seconds >= limit { return .timeLimit }
        if let patience = options.patience, last - keptPoint >= patience { return .stoppedEarly }
        return nil
    }

    /// How a run that ended as `status` is to be called, where `changed` says whether the model is another than at the start: no epoch
    /// leaves it as it was but at a stationary point.
    func status(_ status: RunStatus, changed: Bool) -> RunStatus {
        switch status {
        case .completed, .stoppedEarly, .timeLimit:
            changed || epochs < 1 || points[0].gradientNormSquared == 0 ? status : .unchanged
        case .targetReached, .interrupted, .diverged, .unchanged: status
        }
    }

    /// Not finite, or so far above the start that no step of this size will lead back.
    private func hasDiverged(_ point: TrainingPoint) -> Bool {
        !point.objective.isFinite || !point.loss.isFinite || !point.gradientNormSquared.isFinite
            || point.objective > 1e6 * max(points[0].objective, 1e-3)
    }
}
