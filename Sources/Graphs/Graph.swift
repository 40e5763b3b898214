// Who sends to whom in decentralized training (section 5.1). Plain values; any thread.

public import Platform

/// What the command, the documents and the tests ask of a graph: said in its file.
public struct GraphFacts: Sendable {
    public let name: String
    public let summary: String
    /// Where it comes from.
    public let source: String
    public let settings: [SettingFacts]

    public init(name: String, summary: String, source: String, settings: [SettingFacts] = []) {
        self.name = name
        self.summary = summary
        self.source = source
        self.settings = settings
    }
}

/// The neighbours of N workers, round by round: one file each, its facts and its edges.
///
/// A graph of another package is used as the built-in ones are.
public protocol Graph: Sendable {
    static var facts: GraphFacts { get }

    /// For N workers; `seed` is for graphs that are drawn. Throws a setting or a number of workers that it cannot have.
    init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError)

    /// N.
    var workers: Int { get }

    /// Rounds after which it repeats, at least 1; 1 where nothing is said.
    var period: Int { get }

    /// To whom `rank` sends in round `round` of the period, in this order: best such that the first targets of all ranks are different ones, and
    /// the second, and so on, so that nobody waits for a port. One who stands there twice is sent to twice, and weighs twice.
    func targets(of rank: Int, round: Int) -> [Int]

    /// From whom `rank` receives; the same as `targets`, where nothing is said, and then edges go both ways.
    func sources(of rank: Int, round: Int) -> [Int]

    /// What `rank` takes of each of `sources`, and of itself 1 minus their sum; nil where a rule makes the weights, which is where nothing is
    /// said.
    func weights(of rank: Int, round: Int) -> [Double]?

    /// Whether it looks the same from each rank; no, where nothing is said.
    var isVertexTransitive: Bool { get }

    /// Whether edges go one way; no, where nothing is said.
    var isDirected: Bool { get }

    /// Whether it is meant to have no path between some ranks: it is then nothing to train on, unless that is asked for.
    var isDisconnectedOnPurpose: Bool { get }
}

extension Graph {
    public var period: Int { 1 }
    public func sources(of rank: Int, round: Int) -> [Int] { targets(of: rank, round: round) }
    public func weights(of rank: Int, round: Int) -> [Double]? { nil }
    public var isVertexTransitive: Bool { false }
    public var isDirected: Bool { false }
    public var isDisconnectedOnPurpose: Bool { false }

    public var name: String { Self.facts.name }

    /// Where in `sources` those stand from whom `rank` receives first, second, and so on: who sends to it first comes first.
    public func receivingOrder(of rank: Int, round: Int) -> [Int] {
        var seen: [Int: Int] = [:]
        let turns = sources(of: rank, round: round).map { source in
            let turns = targets(of: source, round: round).enumerated().filter { $0.element == rank }.map(\.offset)
            let place = seen[source, default: 0]
            seen[source] = place + 1
            return turns[place]
        }
        return turns.indices.sorted { (turns[$0], $0) < (turns[$1], $1) }
    }

    /// The most that a rank sends in a round.
    public var degree: Int {
        var most = 0
        for round in 0..<period {
            for rank in 0..<(isVertexTransitive ? min(1, workers) : workers) {
                most = max(most, targets(of: rank, round: round).count)
            }
        }
        return most
    }

    /// Rounds until all ranks know what one knew, whoever it is and whenever that was; nil where somebody never does.
    public var diameter: Int? {
        var most = 0
        for start in 0..<period {
            for rank in 0..<(isVertexTransitive ? min(1, workers) : workers) {
                guard let rounds = rounds(from: rank, start: start) else { return nil }
                most = max(most, rounds)
            }
        }
        return most
    }

    /// Rounds until all know what `rank` knew before round `start`.
    private func rounds(from rank: Int, start: Int) -> Int? {
        var known = [Bool](repeating: false, count: workers)
        known[rank] = true
        var informed = [rank]
        // Of a graph that stays the same only who has just heard has news.
        var fresh = [rank]
        var (round, quiet) = (0, 0)
        while informed.count < workers {
            let now = (start + round) % period
            var next: [Int] = []
            for source in period == 1 ? fresh : informed {
                for target in targets(of: source, round: now) where !known[target] {
                    known[target] = true
                    next.append(target)
                }
            }
            informed += next
            fresh = next
            round += 1
            quiet = next.isEmpty ? quiet + 1 : 0
            if quiet >= period { return nil }
        }
        return round
    }
}

/// A graph by name, with its settings: `torus:rows=4`.
public struct GraphChoice: Sendable, CustomStringConvertible {
    public let type: any Graph.Type
    public let settings: String

    /// Those that come with the library.
    public static let builtIn: [any Graph.Type] = [
        Ring.self, Path.self, Torus.self, Complete.self, Star.self, Hypercube.self, Exponential.self,
        OnePeerExponential.self, BaseGraph.self, RandomRegular.self, ErdosRenyi.self, FileGraph.self,
        Disconnected.self,
    ]

    public init(_ type: any Graph.Type, settings: String = "") {
        self.type = type
        self.settings = settings
    }

    /// Reads `NAME` or `NAME:key=value`; several settings stand between commas or, within those of an algorithm, between `+`.
    public init(
        parsing text: some StringProtocol, at place: String = "--topology", among known: [any Graph.Type] = builtIn
    ) throws(InputError) {
        let halves = String(text).split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let type = known.first(where: { $0.facts.name == halves[0] }) else {
            let names = known.map { $0.facts.name }
            let hint = names.nearest(to: halves[0]).map { "; did you mean \($0)?" } ?? ""
            throw InputError(
                at: place, found: "\"\(halves[0])\"",
                expected: names.dropLast().joined(separator: ", ") + " or \(names[names.count - 1])" + hint)
        }
        self.type = type
        settings = halves.count > 1 ? halves[1] : ""
    }

    public var facts: GraphFacts { type.facts }
    public var description: String { facts.name + (settings.isEmpty ? "" : ":" + settings) }

    /// The graph of N workers.
    public func make(workers: Int, seed: UInt64 = 1, at place: String = "--topology") throws(InputError) -> any Graph {
        guard workers >= 1 else { throw InputError(at: place, found: "\(workers) workers", expected: "at least 1") }
        var separated = settings.replacing("+", with: ",")
        if facts.name == FileGraph.facts.name {
            // A path stands there as it is.
            separated = settings.hasPrefix("path=") || settings.isEmpty ? settings : "path=" + settings
        }
        var named = try NamedSettings(name: facts.name, settings: separated, at: place)
        let graph = try type.init(&named, workers: workers, seed: seed)
        try named.finish()
        return graph
    }
}
