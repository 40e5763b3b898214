import Datasets
import Foundation
import Graphs
import Measurement
import Messaging
import Objectives
import Platform
import SwitchModel
import Testing

@testable import Training

/// Decentralized algorithms beyond dsgd against their matrix iterations, written here from the papers in double precision.
@Suite struct GossipAlgorithmTests {
    /// By worker, its parameters.
    typealias Models = [[Double]]

    static let gamma = 0.2
    static let steps = 50
    static let network = try! NetworkCost(latencySeconds: 1e-3, secondsPerMegabyte: 2)

    private func run(
        _ name: String, workers: Int, steps: Int = GossipAlgorithmTests.steps,
        _ change: (inout TrainingOptions) -> Void = { _ in }
    ) throws -> (result: TrainingResult, models: [[Float]]) {
        var options = TrainingOptions()
        options.algorithm = try Algorithm(parsing: name)
        options.order = .sequential
        options.batchSize = 1
        options.stepSize = StepSize(Self.gamma)
        options.epochs = steps
        options.evaluationsPerEpoch = 0
        options.clock.kind = .virtual(Self.network)
        options.clock.computeSeconds = 1e-3
        change(&options)
        let run = try TrainingRun(
            problem: TargetProblem(rows: workers, width: 4), workers: workers,
            team: WorkerTeam(placement: .unpinned(workers: 1)),
            ranks: options.clock.kind.isVirtual ? nil : WorkerTeam(placement: .unpinned(workers: workers)),
            options: options)
        let result = try run.run()
        return (result, try #require(run.runner as? FabricRunner).workers.map { $0.x.elements })
    }

    /// Every worker's gradient of its own row.
    private struct Gradients {
        let problem: TargetProblem
        let rows: [Int]

        init(_ workers: Int) throws {
            problem = TargetProblem(rows: workers, width: 4)
            rows = try (0..<workers).map { rank in
                try RowSchedule(.sequential, rowCount: workers, rank: rank, workers: workers, seed: 1).partition
                    .chunks[0].first!
            }
        }

        var start: Models { Array(repeating: problem.start.map(Double.init), count: rows.count) }

        func callAsFunction(_ x: Models) -> Models {
            x.indices.map { n in x[n].indices.map { problem.gradient(of: rows[n], at: x[n], $0) } }
        }

        /// The minimum of the mean loss: all curvatures are those of the coordinate, so that one Newton step is there.
        var minimum: [Double] {
            let zero = Models(repeating: [0, 0, 0, 0], count: rows.count)
            let one = Models(repeating: [1, 1, 1, 1], count: rows.count)
            let (g0, g1) = (self(zero), self(one))
            return (0..<4).map { i in
                let (a, b) = (g0.reduce(0) { $0 + $1[i] }, g1.reduce(0) { $0 + $1[i] })
                return a / (a - b)
            }
        }
    }

    private func mixed(_ w: SquareMatrix, _ x: Models) -> Models {
        x.indices.map { n in x[n].indices.map { i in x.indices.reduce(0) { $0 + w[n, $1] * x[$1][i] } } }
    }

    /// a x + b y.
    private func sum(_ x: Models, _ b: Double, _ y: Models) -> Models {
        zip(x, y).map { zip($0, $1).map { $0 + b * $1 } }
    }

    private func expect(_ found: [[Float]], _ expected: Models, _ what: String) {
        for (a, b) in zip(found.joined(), expected.joined()) { #expect(abs(Double(a) - b) < 5e-5, "\(what)") }
    }

    /// The graphs among `names` that there are for N workers.
    private func graphs(_ names: [String], _ workers: Int) -> [(String, any Graph)] {
        names.compactMap { name in (try? GraphChoice(parsing: name).make(workers: workers)).map { (name, $0) } }
    }

    @Test(arguments: 2...9) func `push-sum follows its matrix iteration, on graphs that are not balanced, too`(n: Int)
        throws
    {
        let file = NSTemporaryDirectory() + "one-way-\(UUID().uuidString)"
        // A ring one way, on which rank 0 tells the last but one as well.
        var text = (0..<n).map { "\($0) > \(($0 + 1) % n)\n" }.joined()
        if n > 3 { text += "0 > \(n - 2)\n" }
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let gradients = try Gradients(n)
        let tried = graphs(["ring", "star", "path", "exponential", "one-peer-exponential", "file:\(file)"], n)
        #expect(tried.count == 6 && tried[5].1.isDirected == (n > 2))
        for (name, graph) in tried {
            let (result, models) = try run("push-sum:topology=\(name)", workers: n)
            var (u, w) = (gradients.start, [Double](repeating: 1, count: n))
            var z = u
            for t in 0..<Self.steps {
                u = sum(u, -Self.gamma, gradients(z))
                var p = SquareMatrix(count: n)
                for j in 0..<n {
                    let targets = graph.targets(of: j, round: t % graph.period)
                    p[j, j] += 1 / Double(1 + targets.count)
                    for i in targets { p[i, j] += 1 / Double(1 + targets.count) }
                }
                u = mixed(p, u)
                w = mixed(p, w.map { [$0] }).map { $0[0] }
                z = zip(u, w).map { u, w in u.map { $0 / w } }
                #expect(abs(w.reduce(0, +) - Double(n)) < 1e-9)
            }
            expect(models, z, "\(name) N = \(n)")
            #expect(result.record.updates == UInt64(Self.steps))
        }
    }

    @Test(arguments: ["push-sum", "relay-sum", "d2", "gradient-tracking", "exact-diffusion"])
    func `one worker alone makes the steps of gradient descent`(name: String) throws {
        let (one, other) = (try run(name, workers: 1), try run("gradient-aggregation", workers: 1))
        for (a, b) in zip(one.result.parameters, other.result.parameters) { #expect(abs(a - b) < 1e-5) }
    }

    @Test(arguments: [3, 6])
    func `where as many hear a worker as it hears push-sum is dsgd, with momentum and decay, too`(
        n: Int
    ) throws {
        func models(_ name: String) throws -> [[Float]] {
            try run(name, workers: n) {
                $0.stepRule.momentum = 0.5
                $0.stepRule.weightDecay = 0.1
            }.models
        }
        expect(try models("push-sum"), try models("dsgd").map { $0.map(Double.init) }, "N = \(n)")
    }

    @Test func `on a directed graph that is not balanced dsgd would move the mean, and is refused`() throws {
        let file = NSTemporaryDirectory() + "unbalanced-\(UUID().uuidString)"
        try "0>1\n1>2\n2>0\n0>2\n".write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let error = #expect(throws: InputError.self) { try run("dsgd:topology=file:\(file)", workers: 3, steps: 1) }
        #expect(error?.expected.contains("push-sum") == true, "\(error?.description ?? "nothing")")
        // The mean of u / N is that of the gradients, and so push-sum comes near the minimum of all rows, as far as dsgd would.
        let minimum = try Gradients(3).minimum
        let x = try run("push-sum:topology=file:\(file)", workers: 3, steps: 400) { $0.stepSize = StepSize(0.01) }
            .models
        for model in x { for (a, b) in zip(model, minimum) { #expect(abs(Double(a) - b) < 0.05) } }
    }

    @Test(arguments: 2...9) func `relay-sum follows its matrix iteration, and counts all`(n: Int) throws {
        let gradients = try Gradients(n)
        for (name, tree) in [
            ("path", (0..<n).map { [$0 - 1, $0 + 1].filter { (0..<n).contains($0) } }),
            ("star", (0..<n).map { $0 == 0 ? Array(1..<n) : [0] }),
        ] {
            let (_, models) = try run("relay-sum:topology=\(name)", workers: n)
            // y of every step: x_n is the mean of y_j of d(n, j) - 1 steps before, at most of this one, of all that are there.
            var distance = Array(repeating: Array(repeating: Int.max, count: n), count: n)
            for start in 0..<n {
                distance[start][start] = 0
                var queue = [start]
                while let rank = queue.first {
                    queue.removeFirst()
                    for other in tree[rank] where distance[start][other] == .max {
                        distance[start][other] = distance[start][rank] + 1
                        queue.append(other)
                    }
                }
            }
            var (x, steps) = (gradients.start, [Models]())
            for t in 0..<Self.steps {
                steps.append(sum(x, -Self.gamma, gradients(x)))
                x = (0..<n).map { n0 in
                    var (total, count) = ([0.0, 0, 0, 0], 0.0)
                    for j in 0..<n {
                        let delay = max(0, distance[n0][j] - 1)
                        if delay > t { continue }
                        for i in 0..<4 { total[i] += steps[t - delay][j][i] }
                        count += 1
                    }
                    return total.map { $0 / count }
                }
            }
            expect(models, x, "\(name) N = \(n)")
        }
    }

    private func corrected(_ w: SquareMatrix, _ gradients: Gradients) -> Models {
        // x_(t+1) = W (2 x_t - x_(t-1) - gamma g_t + gamma g_(t-1)), the first W (x_0 - gamma g_0).
        var x = gradients.start
        var before: (x: Models, g: Models)?
        for _ in 0..<Self.steps {
            let g = gradients(x)
            var next = sum(x, -Self.gamma, g)
            if let before { next = sum(sum(sum(next, 1, x), -1, before.x), Self.gamma, before.g) }
            before = (x, g)
            x = mixed(w, next)
        }
        return x
    }

    private func halfway(_ w: SquareMatrix) -> SquareMatrix {
        var half = w
        for i in 0..<w.count {
            for j in 0..<w.count { half[i, j] = (w[i, j] + (i == j ? 1 : 0)) / 2 }
        }
        return half
    }

    @Test(arguments: 2...9) func `d2 follows its matrix iteration, with lazy weights where lambda_min asks for them`(
        n: Int
    ) throws {
        let gradients = try Gradients(n)
        for (name, graph) in graphs(["ring", "star", "path", "complete", "torus"], n) {
            let w = try Mixing(graph).matrix()
            let least = try w.symmetricEigen(withVectors: false).values.min()!
            let (result, models) = try run("d2:topology=\(name)", workers: n)
            expect(models, corrected(least > -1.0 / 3 + 1e-9 ? w : halfway(w), gradients), "\(name) N = \(n)")
            let isLazy = try #require(result.record.exchange?.collective).contains("lazy")
            #expect(isLazy == (least <= -1.0 / 3 + 1e-9))
        }
    }

    @Test(arguments: [4, 6, 8]) func `on an even ring d2 refuses the weights that just miss its condition`(n: Int)
        throws
    {
        let error = #expect(throws: InputError.self) { try run("d2:weights=uniform", workers: n, steps: 1) }
        #expect(error?.expected.contains("lambda_min") == true)
        #expect(try run("d2:weights=lazy", workers: n, steps: 1).result.record.status == .completed)
    }

    @Test(arguments: 2...9) func `exact-diffusion follows its matrix iteration`(n: Int) throws {
        let gradients = try Gradients(n)
        for (name, graph) in graphs(["ring", "star", "path", "complete"], n) {
            let (_, models) = try run("exact-diffusion:topology=\(name)", workers: n)
            expect(models, corrected(halfway(try Mixing(graph).matrix()), gradients), "\(name) N = \(n)")
        }
    }

    @Test(arguments: 2...9) func `gradient-tracking follows its matrix iteration, on graphs that change, too`(n: Int)
        throws
    {
        let gradients = try Gradients(n)
        let tried = graphs(["ring", "star", "exponential", "one-peer-exponential", "base"], n)
        #expect(tried.count == 5)
        for (name, graph) in tried {
            let mixing = try Mixing(graph)
            let (_, models) = try run("gradient-tracking:topology=\(name)", workers: n)
            var x = gradients.start
            var y = gradients(x)
            for t in 0..<Self.steps {
                let w = mixing.matrix(round: t % mixing.period)
                let g = gradients(x)
                x = mixed(w, sum(x, -Self.gamma, y))
                y = sum(sum(mixed(w, y), 1, gradients(x)), -1, g)
            }
            expect(models, x, "\(name) N = \(n)")
        }
    }

    @Test(arguments: 2...9) func `quasi-global-momentum follows its matrix iteration`(n: Int) throws {
        let gradients = try Gradients(n)
        for (name, graph) in graphs(["ring", "star", "one-peer-exponential", "base"], n) {
            let mixing = try Mixing(graph)
            let (_, models) = try run("quasi-global-momentum:topology=\(name),beta=0.8,mu=0.7", workers: n)
            var x = gradients.start
            var v = Models(repeating: [0, 0, 0, 0], count: n)
            for t in 0..<Self.steps {
                let w = mixing.matrix(round: t % mixing.period)
                let next = mixed(w, sum(x, -Self.gamma, sum(gradients(x), 0.8, v)))
                let moved = sum(x, -1, next)
                v = zip(v, moved).map { zip($0, $1).map { 0.7 * $0 + 0.3 / Self.gamma * $1 } }
                x = next
            }
            expect(models, x, "\(name) N = \(n)")
        }
    }

    @Test(arguments: ["d2", "exact-diffusion", "gradient-tracking", "relay-sum:topology=path"])
    func `with rows that differ all come to the minimum of the mean, which dsgd does not`(name: String) throws {
        let minimum = try Gradients(5).minimum
        func distance(_ name: String) throws -> Double {
            try run(name, workers: 5, steps: 400).models.reduce(0) { most, x in
                zip(x, minimum).reduce(most) { max($0, abs(Double($1.0) - $1.1)) }
            }
        }
        #expect(try distance(name) < 1e-4)
        #expect(try distance("dsgd") > 1e-2)
    }

    @Test(arguments: ["push-sum", "relay-sum", "d2", "gradient-tracking", "exact-diffusion", "quasi-global-momentum"])
    func `the predicted step is what a step takes, and all end after the same one`(name: String) throws {
        let (result, _) = try run(name, workers: 8, steps: 10)
        let exchange = try #require(result.record.exchange)
        #expect(abs(try #require(exchange.predictedSecondsPerIteration) * 10 - result.record.seconds) < 1e-12)
        let (cut, _) = try run(name, workers: 8, steps: 1_000) {
            $0.clock.straggler = .constant(rank: 1, factor: 10)
            $0.maxSeconds = 0.7654
        }
        #expect(cut.record.status == .timeLimit && cut.record.updates > 5)
    }

    @Test(arguments: ["push-sum", "relay-sum", "d2", "gradient-tracking", "exact-diffusion", "quasi-global-momentum"])
    func `the native clock finds what the virtual one does`(name: String) throws {
        let (_, models) = try run(name, workers: 4, steps: 20)
        let (_, native) = try run(name, workers: 4, steps: 20) {
            $0.clock.kind = .native
            $0.clock.computeSeconds = nil
        }
        #expect(models == native)
    }

    @Test(arguments: [
        ("d2:topology=exponential", "stays the same"), ("exact-diffusion:topology=base", "stays the same"),
        ("relay-sum:topology=exponential", "tree"), ("relay-sum:topology=disconnected", "a way from each"),
        ("push-sum:weights=lazy", "topology"), ("push-sum:topology=disconnected", "a way from each"),
        ("quasi-global-momentum:beta=1", "beta"),
    ]) func `what an algorithm is not for is refused`(name: String, expected: String) throws {
        let error = #expect(throws: InputError.self) { try run(name, workers: 5, steps: 1) }
        #expect(error?.expected.contains(expected) == true, "\(error?.description ?? "nothing")")
    }
}
