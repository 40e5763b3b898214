import Datasets
import Measurement
import Messaging
import Objectives
import Platform
import SwitchModel
import Testing

@testable import Training

/// dsgd on the ring against equation 5.2, worked out with matrices.
@Suite struct DSGDTests {
    static let gamma = 0.3

    static let clocks: [FabricClock] = [
        .native, .virtual(cost(latency: 1e-3, perMegabyte: 2)), .wall(cost(latency: 1e-6, perMegabyte: 1e-3)),
    ]

    private static func cost(latency: Double, perMegabyte: Double) -> NetworkCost {
        try! NetworkCost(latencySeconds: latency, secondsPerMegabyte: perMegabyte)
    }

    /// W of the ring: 1/3 for a worker and for each side, mod N; both sides are one worker where N = 2.
    private func ring(_ n: Int) -> [[Double]] {
        var w = Array(repeating: Array(repeating: 0.0, count: n), count: n)
        if n == 1 { return [[1]] }
        for i in 0..<n {
            for j in [i, (i + 1) % n, (i + n - 1) % n] { w[i][j] += 1.0 / 3 }
        }
        return w
    }

    private func run(
        _ problem: TargetProblem, workers: Int, stop: StopRequest = StopRequest(),
        _ change: (inout TrainingOptions) -> Void
    ) throws -> (result: TrainingResult, workers: [RankWorker]) {
        var options = TrainingOptions()
        options.algorithm = Algorithm(DSGD.self)
        options.order = .sequential
        options.batchSize = 1
        options.stepSize = StepSize(Self.gamma)
        options.clock.computeSeconds = 1e-3
        change(&options)
        if !options.clock.kind.isModel { options.clock.computeSeconds = nil }
        let ranks: WorkerTeam? =
            options.clock.kind.isVirtual ? nil : try WorkerTeam(placement: .unpinned(workers: workers))
        let run = try TrainingRun(
            problem: problem, workers: workers, team: WorkerTeam(placement: .unpinned(workers: 1)), ranks: ranks,
            options: options, stop: stop)
        let result = try run.run()
        return (result, try #require(run.runner as? FabricRunner).workers)
    }

    @Test(arguments: 1...9, 0..<3) func `models follow the matrix iteration, on every clock`(
        count: Int, clock: Int
    ) throws {
        let problem = TargetProblem(rows: count, width: 5)
        let iterations = 12
        let (result, workers) = try run(problem, workers: count) {
            $0.clock.kind = Self.clocks[clock]
            $0.epochs = iterations
        }
        let w = ring(count)
        var x = Array(repeating: problem.start.map(Double.init), count: count)
        let rows = try (0..<count).map { rank in
            try RowSchedule(.sequential, rowCount: count, rank: rank, workers: count, seed: 1).partition.chunks[0]
                .first!
        }
        for _ in 0..<iterations {
            let stepped = x.indices.map { n in
                x[n].indices.map { x[n][$0] - Self.gamma * problem.gradient(of: rows[n], at: x[n], $0) }
            }
            x = x.indices.map { n in
                x[n].indices.map { i in w[n].indices.reduce(0) { $0 + w[n][$1] * stepped[$1][i] } }
            }
        }
        for n in 0..<count {
            for (found, expected) in zip(workers[n].x.elements, x[n]) { #expect(abs(Double(found) - expected) < 1e-5) }
        }
        let mean = x[0].indices.map { i in x.reduce(0) { $0 + $1[i] } / Double(count) }
        for (found, expected) in zip(result.parameters, mean) { #expect(abs(Double(found) - expected) < 1e-5) }
        let distance = x.reduce(0) { sum, x in zip(x, mean).reduce(sum) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
        let last = try #require(result.record.points.last)
        #expect(abs(try #require(last.consensusDistance) - distance / Double(count)) < 1e-5)
        #expect(count < 4 || distance > 1e-3)
        #expect(result.record.updates == UInt64(iterations) && result.record.status == .completed)
    }

    @Test(arguments: 2...9) func `a step takes 2 latencies and 2 transfers beside its computation`(count: Int) throws {
        let width = 250
        let (result, _) = try run(TargetProblem(rows: count, width: width), workers: count) {
            $0.clock.kind = .virtual(Self.cost(latency: 1e-3, perMegabyte: 2))
            $0.epochs = 10
        }
        let step = 1e-3 + 2 * (1e-3 + 2 * Double(4 * width) / 1e6)
        #expect(abs(result.record.seconds - 10 * step) < 1e-12)
        let exchange = try #require(result.record.exchange)
        #expect(abs(try #require(exchange.predictedSecondsPerIteration) - step) < 1e-12)
        #expect(exchange.messagesPerIteration == Double(2 * count))
        #expect(exchange.bytesPerIteration == Double(2 * count * 4 * width))
    }

    @Test(arguments: [1, 20]) func `evaluations move nobody, and see workers who are apart`(evaluations: Int) throws {
        func record(_ evaluations: Int) throws -> TrainingResult {
            try run(TargetProblem(rows: 9 * 20, width: 4), workers: 9) {
                $0.clock.kind = Self.clocks[1]
                $0.clock.straggler = .constant(rank: 0, factor: 10)
                $0.epochs = 2
                $0.evaluationsPerEpoch = evaluations
            }.result
        }
        let (usual, other) = (try record(0), try record(evaluations))
        #expect(usual.parameters == other.parameters && usual.record.seconds == other.record.seconds)
        #expect(other.record.points.count == 1 + 2 * evaluations)
    }

    @Test(arguments: [2, 3, 8, 9]) func `ranks that are up to half a ring apart end after the same step`(
        count: Int
    ) throws {
        let (result, workers) = try run(TargetProblem(rows: count, width: 4), workers: count) {
            $0.clock.kind = Self.clocks[1]
            $0.clock.straggler = .constant(rank: 1, factor: 10)
            $0.epochs = 1_000
            $0.maxSeconds = 0.7654
        }
        #expect(result.record.status == .timeLimit)
        #expect(workers.allSatisfy { $0.ended == workers[0].ended } && (20..<200).contains(workers[0].ended))
    }

    @Test func `another topology than the ring is refused, with those that there are`() throws {
        var options = TrainingOptions()
        options.algorithm = try Algorithm(parsing: "dsgd:topology=rung")
        let error = #expect(throws: InputError.self) {
            try TrainingRun.check(
                problem: TargetProblem(rows: 4, width: 2), workers: 2, evaluators: 1, options: options)
        }
        #expect(error?.found.contains("rung") == true && error?.expected.contains("did you mean ring?") == true)
    }
}
