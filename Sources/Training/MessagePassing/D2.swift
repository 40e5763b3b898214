// d2: decentralized training on decentralized data (Tang et al. 2018). The thread of each rank runs it.

internal import Collectives
internal import Graphs
public import Messaging
public import Platform

/// X_(t+1) = (2 X_t - X_(t-1) - gamma_t G_t + gamma_(t-1) G_(t-1)) W, the first step being that of dsgd (Tang et al. 2018b, Algorithm 1): what
/// workers' data differ by, varsigma, drops out of where it comes to.
///
/// W is symmetric and lambda_min(W) > -1/3, or modes of the differences between workers grow. The book's ring with even N just misses that: its
/// mode of alternating signs has lambda = -1/3 and radius 1 exactly, so that noise in it adds up. Where the standard weights do not have it d2
/// takes the lazy ones, (W + I)/2, and the exchange in tables and records is called so; weights that are asked for and do not have it are
/// refused.
public struct D2: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "d2", summary: "dsgd that subtracts its last step, and with it what workers' data differ by",
        section: "Tang et al. 2018b", settings: GraphSettings.facts,
        options: Set<AlgorithmOption>.steps.union([.clock]), evaluates: .mean)

    private let plan: RunPlan
    private let graph: GraphSettings

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        let place = settings.place
        let asked = try GraphSettings(&settings, for: run)
        try asked.requireSymmetric(for: Self.facts.name, at: place)
        plan = run
        let least = try asked.mixing.matrix().symmetricEigen(withVectors: false).values.min() ?? 1
        if least > Self.least {
            graph = asked
        } else if asked.mixing.rule == .standard {
            graph = try asked.with(.lazy, at: place)
        } else {
            throw InputError(
                at: place, found: "weights=\(asked.mixing.rule.rawValue), whose lambda_min is \(least)",
                expected: "weights with lambda_min above -1/3, such as lazy")
        }
    }

    /// -1/3, and what rounding does to an eigenvalue: the even ring is to be seen to miss it.
    private static let least = -1.0 / 3 + 1e-9

    public var lead: UInt64? { UInt64(graph.diameter) }
    public var exchange: ExchangeShape {
        var shape = graph.shape(elements: plan.problem.parameterCount)
        if graph.mixing.rule == .lazy { shape.name = shape.name.map { $0 + ", lazy weights" } }
        return shape
    }

    public func memoryBytes(rank: Int) -> Int { CorrectedGossip.memoryBytes(plan) }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let neighbours = Neighbourhood(graph.mixing, rank: communicator.rank)
        try CorrectedGossip.run(worker, over: communicator, neighbours)
    }
}
