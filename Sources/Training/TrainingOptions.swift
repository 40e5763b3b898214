// What a training run is asked to do. Pure values; any thread.

public import Datasets
public import Platform

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

/// At which evaluations a figure is computed that takes a pass over all training rows.
public enum EvaluationTimes: String, CaseIterable, Sendable {
    case every
    /// Of the model at the start and of the one that is kept at the end.
    case ends
    /// Of the one that is kept at the end.
    case end
    case never
}

/// Everything about a run but its data and its placement.
public struct TrainingOptions: Sendable {
    public var algorithm = Algorithm(Hogwild.self)
    public var epochs = 5
    /// B: rows of one gradient of one worker; used by all algorithms but gd and sgd.
    public var batchSize = 1
    public var order: RowOrder = .blocks
    public var stepSize = StepSize(nil)
    /// Where training starts, one number per parameter, of a linear model the intercept last; nil for where the problem says.
    public var startParameters: [Float]?
    public var seed: UInt64 = 1
    /// Evaluations per epoch; 0 for those of the ends of the run alone, and then no rule stops it by its loss.
    public var evaluationsPerEpoch = 1
    /// Epochs from one evaluation to the next where `evaluationsPerEpoch` is 1, at least 1; the ends are evaluated all the same.
    public var epochsPerEvaluation = 1
    /// When the loss on the training rows is computed where rows are held out; where none are, it is the loss of every evaluation.
    public var trainLoss: EvaluationTimes = .ends
    /// Whether the losses on the training rows are those of a sample of them, `SampledRows`.
    public var samplesTrainingRows = false
    /// Whether evaluations that nobody asked for are left out, so that they stay below a fifth of the training: see `EvaluationBudget`,
    /// which then says the three above.
    public var limitsEvaluation = false
    /// When the squared norm of the gradient over the training rows is computed.
    public var gradientNorm: EvaluationTimes = .never
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
    /// Whether the order of asgd's updates is kept, for a replay.
    public var recordsOrder = false
    /// The order in which updates are to be repeated, on one thread.
    public var replay: RecordedOrder?
    /// Whether what each computation takes is kept, under the native clock by workers who exchange messages.
    public var keepsComputeTrace = false
    /// What travels between workers.
    public var exchange = ExchangeOptions()
    /// How workers step along gradients in vectors of their own.
    public var stepRule = StepRule()
    /// What time means.
    public var clock = ClockOptions()

    public init() {}

    /// Those that suit `algorithm`, as its facts have them: batch size, order and step size.
    public init(_ algorithm: Algorithm) {
        self.algorithm = algorithm
        batchSize = algorithm.facts.batchSize
        order = algorithm.facts.order
        stepSize = algorithm.facts.stepSize
    }

    /// Throws where a number cannot be meant, with the name of its option.
    public func check() throws(InputError) {
        func require(
            _ condition: Bool, _ option: String, _ found: some CustomStringConvertible, _ expected: String
        ) throws(InputError) {
            if !condition { throw InputError(at: option, found: "\(found)", expected: expected) }
        }
        // Times evaluations per epoch or rows a whole number, too.
        try require((1...1_000_000_000).contains(epochs), "--epochs", epochs, "1 to 1000000000")
        try require((1...Int(Int32.max)).contains(batchSize), "--batch-size", batchSize, "1 to \(Int32.max)")
        try require(
            (0...1_000_000).contains(evaluationsPerEpoch), "--evaluations-per-epoch", evaluationsPerEpoch,
            "0 to 1000000")
        try require(
            evaluationsPerEpoch > 0 || targetLoss == nil && patience == nil, "--evaluations-per-epoch",
            "0 beside a loss that ends the run", "at least 1")
        precondition(epochsPerEvaluation >= 1, "an evaluation every \(epochsPerEvaluation) epochs")
        try require(targetLoss?.isFinite ?? true, "--target-loss", targetLoss ?? 0, "a number")
        try require(
            maxSeconds.map { $0 > 0 && $0.isFinite } ?? true, "--max-seconds", maxSeconds ?? 0, "a positive number")
        try require((patience ?? 1) >= 1, "--early-stop", patience ?? 1, "at least 1")
        if case .sampled(let every?) = staleness {
            try require((1...1_000_000_000).contains(every), "--staleness-every", every, "1 to 1000000000")
        }
        let own = stepRule
        try require((0..<1).contains(own.momentum), "--momentum", own.momentum, "at least 0 and below 1")
        let decay = own.weightDecay
        try require(decay >= 0 && Float(decay).isFinite, "--weight-decay", decay, "at least 0, finite as a float")
        try require(own.clipNorm.map { $0 > 0 && $0.isFinite } ?? true, "--clip-gradient", own.clipNorm ?? 0, "above 0")
        let warmUp = own.warmUpEpochs
        try require(warmUp >= 0 && warmUp.isFinite, "--warm-up", warmUp, "at least 0 epochs")
        try clock.checkTimes()
    }
}
