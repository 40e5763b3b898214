// random-regular: every rank has equally many neighbours, drawn at random. Plain values; any thread.

internal import Kernels
public import Platform

/// A connected graph in which each rank has `degree` neighbours: stubs are paired at random, and drawn anew until no pair is a loop or comes
/// twice (Steger and Wormald 1999, stub by stub, which fails seldom).
public struct RandomRegular: Graph {
    public static let facts = GraphFacts(
        name: "random-regular", summary: "equally many neighbours each, drawn", source: "Steger and Wormald 1999",
        settings: [SettingFacts("degree", default: "3", "neighbours of each; N times it is even")])

    private static let mostTries = 1_000

    public let workers: Int
    private let neighbours: [[Int]]

    public init(_ settings: inout NamedSettings, workers: Int, seed: UInt64) throws(InputError) {
        let isGiven = settings.take("degree")
        let degree = isGiven.flatMap { Int($0) } ?? 3
        guard isGiven == nil || Int(isGiven!) != nil, degree >= 1, degree < workers,
            (degree * workers).isMultiple(of: 2), degree > 1 || workers == 2
        else {
            throw InputError(
                at: settings.place, found: "random-regular of degree \(isGiven ?? "3") for \(workers) workers",
                expected: "a degree from 2 that is below N, N times it even")
        }
        self.workers = workers
        for attempt in 0..<Self.mostTries {
            var stream = RandomStream(seed: seed, for: .graph, rank: 0, step: UInt64(attempt))
            guard let drawn = Self.draw(workers, degree, &stream) else { continue }
            if Connections.areConnected(drawn) {
                neighbours = Connections.byColour(drawn)
                return
            }
        }
        throw InputError(
            at: settings.place,
            found: "no connected graph of degree \(degree) for \(workers) workers in \(Self.mostTries) draws",
            expected: "another degree or seed")
    }

    /// nil where the last stubs fit nowhere.
    private static func draw(_ workers: Int, _ degree: Int, _ stream: inout RandomStream) -> [[Int]]? {
        var stubs = (0..<workers).flatMap { Array(repeating: $0, count: degree) }
        var neighbours: [Set<Int>] = Array(repeating: [], count: workers)
        while !stubs.isEmpty {
            var isPaired = false
            for _ in 0..<100 {
                let (i, j) = (
                    Int(stream.next(upperBound: UInt64(stubs.count))), Int(stream.next(upperBound: UInt64(stubs.count)))
                )
                let (a, b) = (stubs[i], stubs[j])
                if i == j || a == b || neighbours[a].contains(b) { continue }
                neighbours[a].insert(b)
                neighbours[b].insert(a)
                for index in [max(i, j), min(i, j)] {
                    stubs.swapAt(index, stubs.count - 1)
                    stubs.removeLast()
                }
                isPaired = true
                break
            }
            if !isPaired { return nil }
        }
        return neighbours.map { $0.sorted() }
    }

    public func targets(of rank: Int, round: Int) -> [Int] { neighbours[rank] }
}

/// Edges as lists of neighbours.
public enum Connections {
    /// The neighbours of each in the order of the colours of their edges, no two of one rank alike: edges of one colour are a matching, whose
    /// messages travel side by side. Greedy, at most twice as many colours as a rank has edges.
    public static func byColour(_ neighbours: [[Int]]) -> [[Int]] {
        var coloured = [[(colour: Int, peer: Int)]](repeating: [], count: neighbours.count)
        for a in neighbours.indices {
            for b in neighbours[a] where a < b {
                let used = Set((coloured[a] + coloured[b]).map(\.colour))
                let colour = (0...).first { !used.contains($0) }!
                coloured[a].append((colour, b))
                coloured[b].append((colour, a))
            }
        }
        return coloured.map { $0.sorted { $0.colour < $1.colour }.map(\.peer) }
    }

    static func areConnected(_ neighbours: [[Int]]) -> Bool {
        var known = [Bool](repeating: false, count: neighbours.count)
        var stack = neighbours.isEmpty ? [] : [0]
        if !known.isEmpty { known[0] = true }
        while let rank = stack.popLast() {
            for other in neighbours[rank] where !known[other] {
                known[other] = true
                stack.append(other)
            }
        }
        return known.allSatisfy(\.self)
    }
}
