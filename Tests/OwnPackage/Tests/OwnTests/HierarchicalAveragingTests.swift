import RelaxedSGD
import Testing

@testable import Own

/// The algorithm beside a plain loop and beside one of the library.
@Suite struct HierarchicalAveragingTests {
    static let problem = HuberProblem(rows: 240, features: 7, seed: 3)

    @Test(arguments: [1, 2, 3, 6]) func `averages of all models in every step are gradient aggregation`(workers: Int)
        throws
    {
        let own = try trained("hierarchical-averaging:group=\(workers),rounds=1", workers: workers)
        let library = try trained("gradient-aggregation", workers: workers)
        #expect(own.record.updates == 240 / 4 / UInt64(workers) * 2)
        for (a, b) in zip(own.parameters, library.parameters) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
        #expect(own.parameters.contains { $0 != 0 })
        #expect(own.record.staleness.all.max == 0)
    }

    @Test func `the model is that of the iteration as it is written`() throws {
        let (workers, d) = (4, Self.problem.parameterCount)
        let result = try trained("hierarchical-averaging:group=2,period=2,rounds=3", workers: workers)

        var x = [[Float]](repeating: [Float](repeating: 0, count: d), count: workers)
        let samplers = try (0..<workers).map { rank in
            try RowSampler(.shuffled, rowCount: 240, rank: rank, workers: workers, seed: 1, batchSize: 4, name: "rows")
        }
        func average(_ ranks: Range<Int>) {
            let mean = (0..<d).map { j in ranks.reduce(0) { $0 + x[$1][j] } / Float(ranks.count) }
            for rank in ranks { x[rank] = mean }
        }
        for t in 1...30 {
            for rank in 0..<workers {
                samplers[rank].advance()
                var g = [Float](repeating: 0, count: d)
                var target = g.mutableSpan
                let (here, rows) = (x[rank], samplers[rank].chosen)
                _ = HuberGradients(problem: Self.problem).gradient(at: here.span, chosen: rows.span, into: &target)
                for j in 0..<d { x[rank][j] -= 0.1 * g[j] }
            }
            if !t.isMultiple(of: 2) { continue }
            for ranks in t.isMultiple(of: 6) ? [0..<4] : [0..<2, 2..<4] { average(ranks) }
        }
        average(0..<4)
        #expect(result.record.updates == 30)
        for (a, b) in zip(result.parameters, x[0]) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
        // Before step t others' steps are unseen: 1 in the group and 2 without, each since they were averaged last.
        let unseen = (0..<30).map { t in UInt64(t % 2 + 2 * (t % 6)) }
        #expect(abs(result.record.staleness.all.mean - Double(unseen.reduce(0, +)) / 30) < 1e-9)
        #expect(result.record.staleness.all.max == unseen.max())
    }

    @Test func `one seed gives the same bits on every clock, and another seed others`() throws {
        let name = "hierarchical-averaging:group=2,period=3"
        let native = try trained(name, workers: 4)
        let cost = try NetworkCost(latencySeconds: 1e-3, secondsPerMegabyte: 1)
        func virtual(_ straggler: Straggler) throws -> TrainingResult {
            try trained(name, workers: 4) {
                $0.clock.kind = .virtual(cost)
                $0.clock.computeSeconds = 1e-3
                $0.clock.straggler = straggler
            }
        }
        let even = try virtual(.none)
        #expect(even.parameters == native.parameters)
        #expect(even.record.points.map(\.loss) == native.record.points.map(\.loss))
        let uneven = try virtual(.constant(rank: 1, factor: 3))
        #expect(uneven.parameters == native.parameters)
        #expect(uneven.record.seconds > even.record.seconds)
        #expect(try trained(name, workers: 4) { $0.seed = 2 }.parameters != native.parameters)
    }

    @Test func `a limit of seconds ends all workers at the same step, wherever they are`() throws {
        let cost = try NetworkCost(latencySeconds: 1e-3, secondsPerMegabyte: 1)
        for limit in stride(from: 0.0105, to: 0.03, by: 0.0011) {
            let result = try trained("hierarchical-averaging:group=2,period=2,rounds=2", workers: 4) {
                $0.clock.kind = .virtual(cost)
                $0.clock.computeSeconds = 1e-3
                $0.clock.straggler = .constant(rank: 3, factor: 2)
                $0.maxSeconds = limit
                $0.epochs = 100
            }
            #expect(result.record.status == .timeLimit)
            // As many steps of each: all were written down.
            #expect(result.record.staleness.all.count == 4 * result.record.updates)
        }
    }

    @Test func `a group that does not divide the workers is refused, and so is a misspelt setting`() throws {
        #expect(throws: InputError(at: "--algorithm", found: "group=3 for 4 workers", expected: "a divisor of them")) {
            try trained("hierarchical-averaging:group=3", workers: 4)
        }
        #expect(throws: InputError.self) { try trained("hierarchical-averaging:perod=3", workers: 4) }
    }
}

/// Trains on the small rows, two epochs of minibatches of 4 rows by default.
func trained(
    _ algorithm: String, workers: Int, _ change: (inout TrainingOptions) throws -> Void = { _ in }
) throws -> TrainingResult {
    var options = TrainingOptions(
        try Algorithm(parsing: algorithm, among: Algorithm.builtIn + [HierarchicalAveraging.self]))
    options.batchSize = 4
    options.epochs = 2
    options.stepSize = StepSize(0.1)
    try change(&options)
    return try TrainingRun(problem: HierarchicalAveragingTests.problem, workers: workers, options: options).run()
}
