// The options of a training run, shared by the verbs that train.

import ArgumentParser
import Datasets
import Objectives
import Platform
import Training

/// How to train, apart from the algorithm and the number of workers.
struct TrainingArguments: ParsableArguments {
    @Option(
        help: .init(
            """
            logistic (the default), hinge or squared for sparse rows; softmax or squared for dense ones, by default as the \
            labels are.
            """, valueName: "loss"))
    var objective: String?

    @Option(parsing: .unconditional, help: .init("Weight of the penalty (l2 / 2) norm(w)^2.", valueName: "weight"))
    var l2 = 0.0

    @Flag(inversion: .prefixedNo, help: "Learn an intercept, which is not penalised.")
    var intercept = true

    @Option(help: .init("compact, scatter, physical-first, none, or CPUs such as 0-3,8.", valueName: "policy"))
    var placement = "physical-first"

    @Option(parsing: .unconditional, help: .init("Passes over the training rows.", valueName: "count"))
    var epochs = 5

    @Option(
        parsing: .unconditional,
        help: .init(
            "Rows per update: of each worker where they are synchronous (default 64), of asgd and hogwild (default 1).",
            valueName: "rows"))
    var batchSize: Int?

    @Option(
        help: """
            shuffled (the default of data-parallel algorithms), blocks (of 64 rows; the default of the others), \
            with-replacement or sequential.
            """)
    var order: String?

    @Option(
        parsing: .unconditional,
        help: .init(
            """
            A number or auto (1 / (4 mean squared norm of a row); for gd and data-parallel algorithms 1/L, with hidden \
            layers 0.1), alone or followed by *D^epoch, /t, /(1+Kt), /sqrt(t) or /sqrt(1+Kt), where t counts updates. \
            Default: auto*0.3^epoch, for gd and data-parallel algorithms auto.
            """, valueName: "schedule"))
    var stepSize: String?

    @Option(
        help: .init(
            """
            When the loss on the training rows is computed beside that of held-out rows: every (at every evaluation), ends (at the \
            start and for the model that is kept) or never. A pass over all training rows takes about a third of the time of an \
            epoch. AUC, a sort of all scores, comes at the ends, or with every.
            """, valueName: "times"))
    var trainLoss = EvaluationTimes.ends.rawValue

    @Option(
        help: .init(
            "When the squared norm of the gradient over all training rows is computed: every, ends or never. It takes about an epoch.",
            valueName: "times"))
    var gradientNorm = EvaluationTimes.never.rawValue

    @Option(parsing: .unconditional, help: "Seed of every random choice.")
    var seed: UInt64 = 1

    @Option(
        parsing: .unconditional,
        help: .init(
            """
            Evaluations per epoch, on the held-out rows, or where there are none on the training rows; 0: at the ends of the \
            run alone. Default: 1; on dense rows without held-out ones every third epoch and the ends, below 6 epochs the ends.
            """, valueName: "count"))
    var evaluationsPerEpoch: Int?

    @Option(parsing: .unconditional, help: .init("Stop when the loss is at most this.", valueName: "loss"))
    var targetLoss: Double?

    @Option(
        parsing: .unconditional,
        help: .init("Stop after so many seconds of training; evaluation does not count.", valueName: "seconds"))
    var maxSeconds: Double?

    @Option(
        parsing: .unconditional,
        help: .init(
            "Stop after so many evaluations without a better held-out loss, and keep the best model.",
            valueName: "count"))
    var earlyStop: Int?

    @Option(help: "sampled, exact (every update; hogwild's then take longer) or off.")
    var staleness = "sampled"

    @Option(
        parsing: .unconditional,
        help: .init("With sampled: look at one hogwild update in about so many.", valueName: "updates"))
    var stalenessEvery: Int?

    @Flag(
        help: """
            Measure what recording staleness costs, for up to 4 seconds after the run; else that is done after long runs, within \
            a twentieth of their time.
            """)
    var measureCost = false

    /// What linear models on sparse rows minimise.
    func linearObjective() throws(InputError) -> LinearObjective {
        guard let loss = LossKind(rawValue: objective ?? LossKind.logistic.rawValue) else {
            throw InputError(
                at: "--objective", found: "\"\(objective ?? "")\"",
                expected: names(of: LossKind.self) + " for sparse rows")
        }
        return LinearObjective(loss: loss, l2: l2, intercept: intercept)
    }

    /// What models on dense rows minimise; nil for what suits the labels.
    func outputLoss() throws(InputError) -> OutputLoss? {
        if !intercept {
            throw InputError(at: "--no-intercept", found: "dense rows", expected: "sparse ones")
        }
        guard let objective else { return nil }
        guard let loss = OutputLoss(rawValue: objective) else {
            throw InputError(
                at: "--objective", found: "\"\(objective)\"", expected: names(of: OutputLoss.self) + " for dense rows")
        }
        return loss
    }

    /// The options of a run of `algorithm`, in which the objective is still to be set; throws what cannot be meant.
    ///
    /// `isDataParallel` says whether it runs as the algorithms of chapters 2 and 3 do, `isDense` whether the rows are dense.
    func options(
        for algorithm: Algorithm, hasHeldOutRows: Bool, isDataParallel: Bool = false, isDense: Bool = false
    ) throws(InputError) -> TrainingOptions {
        func require(_ condition: Bool, _ option: String, _ found: some CustomStringConvertible, _ expected: String)
            throws(InputError)
        {
            if !condition { throw InputError(at: option, found: "\(found)", expected: expected) }
        }
        let orderName = order ?? (isDataParallel ? RowOrder.shuffled : .blocks).rawValue
        guard let order = RowOrder(rawValue: orderName) else {
            throw InputError(at: "--order", found: "\"\(orderName)\"", expected: names(of: RowOrder.self))
        }
        try require(earlyStop == nil || hasHeldOutRows, "--early-stop", "no held-out rows", "--test with them")

        var options = TrainingOptions()
        options.algorithm = algorithm
        options.objective.l2 = l2
        options.epochs = epochs
        options.batchSize = batchSize ?? (algorithm.isSynchronous ? 64 : 1)
        options.order = order
        options.stepSize = try StepSize(
            parsing: stepSize ?? (algorithm == .gd || isDataParallel ? "auto" : "auto*0.3^epoch"))
        options.seed = seed
        options.evaluationsPerEpoch = evaluationsPerEpoch ?? 1
        for (option, name, times) in [
            ("--train-loss", trainLoss, \TrainingOptions.trainLoss), ("--gradient-norm", gradientNorm, \.gradientNorm),
        ] {
            guard let value = EvaluationTimes(rawValue: name) else {
                throw InputError(at: option, found: "\"\(name)\"", expected: names(of: EvaluationTimes.self))
            }
            options[keyPath: times] = value
        }
        options.targetLoss = targetLoss
        options.maxSeconds = maxSeconds
        options.patience = earlyStop
        // A pass of a network over all training rows takes up to a third of an epoch: together they stay below a fifth of the training.
        let isAsked = evaluationsPerEpoch != nil || targetLoss != nil || options.trainLoss == .every
        if isDense && !hasHeldOutRows && !isAsked && options.gradientNorm != .every {
            options.epochsPerEvaluation = epochs < 6 ? max(1, epochs) : 3
        }
        switch staleness {
        case "sampled": options.staleness = .sampled(every: stalenessEvery)
        case "exact": options.staleness = .exact
        case "off": options.staleness = .off
        default: throw InputError(at: "--staleness", found: "\"\(staleness)\"", expected: "sampled, exact or off")
        }
        options.recordingCost = measureCost ? .always : .whereCheap
        if measureCost && staleness == "off" {
            throw InputError(at: "--measure-cost", found: "it beside --staleness off", expected: "sampled or exact")
        }
        if stalenessEvery != nil && staleness != "sampled" {
            throw InputError(at: "--staleness-every", found: "it beside --staleness \(staleness)", expected: "sampled")
        }
        try options.check()
        return options
    }

    /// The placement of `workers` workers, by default one per usable core, on this machine.
    func place(workers: Int?) throws(InputError) -> (placement: Placement, notices: [String]) {
        let policy = try PlacementPolicy(parsing: placement)
        let topology = try Topology.ofThisMachine()
        let placement = try Placement(policy, workers: workers, on: topology)
        return (placement, topology.notices + placement.notices)
    }
}

/// The algorithms named in a list between commas.
func algorithms(named text: String) throws(InputError) -> [Algorithm] {
    var found: [Algorithm] = []
    for name in text.split(separator: ",", omittingEmptySubsequences: false) {
        guard let algorithm = Algorithm(rawValue: String(name)) else {
            throw InputError(at: "--algorithm", unknown: name, expected: Algorithm.allCases.map(\.rawValue))
        }
        found.append(algorithm)
    }
    return found
}

/// `a, b or c`: the names of all cases, or of those that a condition holds for.
func names<Kind: CaseIterable & RawRepresentable>(of kind: Kind.Type, where isMeant: (Kind) -> Bool = { _ in true })
    -> String where Kind.RawValue == String
{
    let names = kind.allCases.filter(isMeant).map(\.rawValue)
    return names.count < 2
        ? names.joined() : names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1]
}
