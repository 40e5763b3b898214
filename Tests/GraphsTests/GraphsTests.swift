import Foundation
import Platform
import Testing

@testable import Graphs

/// Graphs, their weights and spectra, beside the closed forms of the literature.
@Suite struct GraphsTests {
    private func graph(_ name: String, _ workers: Int, seed: UInt64 = 1) throws -> any Graph {
        try GraphChoice(parsing: name).make(workers: workers, seed: seed)
    }

    private func spectrum(_ name: String, _ workers: Int, _ rule: MixingRule = .standard) throws -> Spectrum {
        try Spectrum(Mixing(graph(name, workers), rule))
    }

    @Test func `rho of the ring is that of the errata's table`() throws {
        for workers in 4...64 {
            let expected: Double = (1 + 2 * cos(2 * Double.pi / Double(workers))) / 3
            #expect(abs(try spectrum("ring", workers).rho - expected) < 1e-12)
        }
        let table: [(Int, Double)] = [
            (3, 0), (4, 0.3333), (5, 0.5393), (8, 0.8047), (16, 0.9493), (64, 0.99679), (2, 0.3333),
        ]
        for (workers, rho) in table {
            #expect(abs(try spectrum("ring", workers).rho - rho) < 5e-5, "N = \(workers)")
        }
        #expect(try spectrum("ring", 1).rho == 0)
    }

    @Test func `rho of the other graphs is that of the literature`() throws {
        for workers in [2, 3, 7, 16] { #expect(try spectrum("complete", workers).rho == 0) }
        for (rows, columns) in [(3, 3), (3, 5), (4, 4), (2, 6)] {
            var eigenvalues: [Double] = []
            for i in 0..<rows {
                for j in 0..<columns {
                    let (a, b) = (2 * Double.pi * Double(i) / Double(rows), 2 * Double.pi * Double(j) / Double(columns))
                    eigenvalues.append((1 + 2 * cos(a) + 2 * cos(b)) / 5)
                }
            }
            let rho = eigenvalues.dropFirst().map(abs).max()!
            #expect(abs(try spectrum("torus:rows=\(rows)", rows * columns).rho - rho) < 1e-12)
        }
        // (1 + m - 2 j) / (1 + m).
        for m in 1...6 {
            let expected = Double(m - 1) / Double(m + 1)
            #expect(abs(try spectrum("hypercube", 1 << m).rho - expected) < 1e-12)
        }
        // Ying et al. 2021, proposition 1: 1 - 2/(1 + ceil(log2 N)) for even N, and at most that for odd ones.
        for workers in [4, 6, 8, 12, 16, 32, 40] {
            let expected = 1 - 2 / (1 + Double(workers - 1).logarithmCeiling)
            #expect(abs(try spectrum("exponential", workers).rho - expected) < 1e-9, "N = \(workers)")
        }
        for workers in [5, 7, 9, 21] {
            let most = 1 - 2 / (1 + Double(workers - 1).logarithmCeiling)
            #expect(try spectrum("exponential", workers).rho < most)
        }
        // Metropolis on a star: each leaf keeps 1 - 1/N.
        for workers in [3, 8] {
            let expected = 1 - 1 / Double(workers)
            #expect(abs(try spectrum("star", workers).rho - expected) < 1e-12)
        }
        let disconnected = try spectrum("disconnected", 5)
        #expect(disconnected.rho > 1 - 1e-12 && disconnected.roundsToConsensus == nil)
        // Boyd et al. 2009: nothing mixes faster on a path than halves on all edges, cos(pi / N).
        for workers in [3, 6] {
            let rho = try spectrum("path", workers, .fastest).rho
            let least = cos(Double.pi / Double(workers))
            #expect(rho >= least - 1e-9 && rho < least + 2e-3)
        }
        for name in ["ring", "star", "erdos-renyi"] {
            let best = try spectrum(name, 8, .fastest).rho
            #expect(best <= (try spectrum(name, 8, .metropolis).rho) + 1e-12, "\(name)")
        }
    }

    @Test func `the mean of all is exact after the stated rounds of the base graph, for any N`() throws {
        for k in 1...3 {
            for workers in 2...40 {
                let mixing = try Mixing(graph("base:k=\(k)", workers))
                var product = SquareMatrix.identity(workers)
                for round in 0..<mixing.period {
                    let matrix = mixing.matrix(round: round)
                    #expect(matrix.isSymmetric() && matrix.isDoublyStochastic())
                    product = matrix * product
                }
                #expect(product.elements.allSatisfy { abs($0 - 1 / Double(workers)) < 1e-12 }, "k \(k), N \(workers)")
                let most = 2 * Int(log(Double(workers) + 1e-9) / log(Double(k + 1))) + 2
                #expect(mixing.period <= most && mixing.graph.degree <= k)
            }
        }
        // Powers of k + 1 take a round for each digit; N = 5, 6 and 7 as in the figures of the paper.
        for (k, workers, rounds) in [(1, 8, 3), (2, 9, 2), (3, 16, 2), (1, 5, 5), (1, 6, 4), (2, 6, 2)] {
            #expect(try graph("base:k=\(k)", workers).period == rounds, "k \(k), N \(workers)")
        }
        #expect(try spectrum("base", 11).rho == 0)
    }

    @Test(arguments: [2, 3, 4, 7, 8, 12, 16]) func `every matrix keeps the mean, and what is symmetric says so`(
        workers: Int
    ) throws {
        for type in GraphChoice.builtIn where type != FileGraph.self {
            guard let graph = try? GraphChoice(type).make(workers: workers) else { continue }
            for rule in MixingRule.allCases {
                // The fastest takes hundreds of eigenvalue problems.
                guard rule != .fastest || workers == 7, let mixing = try? Mixing(graph, rule) else { continue }
                for round in 0..<mixing.period {
                    let matrix = mixing.matrix(round: round)
                    #expect(matrix.isDoublyStochastic(), "\(graph.name) \(rule) \(round)")
                    #expect(matrix.isSymmetric() || graph.isDirected, "\(graph.name) \(rule) \(round)")
                    if rule == .lazy, !graph.isDirected { #expect(try matrix.eigenvalues().last!.real > -1e-12) }
                }
                // Sources are those who send.
                for round in 0..<graph.period {
                    for rank in 0..<workers {
                        for target in Set(graph.targets(of: rank, round: round)) {
                            let sent = graph.targets(of: rank, round: round).count { $0 == target }
                            #expect(graph.sources(of: target, round: round).count { $0 == rank } == sent)
                        }
                    }
                }
            }
        }
        #expect(throws: InputError.self) { try Mixing(graph("star", 5), .uniform) }
        #expect(throws: InputError.self) { try Mixing(graph("exponential", 5), .metropolis) }
    }

    @Test func `consensus takes as many rounds as the worst start does`() throws {
        for (name, workers) in [
            ("ring", 8), ("path", 6), ("torus", 12), ("exponential", 12), ("one-peer-exponential", 8),
        ] {
            let mixing = try Mixing(graph(name, workers))
            let rounds = try #require(Spectrum(mixing).roundsToConsensus)
            // Powers by hand, and the worst start of each by power iteration.
            var product = SquareMatrix.identity(workers)
            for round in 0..<rounds {
                if round == rounds - 1 { #expect(try norm(product) > 1e-6, "\(name)") }
                product = mixing.matrix(round: round) * product
            }
            #expect(try norm(product) <= 1e-6 * (1 + 1e-9), "\(name)")
        }
    }

    /// The largest factor by which deviations from the mean come out.
    private func norm(_ product: SquareMatrix) throws -> Double {
        let n = product.count
        var x = (0..<n).map { sin(Double($0 * $0 + 1)) }
        var factor = 0.0
        for _ in 0..<500 {
            let mean = x.reduce(0, +) / Double(n)
            x = x.map { $0 - mean }
            let length = x.reduce(0) { $0 + $1 * $1 }.squareRoot()
            if length == 0 { return 0 }
            x = x.map { $0 / length }
            let y = (0..<n).map { i in (0..<n).reduce(0) { $0 + product[i, $1] * x[$1] } }
            factor = y.reduce(0) { $0 + $1 * $1 }.squareRoot()
            x = (0..<n).map { j in (0..<n).reduce(0) { $0 + product[$1, j] * y[$1] } }
        }
        return factor
    }

    @Test func `effective neighbours are N on the complete graph, 1 without edges, and the random walk's elsewhere`()
        throws
    {
        #expect(abs(try spectrum("complete", 7).effectiveNeighbours! - 7) < 1e-9)
        let lonely = try FileGraph(TextLines("", name: "none"), workers: 3)
        #expect(abs(try Spectrum(Mixing(lonely)).effectiveNeighbours! - 1) < 1e-9)
        // The walk by sums: Var = sum_t g^t |W^(t+1) row|^2.
        let matrix = try Mixing(graph("ring", 9)).matrix()
        var (power, variance, weight) = (matrix, 0.0, 1.0)
        for _ in 0..<6_000 {
            variance += weight * power.rows[0].reduce(0) { $0 + $1 * $1 }
            power = matrix * power
            weight *= Spectrum.memory
        }
        let expected = 1 / (1 - Spectrum.memory) / variance
        #expect(abs(try spectrum("ring", 9).effectiveNeighbours! / expected - 1) < 1e-9)
    }

    @Test func `news takes as many rounds as the diameter`() throws {
        for (name, workers, rounds) in [
            ("ring", 9, 4), ("ring", 8, 4), ("path", 9, 8), ("complete", 9, 1), ("star", 9, 2), ("hypercube", 16, 4),
            ("torus:rows=4", 16, 4), ("one-peer-exponential", 8, 3), ("ring", 1, 0),
        ] {
            #expect(try graph(name, workers).diameter == rounds, "\(name) \(workers)")
        }
        #expect(try FileGraph(TextLines("0,1\n2,3\n", name: "two"), workers: 4).diameter == nil)
        #expect(try graph("base", 13).diameter! <= 2 * graph("base", 13).period)
    }

    @Test func `drawn graphs are those of their seed, connected, and of their degree`() throws {
        for seed in UInt64(1)...20 {
            let regular = try graph("random-regular:degree=4", 15, seed: seed)
            #expect((0..<15).allSatisfy { Set(regular.targets(of: $0, round: 0)).subtracting([$0]).count == 4 })
            #expect(regular.diameter != nil)
            let random = try graph("erdos-renyi:probability=0.3", 15, seed: seed)
            #expect(random.diameter != nil)
            for drawn in [regular, random] {
                let again = try graph(
                    drawn.name + (drawn.name == "erdos-renyi" ? ":probability=0.3" : ":degree=4"), 15, seed: seed)
                #expect((0..<15).allSatisfy { again.targets(of: $0, round: 0) == drawn.targets(of: $0, round: 0) })
            }
        }
        // Edges of 400 draws of 12 ranks at 0.5: mean 33, standard deviation 4.06 each.
        let counts = try (1...400).map { seed in
            let drawn = try graph("erdos-renyi:probability=0.5", 12, seed: UInt64(seed))
            return Double((0..<12).reduce(0) { $0 + drawn.targets(of: $1, round: 0).count }) / 2
        }
        let mean: Double = counts.reduce(0, +) / 400
        #expect(abs(mean - 33) < 5 * 4.06 / 20)
    }

    @Test func `what a graph cannot be is said in a line`() throws {
        for (name, workers, words) in [
            ("rin", 4, "did you mean ring?"), ("hypercube", 6, "a power of 2"), ("torus", 7, "rows times columns"),
            ("torus:rows=3", 8, "rows times columns"), ("ring:k=2", 4, "no settings"),
            ("random-regular:degree=3", 5, "even"),
            ("erdos-renyi:probability=0.001", 50, "larger probability"), ("base:k=0", 5, "k to be"),
            ("file", 3, "file:PATH"), ("file:/nowhere", 3, "/nowhere"), ("disconnected", 1, "at least 2"),
        ] {
            let error = #expect(throws: InputError.self) { try graph(name, workers) }
            #expect(error.map { "\($0)".contains(words) } == true, "\(name): \(String(describing: error))")
        }
    }

    @Test func `a file has edges, with weights or without, and a wrong line is named`() throws {
        func read(_ text: String, workers: Int = 4) throws -> FileGraph {
            try FileGraph(TextLines(text, name: "edges"), workers: workers)
        }
        let plain = try read("# a square\n0,1\n1 2\n2\t3\n\n3,0 # closed\n")
        #expect(plain.targets(of: 0, round: 0) == [1, 3] && plain.weights(of: 0, round: 0) == nil)
        let mixing = try Mixing(read("0,1,0.5\n1,2,0.25\n2,3,0.5\n"))
        #expect(mixing.matrix().rows[1] == [0.5, 0.25, 0.25, 0])
        for (text, words) in [
            ("0,1\n0,4\n", "edges:2"), ("0,0\n", "edges:1"), ("0,1\n1,0\n", "each edge once"), ("0;1\n", "edges:1"),
            ("0,1,2\n", "at most 1"), ("0,1,0.5\n1,2\n", "all lines or in none"), ("0,1,0.7\n0,2,0.7\n", "rank 0"),
            ("0,1,nan\n", "edges:1"), ("0,1,0.1,2\n", "edges:1"),
        ] {
            let error = #expect(throws: InputError.self) { try read(text) }
            #expect(error.map { "\($0)".contains(words) } == true, "\(text): \(String(describing: error))")
        }
    }
}

extension Double {
    /// ceil(log2(self + 1)).
    fileprivate var logarithmCeiling: Double { ceil(Foundation.log2(self + 1)) }
}
