// The options of a training run, shared by the verbs that train.

import ArgumentParser
import Datasets
import Objectives
import Platform
import Training

/// How to train, apart from the algorithm and the number of workers.
struct TrainingArguments: ParsableArguments {
    @Option(help: "logistic, hinge or squared.")
    var objective = "logistic"

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
        help: .init("Rows per update of minibatch-sgd (default 64), asgd and hogwild (default 1).", valueName: "rows"))
    var batchSize: Int?

    @Option(help: "shuffled, blocks (of 64 rows), with-replacement or sequential.")
    var order = "blocks"

    @Option(
        parsing: .unconditional,
        help: .init(
            """
            A number or auto (1 / (4 mean squared norm of a row); for gd 1/L), alone or followed by *D^epoch, /t, \
            /(1+Kt), /sqrt(t) or /sqrt(1+Kt), where t counts updates. Default: auto*0.3^epoch, for gd auto.
            """, valueName: "schedule"))
    var stepSize: String?

    @Option(parsing: .unconditional, help: "Seed of every random choice.")
    var seed: UInt64 = 1

    @Option(parsing: .unconditional, help: .init("Evaluations per epoch.", valueName: "count"))
    var evaluationsPerEpoch = 1

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

    @Option(help: "sampled, exact (every update; hogwild's then share a counter) or off.")
    var staleness = "sampled"

    @Option(
        parsing: .unconditional,
        help: .init("With sampled: look at one hogwild update in so many.", valueName: "updates"))
    var stalenessEvery: Int?

    /// The options of a run of `algorithm`; throws what cannot be meant.
    func options(for algorithm: Algorithm, hasHeldOutRows: Bool) throws(InputError) -> TrainingOptions {
        func require(_ condition: Bool, _ option: String, _ found: some CustomStringConvertible, _ expected: String)
            throws(InputError)
        {
            if !condition { throw InputError(at: option, found: "\(found)", expected: expected) }
        }
        guard let loss = LossKind(rawValue: objective) else {
            throw InputError(at: "--objective", found: "\"\(objective)\"", expected: names(of: LossKind.self))
        }
        guard let order = RowOrder(rawValue: order) else {
            throw InputError(at: "--order", found: "\"\(order)\"", expected: names(of: RowOrder.self))
        }
        try require(l2 >= 0 && l2.isFinite, "--l2", l2, "a number that is not negative")
        try require(epochs >= 1, "--epochs", epochs, "at least 1")
        try require((batchSize ?? 1) >= 1, "--batch-size", batchSize ?? 1, "at least 1")
        try require(
            (1...1_000_000).contains(evaluationsPerEpoch), "--evaluations-per-epoch", evaluationsPerEpoch,
            "1 to 1000000")
        try require(targetLoss?.isFinite ?? true, "--target-loss", targetLoss ?? 0, "a number")
        try require(
            (maxSeconds ?? 1) > 0 && (maxSeconds ?? 1) <= 1e9, "--max-seconds", maxSeconds ?? 1,
            "a positive number, at most 1e9")
        try require((earlyStop ?? 1) >= 1, "--early-stop", earlyStop ?? 1, "at least 1")
        try require(earlyStop == nil || hasHeldOutRows, "--early-stop", "no held-out rows", "--test with them")
        try require(
            (1...1_000_000_000).contains(stalenessEvery ?? 1), "--staleness-every", stalenessEvery ?? 1,
            "1 to 1000000000")

        var options = TrainingOptions()
        options.algorithm = algorithm
        options.objective = LinearObjective(loss: loss, l2: l2, intercept: intercept)
        options.epochs = epochs
        options.batchSize = batchSize ?? (algorithm == .minibatchSGD ? 64 : 1)
        options.order = order
        options.stepSize = try StepSize(parsing: stepSize ?? (algorithm == .gd ? "auto" : "auto*0.3^epoch"))
        options.seed = seed
        options.evaluationsPerEpoch = evaluationsPerEpoch
        options.targetLoss = targetLoss
        options.maxSeconds = maxSeconds
        options.patience = earlyStop
        switch staleness {
        case "sampled": options.staleness = .sampled(every: stalenessEvery)
        case "exact": options.staleness = .exact
        case "off": options.staleness = .off
        default: throw InputError(at: "--staleness", found: "\"\(staleness)\"", expected: "sampled, exact or off")
        }
        if stalenessEvery != nil && staleness != "sampled" {
            throw InputError(at: "--staleness-every", found: "it beside --staleness \(staleness)", expected: "sampled")
        }
        return options
    }

    /// The placement of `workers` workers, by default one per usable core, on this machine.
    func place(workers: Int?) throws(InputError) -> (placement: Placement, notices: [String]) {
        let policy = try PlacementPolicy(parsing: placement)
        let topology = try Topology.ofThisMachine()
        let placement = try Placement(
            policy, workers: workers ?? policy.defaultWorkerCount(on: topology), on: topology)
        return (placement, topology.notices + placement.notices)
    }
}

/// The algorithms named in a list between commas.
func algorithms(named text: String) throws(InputError) -> [Algorithm] {
    var found: [Algorithm] = []
    for name in text.split(separator: ",", omittingEmptySubsequences: false) {
        guard let algorithm = Algorithm(rawValue: String(name)) else {
            throw InputError(at: "--algorithm", found: "\"\(name)\"", expected: names(of: Algorithm.self))
        }
        found.append(algorithm)
    }
    return found
}

/// `a, b or c`: the names of all cases.
func names<Kind: CaseIterable & RawRepresentable>(of kind: Kind.Type) -> String where Kind.RawValue == String {
    let names = kind.allCases.map(\.rawValue)
    return names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1]
}
