// How the gradients of an algorithm travel compressed: what csgd, ec-sgd and sparse gradients share. Plain values; the coordinator.

public import Collectives
internal import Compression
internal import Messaging
public import Platform
internal import SwitchModel

/// A codec, and how averages of what it compresses are taken.
struct CompressedExchange: Sendable {
    let collective: CompressedCollective
    let codec: CodecConfiguration
    private let hasFeedback: Bool
    private let plan: RunPlan

    /// Loses nothing, and makes messages of sparse vectors shorter.
    private static let sparseCodec = "nonzeros"

    /// By the run's options, or else `codec` and the first of `collectives`.
    init(
        _ plan: RunPlan, codec standard: String, collectives: [CompressedCollective], insteadOfOthers: String = "",
        hasFeedback: Bool
    ) throws(InputError) {
        self.plan = plan
        self.hasFeedback = hasFeedback
        codec =
            if let codec = plan.options.exchange.codec { codec } else { try CodecConfiguration(parsing: standard) }
        collective = try plan.named(
            plan.options.exchange.collective, among: collectives, default: collectives[0], or: insteadOfOthers)
        // What the codec makes of the vector's length is refused before the run.
        if collective == .natural { _ = try average(rank: 0) }
    }

    /// Of sparse gradients without their zeros by a collective of that name; nil where they are not sparse, are to be sent whole, or the
    /// collective is none of compressed vectors.
    init?(ofSparse plan: RunPlan, _ collective: String) {
        guard plan.problem.hasSparseGradients, !plan.options.exchange.sendsZeros,
            let collective = CompressedCollective(rawValue: collective),
            let codec = try? CodecConfiguration(parsing: Self.sparseCodec)
        else { return nil }
        self.plan = plan
        self.collective = collective
        self.codec = codec
        hasFeedback = false
    }

    private func average(rank: Int) throws(InputError) -> CompressedAverage {
        try CompressedAverage(
            collective, codec: codec, hasFeedback: hasFeedback, elements: plan.problem.parameterCount, rank: rank,
            workers: plan.workers, seed: plan.options.seed, codecTime: plan.options.clock.codecTime)
    }

    func prepare(_ worker: RankWorker) throws(InputError) { worker.average = try average(rank: worker.rank) }

    /// One rank's share says what all take.
    func memoryBytes(rank: Int) -> Int { (try? average(rank: rank).memoryBytes) ?? .max / 4 }

    /// With `isPush` the way in alone, before `then`.
    func shape(isPush: Bool = false, then rest: [any RankPrograms] = []) -> ExchangeShape {
        var shape = ExchangeShape(name: collective.rawValue, pattern: collective.pattern ?? .ringAllReduce)
        shape.bytes = (try? average(rank: 0).largestEncodedBytes) ?? 4 * plan.problem.parameterCount
        shape.varies = true
        shape.codec = codec.description
        shape.programs = { worker, coding in
            guard let average = worker.average else { return rest }
            let programs = average.programs(
                isPush: isPush, codecSecondsPerMegabyte: coding.secondsPerMegabyte, factors: coding.factors)
            return [programs] + rest
        }
        return shape
    }

    func run(_ worker: RankWorker, over communicator: Communicator) throws {
        guard let average = worker.average else { preconditionFailure("rank \(worker.rank) was not prepared") }
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            try unsafe average.average(
                worker.gradient.floats, step: step.t, stepSize: Double(step.size), over: communicator)
            worker.descend(step.size)
        }
    }
}

extension RunPlan {
    /// The one of `choices` that `name` names, or where it names none the default.
    func named<Choice: RawRepresentable<String>>(
        _ name: String?, among choices: [Choice], default standard: Choice, or: String = ""
    ) throws(InputError) -> Choice {
        guard let name else { return standard }
        guard let choice = choices.first(where: { $0.rawValue == name }) else {
            let error = InputError(at: "--collective", unknown: name, expected: choices.map(\.rawValue))
            throw InputError(
                at: error.place, found: "\(error.found) for \(options.algorithm.name)", expected: error.expected + or)
        }
        return choice
    }

    /// The one of `choices` that `--collective` names; `standard` where it names none. Throws where it names another.
    public func collective(
        of choices: [AllReduceAlgorithm], default standard: AllReduceAlgorithm
    ) throws(InputError) -> AllReduceAlgorithm {
        try named(options.exchange.collective, among: choices, default: standard)
    }

    /// The collective that leaves the sum of all workers' vectors with all of them, as `--collective` names it.
    ///
    /// Where it names none it is the one in shared memory, and the ring on a clock of the model, which has none. Throws for a name that is none.
    public func allReduce() throws(InputError) -> AllReduceAlgorithm {
        let isModel = options.clock.kind.isModel
        let found = try collective(of: AllReduceAlgorithm.allCases, default: isModel ? .ring : .direct)
        if found == .direct && isModel {
            throw InputError(
                at: "--collective", found: "direct, which sends no messages, on a model clock",
                expected: "another collective, such as ring-allreduce")
        }
        return found
    }

    /// Who sends what where x or a gradient, d floats, goes through `collective`.
    public func shape(of collective: AllReduceAlgorithm) -> ExchangeShape {
        .plain(collective.rawValue, collective.pattern, elements: problem.parameterCount, workers: workers)
    }
}
