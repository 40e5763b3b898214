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

    init(parsing text: String) throws(InputError) { algorithms = try Algorithm.list(parsing: text) }

    private init(algorithms: [Algorithm]) { self.algorithms = algorithms }

    /// Of `train` where none is named.
    static func standard(isDense: Bool) -> AlgorithmList {
        AlgorithmList(algorithms: [isDense ? Algorithm(GradientAggregation.self) : Algorithm(Hogwild.self)])
    }

    static var allNames: String { namesOfAll { _ in true } }

    /// Such as `local-sgd:period=8`: those that have settings, with the defaults.
    static var allSettings: String {
        Algorithm.builtIn.map { $0.facts }.flatMap { facts in
            facts.settings.map { "\(facts.name):\($0.key)=\($0.standard ?? "…")" }
        }.joined(separator: ", ")
    }

    static func namesOfAll(where isMeant: (AlgorithmFacts) -> Bool) -> String {
        let names = Algorithm.builtIn.map { $0.facts }.filter(isMeant).map(\.name)
        return names.count < 2
            ? names.joined() : names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1]
    }

    var names: [String] { algorithms.map(\.description) }

    /// Whether there is one algorithm, and it keeps what `option` writes.
    func isOne(with option: AlgorithmOption) -> Bool {
        algorithms.count == 1 && algorithms[0].facts.options.contains(option)
    }

    /// Throws where an option is given that none of them has a use for, or that one of them cannot follow.
    func check(_ run: RunArguments, _ exchange: ExchangeArguments, _ clock: ClockArguments) throws(InputError) {
        func refusal(_ option: String, _ found: String, _ fitting: AlgorithmOption) -> InputError {
            InputError(
                at: option, found: "--algorithm \(found)",
                expected: Self.namesOfAll { $0.options.contains(fitting) })
        }
        // What all have to follow, for they are compared.
        for (given, option) in run.givenOfSteps + clock.given.map({ ($0, .clock) }) {
            if let other = algorithms.first(where: { !$0.facts.options.contains(option) }) {
                throw refusal(given, other.description, option)
            }
        }
        for (isGiven, option) in exchange.given + run.givenOfRows
        where isGiven && !algorithms.contains(where: { $0.facts.options.contains(option) }) {
            throw refusal("--\(option.rawValue)", names.joined(separator: ","), option)
        }
        let stamps = algorithms.contains { $0.facts.options.contains(.stalenessEvery) }
        if run.training.measureCost && !stamps {
            throw refusal("--measure-cost", names.joined(separator: ","), .stalenessEvery)
        }
        let codes = algorithms.contains { !$0.facts.options.isDisjoint(with: [.codec, .denseMessages]) }
        if clock.codecTime != nil && !codes {
            throw refusal("--codec-time", names.joined(separator: ","), .codec)
        }
        try clock.check()
        if run.computeTrace != nil, try clock.kind != .native {
            throw InputError(
                at: "--compute-trace", found: "--clock \(clock.clock)",
                expected: "--clock native, whose times are the machine's own")
        }
        if run.nesterov && (run.momentum ?? 0) == 0 {
            let found = run.momentum == nil ? "no --momentum" : "--momentum 0"
            throw InputError(at: "--nesterov", found: found, expected: "--momentum above 0")
        }
    }
}

extension TrainingJob {
    /// The runs of `train`, algorithm by algorithm with each of the seeds; `objective` is that of sparse rows, nil for dense ones.
    static func plan(
        _ list: AlgorithmList, _ run: RunArguments, _ exchange: ExchangeArguments, _ clock: ClockArguments,
        objective: LinearObjective?, hasHeldOutRows: Bool, workers: Int, seeds: [UInt64]
    ) throws(InputError) -> [TrainingJob] {
        var jobs: [TrainingJob] = []
        let replay = try run.replay.map { path throws(InputError) in try RecordedOrder(reading: path) }
        for algorithm in list.algorithms {
            var options = try options(
                of: algorithm, run.training, isDense: objective == nil, hasHeldOutRows: hasHeldOutRows)
            options.keepsUpdateLog = run.updateLog != nil
            options.recordsOrder = run.recordOrder != nil
            options.replay = replay
            options.keepsComputeTrace = run.computeTrace != nil
            options.exchange = try exchange.options()
            options.stepRule.momentum = run.momentum ?? 0
            options.stepRule.isNesterov = run.nesterov
            options.stepRule.weightDecay = run.weightDecay ?? 0
            options.stepRule.clipNorm = run.clipGradient
            options.stepRule.warmUpEpochs = run.warmUp ?? 0
            for seed in seeds {
                options.seed = seed
                options.clock = try clock.options(
                    workers: workers, computing: algorithm.facts.isSerial ? 1 : workers, seed: seed)
                try options.check()
                jobs.append(TrainingJob(options: options, workers: workers, objective: objective))
            }
        }
        return jobs
    }

    /// The runs of `staleness`, of each algorithm one; the number of workers is still to be said.
    static func plan(
        _ list: AlgorithmList, _ training: TrainingArguments, hasHeldOutRows: Bool
    ) throws(InputError) -> [TrainingJob] {
        // Others wait for each other in every step.
        func isStale(_ facts: AlgorithmFacts) -> Bool {
            !facts.options.contains(.clock) || facts.isSerial || facts.evaluates != .rank0
        }
        if let other = list.algorithms.first(where: { !isStale($0.facts) }) {
            throw InputError(
                at: "--algorithm", found: "\(other), whose staleness is 0",
                expected: Algorithm.builtIn.map { $0.facts }.filter(isStale).map(\.name).joined(separator: ", "))
        }
        if training.staleness == "off" {
            throw InputError(at: "--staleness", found: "\"off\"", expected: "sampled or exact")
        }
        let objective = try training.linearObjective()
        return try list.algorithms.map { algorithm throws(InputError) in
            TrainingJob(
                options: try options(of: algorithm, training, isDense: false, hasHeldOutRows: hasHeldOutRows),
                workers: 1, objective: objective)
        }
    }

    /// What every run is asked to do; throws what cannot be meant.
    private static func options(
        of algorithm: Algorithm, _ arguments: TrainingArguments, isDense: Bool, hasHeldOutRows: Bool
    ) throws(InputError) -> TrainingOptions {
        if arguments.earlyStop != nil && !hasHeldOutRows {
            throw InputError(at: "--early-stop", found: "no held-out rows", expected: "--test with them")
        }
        var options = TrainingOptions(algorithm)
        options.epochs = arguments.epochs
        options.batchSize = arguments.batchSize ?? options.batchSize
        // Rows of a table often stand in the order of their labels.
        options.order = try choice(
            named: arguments.order ?? (isDense ? .shuffled : options.order).rawValue, at: "--order")
        options.stepSize =
            if let text = arguments.stepSize { try StepSize(parsing: text) } else if isDense { StepSize(nil) } else {
                options.stepSize
            }
        options.seed = arguments.firstSeed
        options.evaluationsPerEpoch = arguments.evaluationsPerEpoch ?? 1
        if let trainLoss = arguments.trainLoss {
            options.trainLoss = try choice(named: trainLoss, at: "--train-loss")
        }
        options.gradientNorm = try choice(named: arguments.gradientNorm, at: "--gradient-norm")
        options.targetLoss = arguments.targetLoss
        options.maxSeconds = try arguments.maxSeconds?.seconds(at: "--max-seconds")
        options.patience = arguments.earlyStop
        options.staleness = try recording(arguments)
        options.recordingCost = arguments.measureCost ? .always : .whereCheap
        options.limitsEvaluation =
            arguments.evaluationsPerEpoch == nil && arguments.trainLoss == nil && arguments.targetLoss == nil
            && arguments.earlyStop == nil && options.gradientNorm == .never
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
}
