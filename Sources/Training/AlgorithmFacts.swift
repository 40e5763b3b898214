// What an algorithm says of itself, once, in its own file. Plain values; any thread.

public import Datasets
public import Platform

/// What the command, the run, the documents and the tests ask of an algorithm.
///
/// Defaults are those of data-parallel SGD.
public struct AlgorithmFacts: Sendable {
    /// The name on the command line, which no other has: lower-case words with hyphens.
    public let name: String
    /// What it does, in a few words.
    public let summary: String
    /// Where it stands in the book, or the paper that it is from.
    public let section: String
    /// The settings that follow its name, such as `topology=ring`; what takes them is its `init`.
    public let settings: [SettingFacts]
    /// The options that it has a use for, beside those of every run.
    public let options: Set<AlgorithmOption>
    /// Whose parameters are evaluated and kept: `.mean` where workers have models of their own.
    public let evaluates: EvaluatedParameters
    /// Whether one worker does all updates, whatever `--workers` says.
    public let isSerial: Bool
    /// Whether threads race under the native clock, so that the same seed gives other bits each time; the record says so.
    public let isRacing: Bool
    /// What the step size `auto` stands for.
    public let automaticStep: AutomaticStep
    /// B where nobody says it.
    public let batchSize: Int
    /// The order of the rows where nobody says it.
    public let order: RowOrder
    /// The step size where nobody says it.
    public let stepSize: StepSize

    public init(
        name: String, summary: String, section: String, settings: [SettingFacts] = [],
        options: Set<AlgorithmOption> = [], evaluates: EvaluatedParameters = .rank0, isSerial: Bool = false,
        isRacing: Bool = false, automaticStep: AutomaticStep = .forGradients, batchSize: Int = 64,
        order: RowOrder = .shuffled, stepSize: StepSize = StepSize(nil)
    ) {
        self.name = name
        self.summary = summary
        self.section = section
        self.settings = settings
        self.options = options
        self.evaluates = evaluates
        self.isSerial = isSerial
        self.isRacing = isRacing
        self.automaticStep = automaticStep
        self.batchSize = batchSize
        self.order = order
        self.stepSize = stepSize
    }
}

/// Whose parameters are the run's model.
public enum EvaluatedParameters: Sendable {
    /// x of rank 0: that of all workers, or the shared one.
    case rank0
    /// The mean of the workers' x.
    case mean
    /// The window `parameters` of the server: rank N where the algorithm has more ranks than workers, else rank 0; or the windows of all its
    /// chunks. Steps are then updates, those of the last window, each of one worker; in the other cases they are iterations of all workers.
    case window
}

/// What the step size `auto` suits.
public enum AutomaticStep: Sendable {
    /// At most 1/L: see `MinibatchProblem.automaticStepSize`.
    case forGradients
    /// Steps along single rows: see `MinibatchProblem.automaticRowStepSize`.
    case forRows
}

/// Options that only some algorithms have a use for, by their names on the command line.
public enum AlgorithmOption: String, Sendable, CaseIterable {
    case collective, codec
    case errorFeedback = "error-feedback"
    case allowBias = "allow-bias"
    case denseMessages = "dense-messages"
    case momentum, nesterov
    case weightDecay = "weight-decay"
    case clipGradient = "clip-gradient"
    case warmUp = "warm-up"
    case batchSize = "batch-size"
    /// How updates are looked at.
    case stalenessEvery = "staleness-every"
    case updateLog = "update-log"
    /// Whether the order of updates can be recorded, and repeated.
    case recordOrder = "record-order"
    case computeTrace = "compute-trace"
    /// What time means, and all that belongs to it.
    case clock
}

extension Set<AlgorithmOption> {
    /// What `RankWorker.descend` and `computeGradient` follow.
    public static let steps: Self = [
        .momentum, .nesterov, .weightDecay, .clipGradient, .warmUp, .batchSize, .computeTrace,
    ]
}
