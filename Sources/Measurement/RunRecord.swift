// The record of one training run, as `--json` prints it and `report` reads it.

/// One evaluation of the model during a run.
public struct TrainingPoint: Codable, Sendable, Equatable {
    /// Passes over the training rows so far; fractions where a pass was cut short or evaluated in parts.
    public var epoch: Double
    /// Updates of the model so far, by all workers.
    public var updates: UInt64
    /// Seconds of training so far; evaluation is left out.
    public var seconds: Double
    /// The mean loss on the held-out rows, or on the training rows where there are none. Not finite once diverged.
    public var loss: Double
    public var accuracy: Double?
    public var auc: Double?
    public var r2: Double?
    /// The mean loss on the training rows, where `loss` is that of held-out rows; nil where it was not asked for.
    public var trainLoss: Double?
    /// The objective on the training rows: mean loss and penalty; nil where it was not asked for.
    public var objective: Double?
    /// The squared norm of the objective's full gradient on the training rows; nil where it was not asked for.
    public var gradientNormSquared: Double?
    /// (1/N) sum_n norm(x_n - mean)^2, where the model is the mean of the workers' x_n; else nil.
    public var consensusDistance: Double?

    public init(
        epoch: Double, updates: UInt64, seconds: Double, loss: Double, accuracy: Double?, auc: Double?, r2: Double?,
        trainLoss: Double?, objective: Double?, gradientNormSquared: Double?, consensusDistance: Double? = nil
    ) {
        self.epoch = epoch
        self.updates = updates
        self.seconds = seconds
        self.loss = loss
        self.accuracy = accuracy
        self.auc = auc
        self.r2 = r2
        self.trainLoss = trainLoss
        self.objective = objective
        self.gradientNormSquared = gradientNormSquared
        self.consensusDistance = consensusDistance
    }
}

extension TrainingPoint {
    /// Every key is there: null says that a figure does not apply or was not asked for.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(epoch, forKey: .epoch)
        try container.encode(updates, forKey: .updates)
        try container.encode(seconds, forKey: .seconds)
        try container.encode(loss, forKey: .loss)
        try container.encode(accuracy, forKey: .accuracy)
        try container.encode(auc, forKey: .auc)
        try container.encode(r2, forKey: .r2)
        try container.encode(trainLoss, forKey: .trainLoss)
        try container.encode(objective, forKey: .objective)
        try container.encode(gradientNormSquared, forKey: .gradientNormSquared)
        try container.encodeIfPresent(consensusDistance, forKey: .consensusDistance)
    }
}

/// How a run ended.
public enum RunStatus: String, Codable, Sendable {
    case completed
    case targetReached
    case stoppedEarly
    case timeLimit
    case interrupted
    case diverged
    /// Steps so small that none changed the model.
    case unchanged
}

/// The settings, the course and the staleness of one training run.
public struct RunRecord: Codable, Sendable {
    public struct Settings: Codable, Sendable {
        public var algorithm: String
        public var objective: String
        public var l2: Double
        public var intercept: Bool
        public var workers: Int
        public var placement: String
        /// The CPU of each rank; null for a worker that is not pinned.
        public var cpus: [Int?]
        public var order: String
        public var batchSize: Int
        public var stepSize: String
        public var epochs: Int
        public var seed: UInt64
        public var targetLoss: Double?
        public var maxSeconds: Double?
        public var patience: Int?

        public init(
            algorithm: String, objective: String, l2: Double, intercept: Bool, workers: Int, placement: String,
            cpus: [Int?], order: String, batchSize: Int, stepSize: String, epochs: Int, seed: UInt64,
            targetLoss: Double?, maxSeconds: Double?, patience: Int?
        ) {
            self.algorithm = algorithm
            self.objective = objective
            self.l2 = l2
            self.intercept = intercept
            self.workers = workers
            self.placement = placement
            self.cpus = cpus
            self.order = order
            self.batchSize = batchSize
            self.stepSize = stepSize
            self.epochs = epochs
            self.seed = seed
            self.targetLoss = targetLoss
            self.maxSeconds = maxSeconds
            self.patience = patience
        }
    }

    /// The size of a data set.
    public struct Data: Codable, Sendable {
        public var name: String
        public var rows: Int
        public var features: Int
        public var nonzeros: Int

        public init(name: String, rows: Int, features: Int, nonzeros: Int) {
            self.name = name
            self.rows = rows
            self.features = features
            self.nonzeros = nonzeros
        }
    }

    /// What was learned from dense rows, and how these were made ready.
    public struct Network: Codable, Sendable, Equatable {
        public var inputs: Int
        /// The widths of the hidden layers.
        public var hidden: [Int]
        public var outputs: Int
        /// What follows a hidden layer; nil where there is none.
        public var activation: String?
        public var loss: String
        public var parameters: Int
        /// How columns were scaled.
        public var standardise: String
        /// The column or array of the labels.
        public var label: String?

        public init(
            inputs: Int, hidden: [Int], outputs: Int, activation: String?, loss: String, parameters: Int,
            standardise: String, label: String?
        ) {
            self.inputs = inputs
            self.hidden = hidden
            self.outputs = outputs
            self.activation = activation
            self.loss = loss
            self.parameters = parameters
            self.standardise = standardise
            self.label = label
        }
    }

    /// What the workers exchanged and what that took. An iteration is a step of the model: of all workers, or where they go on each in its
    /// own time of one.
    public struct Exchange: Codable, Sendable {
        /// How vectors were exchanged; nil where none were.
        public var collective: String?
        public var codec: String?
        public var errorFeedback: Bool
        public var momentum: Double
        public var nesterov: Bool
        public var weightDecay: Double
        public var clipNorm: Double?
        public var warmUpEpochs: Double
        /// `native`, `wall` or `virtual`; under the last two `seconds` are those of the switch model.
        public var clock: String
        public var latencySeconds: Double?
        public var secondsPerMegabyte: Double?
        public var ports: String?
        public var straggler: String?
        /// What one minibatch of one worker takes on a model clock.
        public var computeSeconds: Double?
        /// Whether that was measured on this machine before the run.
        public var computeWasMeasured: Bool
        /// What coding takes on a model clock: `none`, `measured`, or seconds per megabyte of floats; nil where nothing is coded.
        public var codecTime: String?
        public var secondsPerIteration = 0.0
        /// As the switch model has it: computation, then the exchange, in segments as long as the run's.
        public var predictedSecondsPerIteration: Double?
        /// Sent by all ranks together, on the mean.
        public var bytesPerIteration = 0.0
        public var messagesPerIteration = 0.0
        /// Gradients that were computed and went into no update, and their share of all; nil where each goes into one.
        public var droppedGradients: UInt64?
        public var droppedShare: Double?
        /// Bytes of vectors by bytes of their encoded forms.
        public var compressionRatio: Double?
        /// Processor time of the busiest rank in its codecs, as measured.
        public var codecSecondsPerIteration: Double?
        /// Of a gradient that was decoded from coded ones: by how many times their rounding errors can be larger in it; nil where nothing is.
        public var decodingCondition: Double?

        public init(
            collective: String?, codec: String?, errorFeedback: Bool, momentum: Double, nesterov: Bool,
            weightDecay: Double, clipNorm: Double?, warmUpEpochs: Double, clock: String, latencySeconds: Double?,
            secondsPerMegabyte: Double?, ports: String?, straggler: String?, computeSeconds: Double?,
            computeWasMeasured: Bool
        ) {
            self.collective = collective
            self.codec = codec
            self.errorFeedback = errorFeedback
            self.momentum = momentum
            self.nesterov = nesterov
            self.weightDecay = weightDecay
            self.clipNorm = clipNorm
            self.warmUpEpochs = warmUpEpochs
            self.clock = clock
            self.latencySeconds = latencySeconds
            self.secondsPerMegabyte = secondsPerMegabyte
            self.ports = ports
            self.straggler = straggler
            self.computeSeconds = computeSeconds
            self.computeWasMeasured = computeWasMeasured
        }
    }

    /// The copies of the model that the workers of hogwild changed.
    public struct Layout: Codable, Sendable, Equatable {
        /// What one layout did in the trial.
        public struct Trial: Codable, Sendable, Equatable {
            public var layout: String
            public var rowsPerSecond: Double

            public init(layout: String, rowsPerSecond: Double) {
                self.layout = layout
                self.rowsPerSecond = rowsPerSecond
            }
        }

        /// `shared`, `per-core`, `per-cache` or `per-node`.
        public var name: String
        /// How many; 1 for the model alone.
        public var replicas = 1
        /// What was known before the trial; nil where the layout was given.
        public var reason: String?
        /// The median rates of the layouts that were tried; nil where none were.
        public var trial: [Trial]?
        /// What the trial took, which is in no other seconds.
        public var trialSeconds: Double?
        /// Rows that a worker trained on between two merges at the end, the median over the workers.
        public var rowsBetweenMerges: Int?
        /// Merges by all workers.
        public var merges: Int?
        /// The share of the workers' time that merging took.
        public var mergeShare: Double?

        public init(name: String, reason: String?) {
            self.name = name
            self.reason = reason
        }

        /// What each worker merged, in how many rows between and in what ticks of a clock.
        public mutating func note(
            rowsBetweenMerges rows: [Int], merges: [Int], ticks: [(merging: UInt64, training: UInt64)]
        ) {
            rowsBetweenMerges = rows.sorted()[rows.count / 2]
            self.merges = merges.reduce(0, +)
            let merging = ticks.reduce(0.0) { $0 + Double($1.merging) }
            let training = ticks.reduce(0.0) { $0 + Double($1.training) }
            mergeShare = merging + training > 0 ? merging / (merging + training) : 0
        }
    }

    public var settings: Settings
    public var train: Data
    public var test: Data?
    /// Of dense rows.
    public var network: Network?
    /// The saved model that the run started from; nil where it started anew.
    public var modelIn: String?
    /// Whether the same seed gives the same bits: true unless threads raced, or a signal or the real clock ended the run.
    public var deterministic: Bool
    public var status: RunStatus
    /// The first is the model at the start, the last the model where the run ended.
    public var points: [TrainingPoint]
    /// The index in `points` of the model that was kept: the last one, or with early stopping the best.
    public var keptPoint: Int
    public var updates: UInt64
    /// Rows whose gradient was taken.
    public var samples: UInt64
    /// Seconds of training; evaluation is left out.
    public var seconds: Double
    /// Those among them in which workers laid out the row orders of their epochs.
    public var orderSeconds: Double
    /// Seconds of evaluation, beside those of training.
    public var evaluationSeconds = 0.0
    /// Epochs from one evaluation to the next, where there is at most one an epoch; null where there are more, or none but at the ends.
    public var epochsPerEvaluation: Int?
    /// Of how many training rows the losses on training rows are; null where of all.
    public var sampledRows: Int?
    public var updatesPerSecond: Double
    public var samplesPerSecond: Double
    public var secondsToTarget: Double?
    public var epochsToTarget: Double?
    public var updatesToTarget: UInt64?
    public var staleness: StalenessSummary
    /// The most memory that the process was expected to take, before the run was laid out.
    public var estimatedMemoryBytes: Int?
    /// Of algorithms whose workers exchange messages.
    public var exchange: Exchange?
    /// How many copies of the model workers changed, of hogwild.
    public var layout: Layout?

    public init(
        settings: Settings, train: Data, test: Data?, deterministic: Bool, status: RunStatus, points: [TrainingPoint],
        keptPoint: Int, updates: UInt64, samples: UInt64, seconds: Double, orderSeconds: Double,
        staleness: StalenessSummary, exchange: Exchange? = nil
    ) {
        self.settings = settings
        self.train = train
        self.test = test
        self.deterministic = deterministic
        self.status = status
        self.points = points
        self.keptPoint = keptPoint
        self.updates = updates
        self.samples = samples
        self.seconds = seconds
        self.orderSeconds = orderSeconds
        updatesPerSecond = seconds > 0 ? Double(updates) / seconds : 0
        samplesPerSecond = seconds > 0 ? Double(samples) / seconds : 0
        self.staleness = staleness
        self.exchange = exchange
        if let target = settings.targetLoss, let point = points.first(where: { $0.loss <= target }) {
            secondsToTarget = point.seconds
            epochsToTarget = point.epoch
            updatesToTarget = point.updates
        }
    }
}
