// relay-sum: RelaySGD on a tree (Vogels et al. 2021). The thread of each rank runs it.

internal import Collectives
internal import Graphs
public import Messaging
public import Platform

/// Along the links of a tree every worker relays what it has heard, so that each model reaches each worker once, as late as the way is long
/// (Vogels et al. 2021, Algorithm 1): with y_n = x_n - gamma g_n(x_n) and the neighbours N_n,
///
/// m_(n->j) = y_n + sum of m_(k->n) of the step before over k in N_n but j, and x_n = (y_n + sum over j in N_n of m_(j->n)) / c_n,
///
/// where c_n is how many models are in that sum: a count travels with each message, c_n is N once the farthest has been heard. All weigh the same
/// however far they are, and so workers whose data differ agree on what they would with gradient aggregation.
///
/// The tree is that of the shortest ways from rank 0 on the graph, of which the other links are not used: on the ring a path with rank 0 in its middle.
public struct RelaySum: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "relay-sum",
        summary: "models are relayed along a tree, so that all weigh the same, later ones with a delay",
        section: "Vogels et al. 2021", settings: [GraphSettings.graphFacts],
        options: Set<AlgorithmOption>.steps.union([.clock]), evaluates: .mean)

    private let plan: RunPlan
    private let tree: SpanningTree

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        let place = settings.place
        let (graph, _) = try GraphSettings.connectedGraph(&settings, for: run)
        guard !graph.isDirected, graph.period == 1, let tree = SpanningTree(of: graph) else {
            throw InputError(
                at: place, found: "\(graph.name) of \(run.workers) workers",
                expected: "a graph that stays the same and whose edges go both ways, for its tree")
        }
        self.tree = tree
        plan = run
    }

    public var lead: UInt64? { UInt64(max(1, tree.diameter)) }

    public var exchange: ExchangeShape {
        tree.shape("relay", elements: plan.problem.parameterCount + 1)
    }

    /// A message to and one from each neighbour, with their counts.
    public func memoryBytes(rank: Int) -> Int {
        let d = plan.problem.parameterCount
        // The run asks for ranks 0 and 1 and takes all but the first to be as the second: their mean.
        let neighbours =
            rank == 0
            ? Double(tree.neighbours[0].count)
            : Double(2 * (plan.workers - 1) - tree.neighbours[0].count) / Double(max(1, plan.workers - 1))
        return Int(2 * neighbours * Double(Vector.byteCount(of: d + 1)))
    }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let neighbours = tree.neighbours[communicator.rank]
        let round = NeighbourRound(
            targets: neighbours, sources: neighbours, receivingOrder: Array(neighbours.indices))
        let d = worker.x.count
        // m_(n->j), and m_(j->n) of the step before, each with its count; there is none before the first.
        let outgoing = try neighbours.map { _ in try Vector(count: d + 1) }
        let incoming = try neighbours.map { _ in try Vector(count: d + 1) }
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            worker.descend(step.size)
            for (to, message) in outgoing.enumerated() {
                message.copy(at: 0, from: worker.x)
                message[d] = 1
                for (from, heard) in incoming.enumerated() where from != to { message.add(times: heard) }
            }
            try communicator.exchange(outgoing, count: d + 1, in: round) { place, theirs in
                incoming[place].fill(with: 0)
                incoming[place].add(times: theirs)
            }
            var count: Float = 1
            for heard in incoming {
                worker.x.add(1, times: heard, from: 0)
                count += heard[d]
            }
            worker.x.scale(by: 1 / count)
        }
    }
}
