// What a training run is asked to do. Pure values; any thread.

public import Datasets
public import Objectives

/// The algorithms, by the names of the command line; see the file of each.
public enum Algorithm: String, CaseIterable, Sendable {
    case gd
    case sgd
    case minibatchSGD = "minibatch-sgd"
    case asgd
    case hogwild
    case gradientAggregation = "gradient-aggregation"
    case modelAggregation = "model-aggregation"
    case globalReplica = "global-replica"
    case csgd
    case ecSGD = "ec-sgd"

    /// Whether one worker does all updates.
    public var isSerial: Bool { self == .gd || self == .sgd || self == .minibatchSGD }

    /// Whether threads race, so that the same seed gives other bits each time.
    public var isRacing: Bool { self == .asgd || self == .hogwild }
}

/// How staleness is recorded.
public enum StalenessRecording: Sendable, Equatable {
    case off
    /// One update in `every` under Hogwild, nil for a period that costs little; every update under ASGD.
    case sampled(every: Int?)
    /// Every update; Hogwild's then take longer, all alike.
    case exact

    /// The shares of time in which updates are stamped and watched are one in this many each.
    static let defaultPeriod = 127
}

/// When what recording staleness costs is measured, after a run and outside its seconds.
public enum RecordingCost: Sendable {
    case never
    /// Where a twentieth of the seconds of training is enough to tell.
    case whereCheap
    /// Takes a few seconds.
    case always
}

/// Everything about a run but its data and its placement.
public struct TrainingOptions: Sendable {
    public var algorithm: Algorithm = .hogwild
    public var objective = LinearObjective()
    public var epochs = 5
    /// B: rows per update, with several synchronous workers those of each; used by all algorithms but gd and sgd.
    public var batchSize = 1
    public var order: RowOrder = .blocks
    public var stepSize = StepSize(nil)
    public var seed: UInt64 = 1
    /// Evaluations per epoch.
    public var evaluationsPerEpoch = 1
    /// Stop when the loss (held-out where there are held-out rows) is at most this.
    public var targetLoss: Double?
    /// Stop after so many seconds of training.
    public var maxSeconds: Double?
    /// Stop after so many evaluations without a better held-out loss, and keep the best model.
    public var patience: Int?
    public var staleness: StalenessRecording = .sampled(every: nil)
    public var recordingCost = RecordingCost.never
    /// Whether every update of asgd is logged.
    public var keepsUpdateLog = false
    /// For the algorithms that are synchronous.
    public var synchronous = SynchronousOptions()

    public init() {}
}
