// Options of the command as Training takes them, and what does not go together. The thread that reads the arguments.

import Collectives
import Compression
import Datasets
import Messaging
import Objectives
import Platform
import Training

/// The algorithms of a list between commas, at least one.
struct AlgorithmList {
    let algorithms: [Algorithm]

    init(parsing text: String) throws(InputError) {
        var found: [Algorithm] = []
        for name in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let algorithm = Algorithm(rawValue: String(name)) else {
                throw InputError(at: "--algorithm", unknown: name, expected: Algorithm.allCases.map(\.rawValue))
            }
            found.append(algorithm)
        }
        algorithms = found
    }

    /// Of `train` where none is named.
    static func standard(isDense: Bool) -> AlgorithmList {
        AlgorithmList(algorithms: [isDense ? .gradientAggregation : .hogwild])
    }

    private init(algorithms: [Algorithm]) { self.algorithms = algorithms }

    static var allNames: String { relaxed.names(of: Algorithm.self) }

    var names: [String] { algorithms.map(\.rawValue) }

    /// Whether there is a log of updates.
    var logsUpdates: Bool { algorithms == [.asgd] }

    /// Throws where an option is given that none of them has a use for, or that one of them cannot follow.
    func check(_ run: RunArguments, _ exchange: ExchangeArguments, _ clock: ClockArguments) throws(InputError) {
        if let other = algorithms.first(where: { !$0.isSynchronous }),
            let option = (run.givenOfSteps + clock.given).first
        {
            throw InputError(
                at: option, found: "--algorithm \(other.rawValue)",
                expected: relaxed.names(of: Algorithm.self, where: \.isSynchronous))
        }
        func require(_ option: String, _ isGiven: Bool, _ applies: (Algorithm) -> Bool) throws(InputError) {
            if isGiven, !algorithms.contains(where: applies) {
                throw InputError(
                    at: option, found: "--algorithm \(names.joined(separator: ","))",
                    expected: relaxed.names(of: Algorithm.self, where: applies))
            }
        }
        try require("--collective", exchange.collective != nil) { $0.isSynchronous && $0 != .minibatchSGD }
        try require("--codec", exchange.codec != nil, \.compresses)
        try require("--error-feedback", exchange.errorFeedback) { $0 == .csgd }
        try require("--allow-bias", exchange.allowBias) { $0 == .csgd }
        try require("--dense-messages", exchange.denseMessages) { [.gradientAggregation, .globalReplica].contains($0) }
        try clock.check()
        if run.nesterov && (run.momentum ?? 0) == 0 {
            let found = run.momentum == nil ? "no --momentum" : "--momentum 0"
            throw InputError(at: "--nesterov", found: found, expected: "--momentum above 0")
        }
    }
}

extension TrainingJob {
    /// The runs of `train`, algorithm by algorithm with each of the seeds; `objective` is that of sparse rows, nil for dense ones.
    ///
    /// minibatch-sgd is the serial reference of data-parallel SGD where it stands beside that, where the rows are dense, or where
    /// momentum and the like are asked for; alone it takes the samples of one worker.
    static func plan(
        _ list: AlgorithmList, _ run: RunArguments, _ exchange: ExchangeArguments, _ clock: ClockArguments,
        objective: LinearObjective?, hasHeldOutRows: Bool, workers: Int, seeds: [UInt64]
    ) throws(InputError) -> [TrainingJob] {
        let isDense = objective == nil
        let hasPeers = list.algorithms.contains { $0.isSynchronous && $0 != .minibatchSGD }
        let isGiven =
            !run.givenOfSteps.isEmpty || !clock.given.isEmpty || exchange.collective != nil || exchange.codec != nil
        var jobs: [TrainingJob] = []
        for algorithm in list.algorithms {
            let isDataParallel =
                algorithm.isSynchronous && (algorithm != .minibatchSGD || hasPeers || isDense || isGiven)
            if isDense && !isDataParallel {
                throw InputError(
                    at: "--algorithm", found: "\(algorithm.rawValue) on dense rows",
                    expected: relaxed.names(of: Algorithm.self, where: \.isSynchronous))
            }
            var options = try options(
                of: algorithm, run.training, objective: objective, hasHeldOutRows: hasHeldOutRows,
                isDataParallel: isDataParallel)
            options.keepsUpdateLog = run.updateLog != nil
            let count = algorithm == .minibatchSGD && !hasPeers ? 1 : workers
            for seed in seeds {
                options.seed = seed
                if isDataParallel {
                    options.synchronous = try synchronousOptions(
                        of: algorithm, run, exchange, clock, workers: count, seed: seed)
                    try options.check()
                }
                jobs.append(TrainingJob(options: options, dataParallelWorkers: isDataParallel ? count : nil))
            }
        }
        return jobs
    }

    /// The runs of `staleness`, of each algorithm one.
    static func plan(
        _ list: AlgorithmList, _ training: TrainingArguments, hasHeldOutRows: Bool
    ) throws(InputError) -> [TrainingJob] {
        if let other = list.algorithms.first(where: { $0.isSynchronous && $0 != .minibatchSGD }) {
            throw InputError(
                at: "--algorithm", found: "\(other.rawValue), whose staleness is 0",
                expected: relaxed.names(of: Algorithm.self) { !$0.isSynchronous || $0 == .minibatchSGD })
        }
        if training.staleness == "off" {
            throw InputError(at: "--staleness", found: "\"off\"", expected: "sampled or exact")
        }
        let objective = try training.linearObjective()
        return try list.algorithms.map { algorithm throws(InputError) in
            TrainingJob(
                options: try options(
                    of: algorithm, training, objective: objective, hasHeldOutRows: hasHeldOutRows, isDataParallel: false
                ),
                dataParallelWorkers: nil)
        }
    }

    /// What every run is asked to do; throws what cannot be meant.
    private static func options(
        of algorithm: Algorithm, _ arguments: TrainingArguments, objective: LinearObjective?, hasHeldOutRows: Bool,
        isDataParallel: Bool
    ) throws(InputError) -> TrainingOptions {
        if arguments.earlyStop != nil && !hasHeldOutRows {
            throw InputError(at: "--early-stop", found: "no held-out rows", expected: "--test with them")
        }
        var options = TrainingOptions()
        options.algorithm = algorithm
        options.objective = objective ?? LinearObjective(l2: arguments.l2)
        options.epochs = arguments.epochs
        options.batchSize = arguments.batchSize ?? (algorithm.isSynchronous ? 64 : 1)
        options.order = try choice(
            named: arguments.order ?? (isDataParallel ? RowOrder.shuffled : .blocks).rawValue, at: "--order")
        options.stepSize = try StepSize(
            parsing: arguments.stepSize ?? (algorithm == .gd || isDataParallel ? "auto" : "auto*0.3^epoch"))
        options.seed = arguments.firstSeed
        options.evaluationsPerEpoch = arguments.evaluationsPerEpoch
        options.trainLoss = try choice(named: arguments.trainLoss, at: "--train-loss")
        options.gradientNorm = try choice(named: arguments.gradientNorm, at: "--gradient-norm")
        options.targetLoss = arguments.targetLoss
        options.maxSeconds = try arguments.maxSeconds?.seconds(at: "--max-seconds")
        options.patience = arguments.earlyStop
        options.staleness = try recording(arguments)
        options.recordingCost = arguments.measureCost ? .always : .whereCheap
        try options.check()
        return options
    }

    private static func recording(_ arguments: TrainingArguments) throws(InputError) -> StalenessRecording {
        enum Kind: String, CaseIterable { case sampled, exact, off }
        let kind: Kind = try choice(named: arguments.staleness, at: "--staleness")
        if arguments.measureCost && kind == .off {
            throw InputError(at: "--measure-cost", found: "it beside --staleness off", expected: "sampled or exact")
        }
        if arguments.stalenessEvery != nil && kind != .sampled {
            throw InputError(
                at: "--staleness-every", found: "it beside --staleness \(kind.rawValue)", expected: "sampled")
        }
        switch kind {
        case .sampled: return .sampled(every: arguments.stalenessEvery)
        case .exact: return .exact
        case .off: return .off
        }
    }

    /// What data-parallel SGD is asked to do beyond that.
    private static func synchronousOptions(
        of algorithm: Algorithm, _ run: RunArguments, _ exchange: ExchangeArguments, _ clock: ClockArguments,
        workers: Int, seed: UInt64
    ) throws(InputError) -> SynchronousOptions {
        var options = SynchronousOptions()
        options.momentum = run.momentum ?? 0
        options.isNesterov = run.nesterov
        options.weightDecay = run.weightDecay ?? 0
        options.clipNorm = run.clipGradient
        options.warmUpEpochs = run.warmUp ?? 0
        options.clock = try clock.fabricClock
        options.computeSeconds = try clock.computeSeconds
        options.straggler = try clock.stragglers(workers: workers, seed: seed)
        switch clock.codecTime {
        case nil, "none": options.codecTime = .none
        case "measured": options.codecTime = .measured
        case let text?: options.codecTime = .perMegabyte(seconds: try seconds(perMegabyte: text))
        }
        options.hasErrorFeedback = exchange.errorFeedback
        options.allowsBias = exchange.allowBias
        options.sendsZeros = exchange.denseMessages
        options.codec = try CodecConfiguration(
            parsing: exchange.codec ?? (algorithm == .ecSGD ? "sign" : "quantize:bits=4"))
        // By name, or what suits the algorithm.
        func chosen<Choice: RawRepresentable<String> & CaseIterable>(_ standard: Choice) throws(InputError) -> Choice {
            guard let name = exchange.collective else { return standard }
            return try choice(named: name, at: "--collective", of: "for \(algorithm.rawValue) ")
        }
        switch algorithm {
        case .gradientAggregation, .modelAggregation:
            options.collective = try chosen(options.clock.isModel ? .ring : .direct)
        case .globalReplica: options.collective = try chosen(.multiServer)
        case .csgd, .ecSGD: options.layout = try chosen(.multiServer)
        case .minibatchSGD, .gd, .sgd, .asgd, .hogwild: break
        }
        return options
    }

    private static func seconds(perMegabyte text: String) throws(InputError) -> Double {
        do {
            return try TimeText.seconds(parsing: text, at: "--codec-time")
        } catch {
            let nearest = ["none", "measured"].nearest(to: text).map { "; did you mean \($0)?" } ?? ""
            throw InputError(
                at: error.place, found: error.found,
                expected: "none, measured, or per megabyte \(TimeText.forms)\(nearest)")
        }
    }
}
