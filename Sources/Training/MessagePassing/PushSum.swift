// push-sum: stochastic gradient push on directed graphs (section 5.2; Assran et al. 2019). The thread of each rank runs it.

internal import Collectives
internal import Graphs
public import Messaging
public import Platform

/// Every worker keeps a sum u_n and its weight w_n, and trains at z_n = u_n / w_n (Assran et al. 2019, Algorithm 1):
/// u_n = u_n - gamma g_n(z_n), then u = P u and w = P w, from u_n = x_0 and w_n = 1.
///
/// P is column stochastic: worker j gives 1/(1 + d_j) of u_j and of w_j to each of the d_j who hear it in this round, and keeps as much. Nobody need hear
/// as many as hear it, so that it runs on any graph from each of whose workers there is a way to each other. Sums over workers of u and of w stay what
/// they are; where as many hear a worker as it hears, w is 1 and this is dsgd. The message is u with w behind it: 4 d + 4 bytes.
public struct PushSum: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "push-sum",
        summary: "workers pass on shares of weighted sums, so that who hears whom need not be so both ways",
        section: "Assran et al. 2019", settings: [GraphSettings.graphFacts],
        options: Set<AlgorithmOption>.steps.union([.clock]), evaluates: .mean)

    private let plan: RunPlan
    private let graph: any Graph
    public let lead: UInt64?

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        let (graph, diameter) = try GraphSettings.connectedGraph(&settings, for: run)
        self.graph = graph
        lead = UInt64(diameter)
        plan = run
    }

    public var exchange: ExchangeShape { GraphSettings.shape(of: graph, elements: plan.problem.parameterCount + 1) }

    /// The sum and what it becomes, each with its weight.
    public func memoryBytes(rank: Int) -> Int { 2 * Vector.byteCount(of: plan.problem.parameterCount + 1) }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let graph = graph
        func share(_ rank: Int, _ round: Int) -> Double { 1 / Double(1 + graph.targets(of: rank, round: round).count) }
        let neighbours = Neighbourhood(
            graph, rank: communicator.rank, own: { share(communicator.rank, $0) },
            weights: { round in graph.sources(of: communicator.rank, round: round).map { share($0, round) } })
        let d = worker.x.count
        let sum = try Vector(count: d + 1)
        let mixed = try Vector(count: d + 1)
        sum.copy(at: 0, from: worker.x)
        sum[d] = 1
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            // u + (z - gamma g) - z, where z = u / w: the step may have momentum and weight decay.
            let weight = sum[d]
            worker.descend(step.size)
            sum.scale(by: 1 - 1 / weight)
            sum[d] = weight
            sum.add(times: worker.x, at: 0)
            try neighbours.mix(sum, into: mixed, step: step.t, over: communicator)
            sum.copy(from: mixed)
            worker.x.copy(from: sum, at: 0)
            worker.x.scale(by: 1 / sum[d])
        }
    }
}
