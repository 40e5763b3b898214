// exact-diffusion: adapt, correct, combine (Yuan et al. 2019). The thread of each rank runs it.

internal import Collectives
internal import Graphs
public import Messaging
public import Platform

/// psi_(t+1) = x_t - gamma g(x_t); phi_(t+1) = psi_(t+1) + x_t - psi_t; x_(t+1) = A' phi_(t+1) with A' = (W + I)/2 and psi_0 = x_0 (Yuan et al. 2019,
/// Algorithm 1).
///
/// The correction in the middle takes away what diffusion, which is dsgd, is biased by where workers' data differ. No eigenvalue of A' is negative,
/// so that any symmetric W will do.
public struct ExactDiffusion: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "exact-diffusion", summary: "a step, its correction by the one before, and the mean with lazy weights",
        section: "Yuan et al. 2019", settings: GraphSettings.facts,
        options: Set<AlgorithmOption>.steps.union([.clock]), evaluates: .mean)

    private let plan: RunPlan
    private let graph: GraphSettings

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        let place = settings.place
        graph = try GraphSettings(&settings, for: run)
        try graph.requireSymmetric(for: Self.facts.name, at: place)
        plan = run
    }

    public var lead: UInt64? { UInt64(graph.diameter) }
    public var exchange: ExchangeShape { graph.shape(elements: plan.problem.parameterCount) }
    public func memoryBytes(rank: Int) -> Int { CorrectedGossip.memoryBytes(plan) }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let (mixing, rank) = (graph.mixing, communicator.rank)
        let neighbours = Neighbourhood(
            mixing.graph, rank: rank, own: { (mixing.own(rank, round: $0) + 1) / 2 },
            weights: { mixing.incoming(of: rank, round: $0).map { $0 / 2 } })
        try CorrectedGossip.run(worker, over: communicator, neighbours)
    }
}
