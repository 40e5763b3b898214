// dsgd: decentralized SGD (section 5.1). The thread of each rank runs it.

public import Messaging
public import Platform

/// Every worker steps alone and mixes its model with its neighbours': X_(t+1) = (X_t - gamma G(X_t)) W (equation 5.2).
///
/// With `order=mix-step` it steps from the mix, along the gradient at its own model: X_(t+1) = X_t W - gamma G(X_t) (Lian et al.
/// 2017). On the ring every worker sends its model to its right and to its left neighbour, and W has
/// 1/3 for itself and for each of them. With N = 2 both are the same one, which counts twice, as the book's "mod N" has it. A step on the ring
/// costs 2 t_latency + 2 t_transfer, with k neighbours k times as much as with one.
public struct DSGD: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "dsgd", summary: "every worker steps alone, then takes the mean of its own and its neighbours' models",
        section: "5.1, eq. 5.2",
        settings: GraphSettings.facts + [
            SettingFacts("order", default: "step-mix", "or `mix-step`: first the mean, then the step")
        ],
        options: Set<AlgorithmOption>.steps.union([.clock]), evaluates: .mean)

    private enum Order: String, CaseIterable {
        case stepMix = "step-mix"
        case mixStep = "mix-step"
    }

    private let plan: RunPlan
    private let graph: GraphSettings
    private let order: Order

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        graph = try GraphSettings(&settings, for: run)
        order = try settings.choice("order")
        plan = run
    }

    /// A rank knows of another's end once as many steps have passed as lie between them.
    public var lead: UInt64? { UInt64(graph.diameter) }
    public var exchange: ExchangeShape { graph.shape(elements: plan.problem.parameterCount) }
    public func memoryBytes(rank: Int) -> Int { PageBuffer<Float>.byteCount(of: plan.problem.parameterCount) }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let neighbours = Neighbourhood(graph.mixing, rank: communicator.rank)
        let mixed = try Vector(count: worker.x.count)
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            if order == .stepMix { worker.descend(step.size) }
            try neighbours.mix(worker.x, into: mixed, step: step.t, over: communicator)
            worker.x.copy(from: mixed)
            if order == .mixStep { worker.descend(step.size) }
        }
    }
}
