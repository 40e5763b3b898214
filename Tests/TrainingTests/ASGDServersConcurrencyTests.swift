import Datasets
import Measurement
import Messaging
import Objectives
import Platform
import SwitchModel
import Testing

@testable import Training

/// asgd with its settings on threads that race, and on the wall clock.
@Suite struct ASGDServersConcurrencyTests {
    private static let variants = [
        "servers=3", "servers=4,split=4:2:1:1", "pipelined=3", "servers=2,pipelined=2", "atomic=no,pieces=5",
        "servers=2,atomic=no,pieces=2,pipelined=2", "servers=60",
    ]

    private func check(_ log: [UpdateLogEntry], _ staleness: StalenessSummary, workers: Int, pipelined: Int) {
        let last = log.reduce(0) { max($0, $1.chunk) }
        for chunk in 0...last {
            let own = log.filter { $0.chunk == chunk }.sorted { $0.writeVersion < $1.writeVersion }
            // Every update has its own place in the order of every window.
            #expect(own.map(\.writeVersion) == (0..<own.count).map { UInt64($0) }, "chunk \(chunk)")
            for worker in 0..<workers {
                let mine = own.filter { $0.worker == worker }
                #expect(mine.allSatisfy { $0.readVersion <= $0.writeVersion })
                // Up to `pipelined` of its gradients are under way.
                for (first, later) in zip(mine, mine.dropFirst(pipelined)) {
                    #expect(first.writeVersion < later.readVersion)
                }
            }
        }
        guard let matrix = staleness.delayedBy else { return }
        #expect(staleness.delayedByCount == UInt64(log.count))
        for worker in 0..<workers {
            let sum = log.filter { $0.worker == worker }.reduce(0) { $0 + $1.writeVersion - $1.readVersion }
            #expect(matrix[worker].reduce(0, +) == sum)
            if pipelined == 1 { #expect(matrix[worker][worker] == 0) }
        }
        #expect(staleness.perServer?.reduce(0) { $0 + $1.count } ?? UInt64(log.count) == UInt64(log.count))
    }

    private func pipelined(_ settings: String) -> Int {
        settings.contains("pipelined=3") ? 3 : settings.contains("pipelined=2") ? 2 : 1
    }

    @Test(arguments: variants, [1, 2, 6]) func `threads on sparse rows keep the order of every window`(
        settings: String, workers: Int
    ) throws {
        for (batch, l2) in [(1, 0.0), (3, 1e-3)] {
            let result = try train(classificationRows(400), workers: workers) {
                $0.algorithm = Algorithm(ASGD.self, settings: settings)
                $0.keepsUpdateLog = true
                $0.batchSize = batch
                $0.evaluationsPerEpoch = 3
                $0.objective = LinearObjective(l2: l2)
            }
            check(result.updateLog, result.record.staleness, workers: workers, pipelined: pipelined(settings))
            let points = result.record.points
            #expect(points[points.count - 1].loss < 0.9 * points[0].loss)
        }
    }

    @Test(arguments: variants, [1, 2, 6]) func `threads on vectors keep the order of every window`(
        settings: String, workers: Int
    ) throws {
        var options = TrainingOptions()
        options.algorithm = Algorithm(ASGD.self, settings: settings)
        options.keepsUpdateLog = true
        options.stepSize = StepSize(0.05)
        options.epochs = 1
        let result = try trainingRun(TargetProblem(rows: 300, width: 50), workers: workers, options).run()
        check(result.updateLog, result.record.staleness, workers: workers, pipelined: pipelined(settings))
    }

    @Test(arguments: ["servers=2", "pipelined=2", "servers=2,pipelined=2", "atomic=no,pieces=3"])
    func `the wall clock keeps the order of every window, and about the time of the model`(settings: String) throws {
        var options = TrainingOptions()
        options.algorithm = Algorithm(ASGD.self, settings: settings)
        options.keepsUpdateLog = true
        options.stepSize = StepSize(0.05)
        options.epochs = 1
        options.clock.computeSeconds = 1e-3
        options.clock.kind = .wall(try NetworkCost(latencySeconds: 5e-4, secondsPerMegabyte: 1))
        let result = try trainingRun(TargetProblem(rows: 60, width: 50), workers: 3, options).run()
        check(result.updateLog, result.record.staleness, workers: 3, pipelined: pipelined(settings))
        let exchange = try #require(result.record.exchange)
        // Never less than the model has; how much more is a matter of the machine.
        #expect(exchange.secondsPerIteration > 0.8 * (try #require(exchange.predictedSecondsPerIteration)))
    }

    @Test func `alone a worker on several windows makes the steps of one on one`() throws {
        let rows = try classificationRows(300)
        func parameters(_ settings: String, _ l2: Double = 0) throws -> LinearModel {
            try train(rows) {
                $0.algorithm = Algorithm(ASGD.self, settings: settings)
                $0.objective = LinearObjective(l2: l2)
            }.model
        }
        for settings in ["servers=3", "servers=4,split=4:2:1:1", "atomic=no", "servers=100"] {
            #expect(try parameters(settings).weights == parameters("").weights)
            #expect(try parameters(settings).intercept == parameters("").intercept)
            #expect(try parameters(settings, 1e-3).weights == parameters("", 1e-3).weights)
        }
    }

    @Test(arguments: [1, 2, 5])
    func `in shared memory a gradient of one worker waits for as many of its own as are under way`(
        pipelined: Int
    ) throws {
        for problem in [
            TargetProblem(rows: 100, width: 5) as any MinibatchProblem,
            LinearProblem(objective: LinearObjective(), train: try classificationRows(100)),
        ] {
            var options = TrainingOptions()
            options.algorithm = Algorithm(ASGD.self, settings: "pipelined=\(pipelined)")
            options.epochs = 2
            options.stepSize = StepSize(0.05)
            options.keepsUpdateLog = true
            let result = try trainingRun(problem, workers: 1, options).run()
            let log = result.updateLog.sorted { $0.writeVersion < $1.writeVersion }
            #expect(log.count == 200)
            for (t, entry) in log.enumerated() {
                #expect(entry.writeVersion - entry.readVersion == UInt64(min(t, pipelined - 1)))
            }
            let staleness = result.record.staleness
            #expect(staleness.all.max == UInt64(pipelined - 1))
            if pipelined > 1 {
                #expect(staleness.delayedBy == [[log.reduce(0) { $0 + $1.writeVersion - $1.readVersion }]])
                #expect(staleness.concurrencyMax == pipelined)
            }
        }
    }
}
