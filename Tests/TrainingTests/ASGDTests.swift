import Datasets
import Measurement
import Messaging
import Platform
import SwitchModel
import Testing

@testable import Training

/// asgd in virtual time: section 4.1 with what the switch makes of it.
@Suite struct ASGDTests {
    private func run(
        workers: Int, compute: Double, latency: Double = 1e-5, rows: Int = 400, width: Int = 100,
        _ change: (inout TrainingOptions) -> Void = { _ in }
    ) throws -> TrainingResult {
        var options = TrainingOptions()
        options.algorithm = Algorithm(ASGD.self)
        options.stepSize = StepSize(0.05)
        options.epochs = 1
        options.keepsUpdateLog = true
        options.clock.computeSeconds = compute
        options.clock.kind = .virtual(try NetworkCost(latencySeconds: latency, secondsPerMegabyte: 1))
        change(&options)
        return try TrainingRun(
            problem: TargetProblem(rows: rows, width: width), workers: workers,
            team: WorkerTeam(placement: .unpinned(workers: 1)), options: options
        ).run()
    }

    @Test(arguments: [1, 2, 3, 8, 16]) func `N equal workers see N - 1 updates by the others after the first round`(
        count: Int
    ) throws {
        let result = try run(workers: count, compute: 0.1)
        let log = result.updateLog.sorted { $0.writeVersion < $1.writeVersion }
        #expect(log.map(\.writeVersion) == (0..<400).map { UInt64($0) })
        for (t, entry) in log.enumerated() {
            #expect(entry.writeVersion - entry.readVersion == UInt64(min(t, count - 1)))
        }
        // Each has its turn.
        #expect(log.enumerated().allSatisfy { $0.element.worker == log[$0.offset % count].worker })
        // A cycle is a pull, a computation and a push, in which all have their turns.
        let message = 1e-5 + 4 * 100 / 1e6
        #expect(abs(result.record.seconds - (0.1 + 2 * message) * 400 / Double(count)) < 0.2)
        #expect(result.record.deterministic && result.record.staleness.all.count == 400)
    }

    @Test func `where the server is the bottleneck an update takes as long as its message`() throws {
        let message = 1e-3 + 4 * 100 / 1e6
        for count in [4, 8] {
            let record = try run(workers: count, compute: 1e-6, latency: 1e-3).record
            #expect(abs(record.seconds / 400 - message) < 0.01 * message)
            // Who waits for his turn to pull reads when it has come: what was applied while he waited is in it.
            #expect(record.staleness.all.max == 2)
            #expect(abs(try #require(record.exchange?.predictedSecondsPerIteration) - message) < 0.01 * message)
        }
    }

    @Test(arguments: [1, 10]) func `evaluations move nobody, whoever is slow`(factor: Double) throws {
        let results = try [0, 1, 20].map { evaluations in
            try run(workers: 4, compute: 1e-3) {
                $0.evaluationsPerEpoch = evaluations
                $0.clock.straggler = .constant(rank: 2, factor: factor)
            }
        }
        for other in results.dropFirst() {
            #expect(other.parameters == results[0].parameters)
            #expect(other.record.seconds == results[0].record.seconds)
            #expect(other.updateLog == results[0].updateLog)
        }
        #expect(results[2].record.points.map(\.updates) == (0...20).map { UInt64(20 * $0) })
        let losses = results[2].record.points.map(\.loss)
        #expect(losses[20] < 0.9 * losses[0] && losses[20] == results[1].record.points[1].loss)
    }

    @Test func `a slow worker makes fewer updates, and its own are stale`() throws {
        let result = try run(workers: 3, compute: 1e-2) { $0.clock.straggler = .constant(rank: 2, factor: 5) }
        let counts = (0..<3).map { worker in result.updateLog.filter { $0.worker == worker }.count }
        #expect(counts[2] * 4 < counts[0] && counts[2] > 10)
        let taus = result.updateLog.filter { $0.worker == 2 }.map { $0.writeVersion - $0.readVersion }
        #expect(taus.allSatisfy { (8...12).contains($0) })
    }

    @Test func `the model is that of the log, update by update`() throws {
        let problem = TargetProblem(rows: 400, width: 6)
        let result = try run(workers: 4, compute: 1e-3, width: 6) { $0.order = .sequential }
        // Rows as each worker takes them.
        var samplers = try (0..<4).map { rank in
            try RowSampler(
                .sequential, rowCount: 400, rank: rank, workers: 4, seed: 1, batchSize: 1, name: "",
                beginsAnywhere: false)
        }
        var models = [problem.start.map(Double.init)]
        for entry in result.updateLog.sorted(by: { $0.writeVersion < $1.writeVersion }) {
            samplers[entry.worker].advance()
            let (row, read) = (samplers[entry.worker].chosen[0], models[Int(entry.readVersion)])
            let last = models[models.count - 1]
            models.append(last.indices.map { last[$0] - 0.05 * problem.gradient(of: row, at: read, $0) })
        }
        for (found, expected) in zip(result.parameters, models[400]) { #expect(abs(Double(found) - expected) < 1e-4) }
        samplers = []
    }

    @Test func `a limit of seconds ends all workers, and what is reported is what was done`() throws {
        let result = try run(workers: 4, compute: 1e-2) {
            $0.epochs = 100
            $0.maxSeconds = 1.2345
        }
        #expect(result.record.status == .timeLimit && result.record.deterministic)
        #expect(result.updateLog.count == Int(result.record.updates) && result.record.seconds < 1.3)
        #expect((450..<500).contains(result.record.updates))
    }
}
