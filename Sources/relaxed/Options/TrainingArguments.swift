// The options of a training run, shared by the verbs that train.

import ArgumentParser
import Datasets
import Objectives
import Platform

/// How to train, apart from the algorithm and the number of workers.
struct TrainingArguments: ParsableArguments {
    @Option(help: .init("compact, scatter, physical-first, none, or CPUs such as 0-3,8.", valueName: "policy"))
    var placement = "physical-first"

    @Option(
        help: .init(
            """
            logistic (the default), hinge or squared for sparse rows; softmax or squared for dense ones, by default as the \
            labels are.
            """, valueName: "loss"))
    var objective: String?

    @Option(parsing: .unconditional, help: .init("Weight of the penalty (l2 / 2) norm(w)^2.", valueName: "weight"))
    var l2 = 0.0

    @Flag(inversion: .prefixedNo, help: "Learn an intercept, which is not penalised (the default).")
    var intercept: Bool?

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
            start and for the model that is kept), end (for that alone) or never. A pass over all training rows takes about a third \
            of the time of an epoch: by default what evaluation may cost decides. AUC, a sort of all scores, comes at the ends, or \
            with every.
            """, valueName: "times"))
    var trainLoss: String?

    @Option(
        help: .init(
            "When the squared norm of the gradient over all training rows is computed: every, ends or never. It takes about an epoch.",
            valueName: "times"))
    var gradientNorm = "never"

    @Option(
        parsing: .unconditional, help: .init("Seed of every random choice (default 1).", valueName: "number"))
    var seed: UInt64?

    @Option(
        parsing: .unconditional,
        help: .init(
            """
            Evaluations per epoch, on the held-out rows, or where there are none on the training rows; 0: at the ends of the \
            run alone. Default: at most 1, and as many as take less than about a fifth of the training; without held-out rows, in \
            runs of less than 5 epochs, on a sample of the training rows.
            """, valueName: "count"))
    var evaluationsPerEpoch: Int?

    @Option(parsing: .unconditional, help: .init("Stop when the loss is at most this.", valueName: "loss"))
    var targetLoss: Double?

    @Option(
        parsing: .unconditional,
        help: .init(
            "Stop at the first step after so long a time of training; evaluation does not count.", valueName: "time"))
    var maxSeconds: TimeArgument?

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

    /// The seed of a run alone, or the first of several.
    var firstSeed: UInt64 { seed ?? 1 }

    /// What linear models on sparse rows minimise; what is not given is as in `model`.
    func linearObjective(like model: LinearModel? = nil) throws(InputError) -> LinearObjective {
        let loss: LossKind = try choice(
            named: objective ?? (model?.loss ?? .logistic).rawValue, at: "--objective", of: "for sparse rows ")
        return LinearObjective(loss: loss, l2: l2, intercept: intercept ?? model.map { $0.intercept != nil } ?? true)
    }

    /// What models on dense rows minimise; nil for what suits the labels.
    func outputLoss() throws(InputError) -> OutputLoss? {
        if intercept == false {
            throw InputError(at: "--no-intercept", found: "dense rows", expected: "sparse ones")
        }
        return try objective.map { text throws(InputError) in
            try choice(named: text, at: "--objective", of: "for dense rows ")
        }
    }

    /// The placement of `workers` workers, by default one per usable core, on this machine.
    func place(workers: Int?) throws(InputError) -> (placement: Placement, notices: [String]) {
        let policy = try PlacementPolicy(parsing: placement)
        let topology = try Topology.ofThisMachine()
        let placement = try Placement(policy, workers: workers, on: topology)
        return (placement, topology.notices + placement.notices)
    }
}
