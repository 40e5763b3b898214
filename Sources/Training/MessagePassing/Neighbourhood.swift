// Who a worker's neighbours are, and what they weigh: what all algorithms on a graph have in common. Plain values; any thread.

internal import Collectives
public import Graphs
public import Messaging
public import Platform
public import SwitchModel

/// The settings `topology` and `weights` of an algorithm on a graph, and what follows from them.
public struct GraphSettings: Sendable {
    /// The graph, which algorithms take that make the weights themselves.
    public static let graphFacts = SettingFacts(
        "topology", default: "ring", "who are neighbours: a graph of `relaxed topology`, such as `torus:rows=4`")

    public static let facts = [
        graphFacts,
        SettingFacts(
            "weights", default: "standard",
            "of neighbours: `uniform`, `metropolis`, `lazy` or `fastest`; or the graph's own, else uniform where degrees are equal, else metropolis"
        ),
        SettingFacts("anyway", default: "no", "`yes` trains where rho is 1, too: models then stay apart"),
    ]

    public let mixing: Mixing
    /// Steps until what one rank knows has come to all.
    public let diameter: Int

    private enum Answer: String, CaseIterable { case no, yes }

    /// Takes the settings; `rule` is what `weights` is where nothing is said. Throws where not all workers are connected, unless that is asked for.
    public init(
        _ settings: inout NamedSettings, for run: RunPlan, weights rule: MixingRule = .standard
    ) throws(InputError) {
        let place = settings.place
        let (graph, choice) = try Self.graph(&settings, for: run)
        let weights = try settings.choice("weights", MixingRule.self, default: rule)
        mixing = try Mixing(graph, weights, at: place)
        let isAsked = try settings.choice("anyway", Answer.self) == .yes
        guard let diameter = graph.diameter, mixing.isConnected || isAsked else {
            throw InputError(
                at: place, found: "\(choice.description) of \(run.workers) workers, which are not all connected",
                expected: "a graph whose rho is below 1: else models never agree"
                    + (graph.diameter == nil ? "" : " (anyway=yes trains all the same)"))
        }
        self.diameter = max(1, diameter)
    }

    private init(_ mixing: Mixing, diameter: Int) {
        self.mixing = mixing
        self.diameter = diameter
    }

    /// The graph that the setting `topology` names, for N workers.
    static func graph(
        _ settings: inout NamedSettings, for run: RunPlan
    ) throws(InputError) -> (graph: any Graph, choice: GraphChoice) {
        let choice = try GraphChoice(parsing: settings.take("topology") ?? "ring", at: settings.place)
        return (try choice.make(workers: run.workers, seed: run.options.seed, at: settings.place), choice)
    }

    /// The same for algorithms that make the weights themselves, with its diameter, at least 1; throws where not all workers are connected.
    static func connectedGraph(
        _ settings: inout NamedSettings, for run: RunPlan
    ) throws(InputError) -> (graph: any Graph, diameter: Int) {
        let (graph, choice) = try Self.graph(&settings, for: run)
        guard !graph.isDisconnectedOnPurpose, let diameter = graph.diameter else {
            throw InputError(
                at: settings.place,
                found: "\(choice.description) of \(run.workers) workers, which are not all connected",
                expected: "a graph with a way from each worker to each other: else models never agree")
        }
        return (graph, max(1, diameter))
    }

    /// The same graph with weights by another rule.
    func with(_ rule: MixingRule, at place: String) throws(InputError) -> GraphSettings {
        GraphSettings(try Mixing(mixing.graph, rule, at: place), diameter: diameter)
    }

    /// Throws where W is not the same in every round, or not symmetric.
    func requireSymmetric(for algorithm: String, at place: String) throws(InputError) {
        guard mixing.period == 1, !mixing.graph.isDirected, mixing.isSymmetric else {
            throw InputError(
                at: place, found: "\(algorithm) on \(mixing.graph.name)",
                expected: "a graph that stays the same, with the same weights both ways")
        }
    }

    public var graph: any Graph { mixing.graph }

    /// A round in which all send `elements` floats to their targets.
    public func shape(elements: Int) -> ExchangeShape { Self.shape(of: graph, elements: elements) }

    static func shape(of graph: any Graph, elements: Int) -> ExchangeShape {
        let (ranks, bytes) = (0..<graph.workers, 4 * elements)
        if graph is Ring {
            return .plain("ring-exchange", .ringExchange, elements: elements, workers: graph.workers)
        }
        var shape = ExchangeShape(name: "\(graph.name)-exchange", bytes: bytes)
        var pairs: Set<[Int]> = []
        for round in 0..<graph.period {
            for rank in ranks {
                for target in graph.targets(of: rank, round: round) { pairs.insert([rank, target]) }
            }
        }
        shape.pairs = pairs.count
        guard graph.period == 1 else { return shape }
        shape.programs = { _, _ in
            [NeighbourPrograms(graph, round: 0, megabytes: Double(bytes) / 1e6)]
        }
        return shape
    }
}

extension NeighbourPrograms {
    /// One round of a graph.
    public init(_ graph: any Graph, round: Int, megabytes: Double) {
        let ranks = 0..<graph.workers
        self.init(
            targets: ranks.map { graph.targets(of: $0, round: round) },
            sources: ranks.map { rank in
                let sources = graph.sources(of: rank, round: round)
                return graph.receivingOrder(of: rank, round: round).map { sources[$0] }
            }, megabytes: megabytes)
    }
}

/// One worker's neighbours, round by round.
public struct Neighbourhood: Sendable {
    private struct Round: Sendable {
        let peers: NeighbourRound
        let own: Float
        let weights: [Float]
    }

    private let rounds: [Round]

    public init(_ mixing: Mixing, rank: Int) {
        self.init(
            mixing.graph, rank: rank, own: { mixing.own(rank, round: $0) },
            weights: { mixing.incoming(of: rank, round: $0) })
    }

    /// With weights of an algorithm's own: what in each round a rank keeps of its own, and what it takes of each of `graph.sources`.
    init(_ graph: any Graph, rank: Int, own: (_ round: Int) -> Double, weights: (_ round: Int) -> [Double]) {
        rounds = (0..<graph.period).map { round in
            Round(
                peers: NeighbourRound(
                    targets: graph.targets(of: rank, round: round), sources: graph.sources(of: rank, round: round),
                    receivingOrder: graph.receivingOrder(of: rank, round: round)),
                own: Float(own(round)), weights: weights(round).map { Float($0) })
        }
    }

    /// Sends x to the targets of step `t` and returns in `mixed` what x is to be: sum_j W_nj x_j.
    public func mix(
        _ x: Vector, into mixed: Vector, step t: UInt64, over communicator: Communicator
    ) throws(FabricError) {
        let round = rounds[Int(t % UInt64(rounds.count))]
        mixed.fill(with: 0)
        mixed.add(round.own, times: x)
        try communicator.exchange(x, in: round.peers) { place, theirs in mixed.add(round.weights[place], times: theirs)
        }
    }
}
