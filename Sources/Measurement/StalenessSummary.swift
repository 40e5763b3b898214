// The staleness distribution as it is reported.

import Histogram

/// Staleness in updates: the distribution over all workers and that of each.
public struct StalenessSummary: Codable, Sendable, Equatable {
    /// How the values were obtained.
    public enum Method: String, Codable, Sendable {
        /// Every update, in the order that a lock gives or that stamped times give.
        case exact
        /// The updates in windows of time, in the order that stamped times give.
        case sampled
        /// A serial algorithm or one worker: each gradient is taken at the newest model by construction.
        case serial
        /// Nothing was recorded.
        case off
    }

    /// Mean, percentiles and extremes of one distribution; all 0, and null in JSON, where nothing was recorded.
    public struct Distribution: Codable, Sendable, Equatable {
        /// The worker it is of, or the server; nil for all together.
        public var rank: Int?
        public var server: Int?
        /// The number of updates recorded.
        public var count: UInt64 = 0
        public var mean: Double = 0
        public var p50: UInt64 = 0
        public var p90: UInt64 = 0
        public var p99: UInt64 = 0
        public var max: UInt64 = 0
        /// [value, count] in increasing order of value, counts of 0 left out. Exact below 2,048, to 0.1 percent beyond.
        public var histogram: [[UInt64]] = []

        public init(_ recorder: StalenessRecorder, rank: Int? = nil) {
            self.rank = rank
            guard recorder.count > 0 else { return }
            count = recorder.count
            mean = Double(recorder.sum) / Double(recorder.count)
            max = recorder.maximum
            // The bucket of a large value is named by its upper edge, which may lie beyond the largest value seen.
            let values = recorder.histogram
            p50 = min(values.valueAtPercentile(50), max)
            p90 = min(values.valueAtPercentile(90), max)
            p99 = min(values.valueAtPercentile(99), max)
            histogram = values.recordedValues().map { [min($0.value, max), $0.count] }
        }

        func min(_ a: UInt64, _ b: UInt64) -> UInt64 { a < b ? a : b }

        private enum CodingKeys: String, CodingKey {
            case rank, server, count, mean, p50, p90, p99, max, histogram
        }

        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            rank = try container.decodeIfPresent(Int.self, forKey: .rank)
            server = try container.decodeIfPresent(Int.self, forKey: .server)
            count = try container.decode(UInt64.self, forKey: .count)
            mean = try container.decodeIfPresent(Double.self, forKey: .mean) ?? 0
            p50 = try container.decodeIfPresent(UInt64.self, forKey: .p50) ?? 0
            p90 = try container.decodeIfPresent(UInt64.self, forKey: .p90) ?? 0
            p99 = try container.decodeIfPresent(UInt64.self, forKey: .p99) ?? 0
            max = try container.decodeIfPresent(UInt64.self, forKey: .max) ?? 0
            histogram = try container.decode([[UInt64]].self, forKey: .histogram)
        }

        /// Null in place of figures of nothing.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encodeIfPresent(rank, forKey: .rank)
            try container.encodeIfPresent(server, forKey: .server)
            try container.encode(count, forKey: .count)
            let hasFigures = count > 0
            try container.encode(hasFigures ? mean : nil, forKey: .mean)
            for (value, key) in [(p50, CodingKeys.p50), (p90, .p90), (p99, .p99), (max, .max)] {
                try container.encode(hasFigures ? value : nil, forKey: key)
            }
            try container.encode(histogram, forKey: .histogram)
        }
    }

    /// What was recorded in a part of a run.
    public struct Period: Codable, Sendable, Equatable {
        /// Updates of the model until its end.
        public var updates: UInt64
        /// Updates recorded.
        public var count: UInt64
        /// Null where there were none.
        public var mean: Double?

        public init(updates: UInt64, count: UInt64, mean: Double?) {
            self.updates = updates
            self.count = count
            self.mean = mean
        }
    }

    /// Updates that waited about as long for their lock.
    public struct LockWait: Codable, Sendable, Equatable {
        /// At least so long, and less than twice that.
        public var atLeastSeconds: Double
        public var count: UInt64
        public var meanStaleness: Double

        public init(atLeastSeconds: Double, count: UInt64, meanStaleness: Double) {
            self.atLeastSeconds = atLeastSeconds
            self.count = count
            self.meanStaleness = meanStaleness
        }
    }

    public var method: Method
    /// One update in about this many was looked at (1 for `exact` and `serial`).
    public var every: Int
    /// All workers together.
    public var all: Distribution
    public var perWorker: [Distribution]
    /// Updates by others while one worker read the model: the count at the end of the read minus that at its begin.
    public var readSpan: Distribution?
    /// Updates by rank j between the read and the write of rank i's updates that were looked at, in row i and column j: a row's sum is
    /// that of the rank's staleness.
    public var delayedBy: [[UInt64]]?
    /// How many updates that matrix is of, where it is of exact ones.
    public var delayedByCount: UInt64?
    /// Where the model is on several servers: all workers' updates of each.
    public var perServer: [Distribution]?
    /// Where a read is of several windows, and not of one version of all: how many reads there were, and how many saw windows after different
    /// numbers of updates.
    public var reads: UInt64?
    public var tornReads: UInt64?
    /// Gradients under way where an update is applied, its own among them: the mean over the updates, and the most.
    public var concurrencyMean: Double?
    public var concurrencyMax: Int?
    /// On a clock of the model: seconds from a read to its update, on the mean.
    public var meanSecondsUnderWay: Double?
    /// From one evaluation to the next, or over several where there are many.
    public var overTime: [Period]?
    /// Updates that waited for a lock, by how long; of those that were looked at.
    public var lockWaits: [LockWait]?
    /// The share of the workers' time between the begin of a read and that of the write, among the updates that were looked at: workers
    /// that are always busy see about N - 1 times that.
    public var shareReadToWrite: Double?
    /// The share of a worker's time in which another one was at work, too, and had not yet to begin or come to the end of its rows.
    public var shareTogether: Double?
    /// What stamped times were taken from.
    public var clock: String?
    /// The share of sampled coordinate updates that overwrote another worker's update made since their own read.
    public var lostUpdateRate: Double?
    /// How many coordinate updates that share was taken from.
    public var lostUpdateSamples: UInt64?
    /// The share of throughput that recording takes, measured by alternating passes with and without it.
    public var measurementCost: MeasurementCost?

    public init(method: Method, every: Int, recorders: [StalenessRecorder], readSpans: [StalenessRecorder] = []) {
        self.method = method
        self.every = every
        let merged = StalenessRecorder()
        for recorder in recorders { merged.merge(recorder) }
        all = Distribution(merged)
        perWorker = recorders.enumerated().map { rank, recorder in Distribution(recorder, rank: rank) }
        if merged.count > 0 { concurrencyMean = Double(merged.sum) / Double(merged.count) + 1 }
        if !readSpans.isEmpty {
            let spans = StalenessRecorder()
            for recorder in readSpans { spans.merge(recorder) }
            readSpan = Distribution(spans)
        }
    }

    /// The distribution's keys stand beside the others, as the contract of the run record has it.
    private enum CodingKeys: String, CodingKey {
        case method, every, perWorker, readSpan, delayedBy, shareReadToWrite, shareTogether, clock
        case lostUpdateRate, lostUpdateSamples, measurementCost
        case delayedByCount, perServer, reads, tornReads, concurrencyMean, concurrencyMax, meanSecondsUnderWay, overTime
        case lockWaits
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        method = try container.decode(Method.self, forKey: .method)
        every = try container.decode(Int.self, forKey: .every)
        all = try Distribution(from: decoder)
        perWorker = try container.decode([Distribution].self, forKey: .perWorker)
        readSpan = try container.decodeIfPresent(Distribution.self, forKey: .readSpan)
        delayedBy = try container.decodeIfPresent([[UInt64]].self, forKey: .delayedBy)
        shareReadToWrite = try container.decodeIfPresent(Double.self, forKey: .shareReadToWrite)
        shareTogether = try container.decodeIfPresent(Double.self, forKey: .shareTogether)
        clock = try container.decodeIfPresent(String.self, forKey: .clock)
        lostUpdateRate = try container.decodeIfPresent(Double.self, forKey: .lostUpdateRate)
        lostUpdateSamples = try container.decodeIfPresent(UInt64.self, forKey: .lostUpdateSamples)
        measurementCost = try container.decodeIfPresent(MeasurementCost.self, forKey: .measurementCost)
        delayedByCount = try container.decodeIfPresent(UInt64.self, forKey: .delayedByCount)
        perServer = try container.decodeIfPresent([Distribution].self, forKey: .perServer)
        reads = try container.decodeIfPresent(UInt64.self, forKey: .reads)
        tornReads = try container.decodeIfPresent(UInt64.self, forKey: .tornReads)
        concurrencyMean = try container.decodeIfPresent(Double.self, forKey: .concurrencyMean)
        concurrencyMax = try container.decodeIfPresent(Int.self, forKey: .concurrencyMax)
        meanSecondsUnderWay = try container.decodeIfPresent(Double.self, forKey: .meanSecondsUnderWay)
        overTime = try container.decodeIfPresent([Period].self, forKey: .overTime)
        lockWaits = try container.decodeIfPresent([LockWait].self, forKey: .lockWaits)
    }

    public func encode(to encoder: any Encoder) throws {
        try all.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(method, forKey: .method)
        try container.encode(every, forKey: .every)
        try container.encode(perWorker, forKey: .perWorker)
        try container.encodeIfPresent(readSpan, forKey: .readSpan)
        try container.encodeIfPresent(delayedBy, forKey: .delayedBy)
        try container.encodeIfPresent(shareReadToWrite, forKey: .shareReadToWrite)
        try container.encodeIfPresent(shareTogether, forKey: .shareTogether)
        try container.encodeIfPresent(clock, forKey: .clock)
        try container.encodeIfPresent(lostUpdateRate, forKey: .lostUpdateRate)
        try container.encodeIfPresent(lostUpdateSamples, forKey: .lostUpdateSamples)
        try container.encodeIfPresent(measurementCost, forKey: .measurementCost)
        try container.encodeIfPresent(delayedByCount, forKey: .delayedByCount)
        try container.encodeIfPresent(perServer, forKey: .perServer)
        try container.encodeIfPresent(reads, forKey: .reads)
        try container.encodeIfPresent(tornReads, forKey: .tornReads)
        try container.encodeIfPresent(concurrencyMean, forKey: .concurrencyMean)
        try container.encodeIfPresent(concurrencyMax, forKey: .concurrencyMax)
        try container.encodeIfPresent(meanSecondsUnderWay, forKey: .meanSecondsUnderWay)
        try container.encodeIfPresent(overTime, forKey: .overTime)
        try container.encodeIfPresent(lockWaits, forKey: .lockWaits)
    }
}

/// What recording costs: pairs of passes, one with and one without it, in alternating order.
public struct MeasurementCost: Codable, Sendable, Equatable {
    /// 1 - (updates per second with recording) / (updates per second without), the median over the pairs: the machine's speed
    /// drifts, and the two passes of a pair share it. Noise may put it below zero.
    public var shareOfThroughput: Double
    /// The quartiles of the same share over the pairs: how far noise moves it.
    public var lowerQuartile: Double
    public var upperQuartile: Double
    public var pairs: Int

    /// About the standard error of the median: that of as many normal draws with these quartiles.
    public var standardError: Double { 0.93 * (upperQuartile - lowerQuartile) / Double(pairs).squareRoot() }
    /// Whether the share is known to some two percent of throughput.
    public var isTelling: Bool { standardError <= 0.01 }

    /// From the seconds of the passes, by pair, at least one.
    public init(secondsWith: [Double], secondsWithout: [Double]) {
        precondition(!secondsWith.isEmpty && secondsWith.count == secondsWithout.count, "passes must come in pairs")
        let sorted = zip(secondsWith, secondsWithout).map { 1 - $1 / $0 }.sorted()
        shareOfThroughput = sorted[sorted.count / 2]
        lowerQuartile = sorted[sorted.count / 4]
        upperQuartile = sorted[(3 * sorted.count) / 4]
        pairs = sorted.count
    }
}
