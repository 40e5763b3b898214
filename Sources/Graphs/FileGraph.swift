// file: edges that are listed in a file. On the thread that reads it.

public import Platform

/// Lines `rank,rank` or `rank,rank,weight`, edges both ways, ranks from 0; blanks or tabs may stand for the commas, and `#` begins a remark. A
/// line `rank>rank` is an edge one way, from the first to the second, without a weight.
///
/// With weights, of which each line then has one, a rank keeps 1 minus their sum for itself.
public struct FileGraph: Graph {
    public static let facts = GraphFacts(
        name: "file",
        summary: "edges `rank,rank` or `rank,rank,weight`, or one way `rank>rank`, a line each; `file:PATH`",
        source: "one's own",
        settings: [SettingFacts("path", default: nil, "the file")])

    public let workers: Int
    public let isDirected: Bool
    private let neighbours: [[Int]]
    /// By rank, from whom: `neighbours` where edges go both ways.
    private let heard: [[Int]]
    private let ownWeights: [[Double]]?

    public init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError) {
        guard let path = settings.take("path") else {
            throw InputError(at: settings.place, found: "file without a path", expected: "file:PATH")
        }
        let text = try TextLines(reading: path, expected: "edges, a line each")
        try self.init(text, workers: workers)
    }

    init(_ text: TextLines, workers: Int) throws(InputError) {
        var edges = [[Int: Double?]](repeating: [:], count: workers)
        var isWeighted: Bool?
        for (index, line) in text.lines.enumerated() {
            let content = line.prefix { $0 != "#" }
            let isOneWay = content.contains(">")
            let words = content.split { $0 == "," || $0 == " " || $0 == "\t" || $0 == ">" }
            if words.isEmpty { continue }
            func refuse(_ expected: String) -> InputError {
                InputError(at: text.place(index), found: "\"\(line.prefix(60))\"".printable, expected: expected)
            }
            guard words.count == 2 || words.count == 3 && !isOneWay, let a = Int(words[0]), let b = Int(words[1]) else {
                throw refuse("two ranks, and perhaps a weight, such as 0,1 or 0>1")
            }
            guard (0..<workers).contains(a), (0..<workers).contains(b), a != b else {
                throw refuse("two different ranks from 0 to \(workers - 1)")
            }
            let weight = words.count == 3 ? Double(words[2]) : nil
            if words.count == 3, !(weight.map { $0 > 0 && $0 <= 1 } ?? false) {
                throw refuse("a weight above 0, at most 1")
            }
            if let isWeighted, isWeighted != (weight != nil) { throw refuse("weights in all lines or in none") }
            isWeighted = weight != nil
            if edges[a][b] != nil || !isOneWay && edges[b][a] != nil { throw refuse("each edge once") }
            edges[a][b] = .some(weight)
            if !isOneWay { edges[b][a] = .some(weight) }
        }
        self.workers = workers
        isDirected = (0..<workers).contains { a in edges[a].keys.contains { edges[$0][a] == nil } }
        let targets = edges.map { $0.keys.sorted() }
        let ordered = isDirected ? targets : Connections.byColour(targets)
        neighbours = ordered
        var heard = [[Int]](repeating: [], count: workers)
        if isDirected {
            for (rank, all) in ordered.enumerated() { for target in all { heard[target].append(rank) } }
        } else {
            heard = ordered
        }
        self.heard = heard
        ownWeights = isWeighted == true ? ordered.indices.map { a in ordered[a].map { edges[a][$0]!! } } : nil
        for (rank, weights) in (ownWeights ?? []).enumerated() where weights.reduce(0, +) > 1 + 1e-9 {
            throw InputError(
                at: text.name, found: "weights of rank \(rank) that sum to \(weights.reduce(0, +))",
                expected: "at most 1: the rest is its own")
        }
    }

    public func targets(of rank: Int, round: Int) -> [Int] { neighbours[rank] }
    public func sources(of rank: Int, round: Int) -> [Int] { heard[rank] }
    public func weights(of rank: Int, round: Int) -> [Double]? { ownWeights?[rank] }
}
