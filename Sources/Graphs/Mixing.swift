// Which weights the edges of a graph have: the mixing matrix W of section 5.1, row by row. Plain values; any thread.

public import Platform

/// How weights follow from edges.
public enum MixingRule: String, CaseIterable, Sendable {
    /// Those that the graph comes with; else uniform where all ranks have equally many neighbours, Metropolis-Hastings elsewhere.
    case standard
    /// 1/(degree + 1) for each neighbour and oneself: the book's 1/3 on the ring. Doubly stochastic where all degrees are the same.
    case uniform
    /// Metropolis-Hastings: 1/(1 + max(degree, degree of the neighbour)) for each neighbour, the rest for oneself (Xiao and Boyd 2004).
    case metropolis
    /// (W + I)/2 of the standard weights: no eigenvalue is negative.
    case lazy
    /// The symmetric weights that are not negative with the smallest rho (Boyd et al. 2004), found by subgradients, for small N.
    case fastest
}

/// A graph with weights: x_i becomes sum_j A_ij x_j, with A_ij > 0 where i receives from j and A_ii the rest of 1.
///
/// Where A is doubly stochastic, which `init` sees to but for weights of one's own, the mean over all ranks stays what it is. The book has
/// X W with one column a rank: W is the transpose of A.
public struct Mixing: Sendable {
    public let graph: any Graph
    public let rule: MixingRule
    /// By round and rank what it takes of each of its sources.
    private let weights: [[[Double]]]

    /// The largest N for `fastest`: each of its steps takes the eigenvalues.
    public static let mostForFastest = 64

    /// Throws where the rule does not suit the graph.
    public init(
        _ graph: any Graph, _ rule: MixingRule = .standard, at place: String = "--weights"
    ) throws(InputError) {
        self.graph = graph
        self.rule = rule
        func refusal(_ expected: String) -> InputError {
            InputError(
                at: place, found: "\(rule.rawValue) for \(graph.name) of \(graph.workers) workers", expected: expected)
        }
        let ranks = 0..<graph.workers
        var made: [[[Double]]] = []
        for round in 0..<graph.period {
            let own = ranks.map { graph.weights(of: $0, round: round) }
            let degrees = ranks.map { graph.targets(of: $0, round: round).count }
            let isRegular =
                degrees.allSatisfy { $0 == degrees[0] }
                && ranks.allSatisfy { graph.sources(of: $0, round: round).count == degrees[0] }
            if graph.isDirected, own[0] == nil, !isRegular {
                throw refusal(
                    "as many edges from each rank as to it, all ranks alike: else the mean would move (or push-sum)")
            }
            func uniform() -> [[Double]] {
                ranks.map { rank in
                    graph.sources(of: rank, round: round).map { _ in 1 / Double(1 + degrees[rank]) }
                }
            }
            func metropolis() -> [[Double]] {
                ranks.map { rank in
                    graph.sources(of: rank, round: round).map { 1 / Double(1 + max(degrees[rank], degrees[$0])) }
                }
            }
            func standard() -> [[Double]] {
                if own[0] != nil { return own.map { $0 ?? [] } }
                return isRegular ? uniform() : metropolis()
            }
            switch rule {
            case .standard: made.append(standard())
            case .uniform:
                guard isRegular else {
                    throw refusal("metropolis, since degrees differ, and the mean would move")
                }
                made.append(uniform())
            case .metropolis:
                if graph.isDirected { throw refusal("standard or lazy: its edges go one way") }
                made.append(metropolis())
            case .lazy: made.append(standard().map { $0.map { $0 / 2 } })
            case .fastest:
                guard !graph.isDirected, graph.period == 1, graph.workers <= Self.mostForFastest else {
                    throw refusal(
                        "a graph that stays the same, whose edges go both ways, of at most \(Self.mostForFastest) workers"
                    )
                }
                made.append(try FastestMixing.weights(graph))
            }
        }
        weights = made
    }

    /// Whether what any rank has comes to all others, with a weight above 0.
    public var isConnected: Bool {
        let ranks = 0..<workers
        // Backwards, too: along edges that go one way all may hear of one, and he of none.
        return [false, true].allSatisfy { backwards in
            var edges = [Set<Int>](repeating: [], count: workers)
            for round in 0..<period {
                for rank in ranks {
                    for (source, weight) in zip(
                        graph.sources(of: rank, round: round), incoming(of: rank, round: round)) where weight > 0
                    {
                        if backwards { edges[rank].insert(source) } else { edges[source].insert(rank) }
                    }
                }
            }
            return Connections.areConnected(edges.map { $0.sorted() })
        }
    }

    /// Whether in every round each weight is the same both ways, to within rounding.
    public var isSymmetric: Bool {
        (0..<period).allSatisfy { round in
            var sums: [[Int]: Double] = [:]
            for rank in 0..<workers {
                for (source, weight) in zip(
                    graph.sources(of: rank, round: round), incoming(of: rank, round: round))
                {
                    sums[[min(rank, source), max(rank, source)], default: 0] += rank < source ? weight : -weight
                }
            }
            return sums.values.allSatisfy { abs($0) < 1e-12 }
        }
    }

    public var workers: Int { graph.workers }
    public var period: Int { graph.period }

    /// What `rank` takes of each of `graph.sources(of:round:)`, in the same order.
    public func incoming(of rank: Int, round: Int) -> [Double] { weights[round % period][rank] }

    /// What it keeps of its own.
    public func own(_ rank: Int, round: Int) -> Double { 1 - incoming(of: rank, round: round).reduce(0, +) }

    /// A of one round, row by row.
    public func matrix(round: Int = 0) -> SquareMatrix {
        var matrix = SquareMatrix(count: workers)
        for rank in 0..<workers {
            for (source, weight) in zip(
                graph.sources(of: rank, round: round % period), incoming(of: rank, round: round))
            {
                matrix[rank, source] += weight
            }
            matrix[rank, rank] += own(rank, round: round)
        }
        return matrix
    }
}
