// gradient-tracking: every worker follows an estimate of the mean gradient (Pu and Nedic 2021). The thread of each rank runs it.

internal import Collectives
internal import Graphs
public import Messaging
public import Platform

/// X_(t+1) = (X_t - gamma Y_t) W with Y_t = Y_(t-1) W + G_t - G_(t-1) and Y_0 = G_0 (Pu, Nedic 2021, eq. 7): the mean of Y is that of G in every
/// step, and where workers agree each y_n is the gradient of all rows, whatever its own.
///
/// x_n - gamma y_n and y_n travel in one message of 8 d bytes. Gradients are clipped before they are tracked; momentum and weight decay go
/// with the step along y. W is any doubly stochastic one, on a graph that changes that of the round.
public struct GradientTracking: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "gradient-tracking",
        summary: "beside models neighbours mix estimates of the mean gradient, and step along these",
        section: "Pu, Nedic 2021", settings: GraphSettings.facts,
        options: Set<AlgorithmOption>.steps.union([.clock]), evaluates: .mean)

    private let plan: RunPlan
    private let graph: GraphSettings

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        graph = try GraphSettings(&settings, for: run)
        plan = run
    }

    public var lead: UInt64? { UInt64(graph.diameter) }
    public var exchange: ExchangeShape { graph.shape(elements: 2 * plan.problem.parameterCount) }

    /// What is sent and what it becomes, and the gradient before.
    public func memoryBytes(rank: Int) -> Int {
        let d = plan.problem.parameterCount
        return 2 * Vector.byteCount(of: 2 * d) + Vector.byteCount(of: d)
    }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let neighbours = Neighbourhood(graph.mixing, rank: communicator.rank)
        let d = worker.x.count
        let sent = try Vector(count: 2 * d)
        // x, and behind it sum_j W_nj y_j of the step before: 0 before the first.
        let mixed = try Vector(count: 2 * d)
        let last = try Vector(count: d)
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            // y = W y + g - the last g, in place of g, which becomes the last one.
            last.scale(by: -1)
            last.add(times: worker.gradient)
            last.add(1, times: mixed, from: d)
            sent.copy(at: d, from: last)
            last.copy(from: worker.gradient)
            worker.gradient.copy(from: sent, at: d)
            worker.descend(step.size)
            sent.copy(at: 0, from: worker.x)
            try neighbours.mix(sent, into: mixed, step: step.t, over: communicator)
            worker.x.copy(from: mixed, at: 0)
        }
    }
}
