// quasi-global-momentum: momentum of what all have moved by (Lin et al. 2021). The thread of each rank runs it.

internal import Collectives
internal import Graphs
public import Messaging
public import Platform

/// dsgd along g_n + beta v_n, where v_n follows what mixing has made of the steps, not the worker's own gradients (QG-DSGDm, Lin et al. 2021,
/// Algorithm 1): y_n = x_n - gamma (g_n(x_n) + beta v_n), x_n = sum_j W_nj y_j, v_n = mu v_n + (1 - mu) (x_n before - x_n after) / gamma, from v_n = 0.
///
/// Of heterogeneous data a velocity of one's own gradients would lead workers apart. Weight decay goes with the gradient.
public struct QuasiGlobalMomentum: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "quasi-global-momentum", summary: "dsgd with momentum of what the mixed models have moved by",
        section: "Lin et al. 2021",
        settings: GraphSettings.facts + [
            SettingFacts("beta", default: "0.9", "how much of the velocity a step takes, in (0, 1)"),
            SettingFacts("mu", default: nil, "how much of the velocity stays, in (0, 1); beta where it is left out"),
        ],
        options: Set<AlgorithmOption>.steps.subtracting([.momentum, .nesterov]).union([.clock]), evaluates: .mean)

    private let plan: RunPlan
    private let graph: GraphSettings
    private let beta: Double
    private let mu: Double

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        graph = try GraphSettings(&settings, for: run)
        beta = try settings.positiveNumber("beta", upTo: 1 - 0x1p-24) ?? 0.9
        mu = try settings.positiveNumber("mu", upTo: 1 - 0x1p-24) ?? beta
        plan = run
    }

    public var lead: UInt64? { UInt64(graph.diameter) }
    public var exchange: ExchangeShape { graph.shape(elements: plan.problem.parameterCount) }
    /// v, x before the step, and what is mixed.
    public func memoryBytes(rank: Int) -> Int { 3 * Vector.byteCount(of: plan.problem.parameterCount) }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let neighbours = Neighbourhood(graph.mixing, rank: communicator.rank)
        let d = worker.x.count
        let (velocity, before, mixed) = (try Vector(count: d), try Vector(count: d), try Vector(count: d))
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            before.copy(from: worker.x)
            worker.gradient.add(Float(beta), times: velocity)
            worker.descend(step.size)
            try neighbours.mix(worker.x, into: mixed, step: step.t, over: communicator)
            worker.x.copy(from: mixed)
            before.add(-1, times: mixed)
            velocity.scale(by: Float(mu))
            velocity.add(Float((1 - mu) / Double(step.size)), times: before)
        }
    }
}
