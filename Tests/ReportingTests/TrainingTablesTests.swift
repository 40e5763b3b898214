import Foundation
import Measurement
import Reporting
import Testing

/// A record of a run by one worker, with the losses of its evaluations.
func record(
    _ algorithm: String = "sgd", losses: [Double] = [0.7, 0.5, 0.25], seconds: Double = 2, seed: UInt64 = 1,
    status: RunStatus = .completed
) -> RunRecord {
    let settings = RunRecord.Settings(
        algorithm: algorithm, objective: "logistic", l2: 0, intercept: true, workers: 1, placement: "none", cpus: [nil],
        order: "blocks", batchSize: 1, stepSize: "0.5", epochs: losses.count - 1, seed: seed, targetLoss: nil,
        maxSeconds: nil, patience: nil)
    let points = losses.enumerated().map { epoch, loss in
        TrainingPoint(
            epoch: Double(epoch), updates: UInt64(epoch * 1_000), seconds: seconds * Double(epoch) / 2, loss: loss,
            accuracy: 1 - loss, auc: nil, r2: nil, trainLoss: nil, objective: nil, gradientNormSquared: nil)
    }
    let staleness = StalenessRecorder()
    staleness.record(2, count: 2_000)
    return RunRecord(
        settings: settings, train: RunRecord.Data(name: "data", rows: 1_000, features: 3, nonzeros: 9), test: nil,
        deterministic: true, status: status, points: points, keptPoint: losses.count - 1, updates: 2_000,
        samples: 2_000, seconds: seconds, orderSeconds: 0,
        staleness: StalenessSummary(method: .exact, every: 1, recorders: [staleness]))
}

/// What a program of another package prints of its runs.
@Suite struct TrainingTablesTests {
    @Test func `the course of a run is a line per evaluation`() {
        #expect(
            TrainingTables.course(of: record()) == """
                epoch  updates  seconds     loss  accuracy
                -----  -------  -------  -------  --------
                    0        0    0.000  0.70000   0.30000
                 1.00    1,000    1.000  0.50000   0.50000
                 2.00    2,000    2.000  0.25000   0.75000

                """)
    }

    @Test func `what is printed of one run says how it ended, how fast it was and how stale`() {
        let text = TrainingTables.summary(of: record())
        for fragment in [
            "sgd, logistic, step size 0.5, order blocks, batch 1, seed 1", "completed after 2 s: 1.00 k updates/s",
            "all workers         2,000  2.000    2    2    2    2", "every update was looked at",
        ] {
            #expect(text.contains(fragment), "\(text)")
        }
    }

    @Test func `runs are compared with a line each, as wide as they need`() {
        let text = TrainingTables.comparison(of: [record(), record("hogwild", losses: [0.7, 1e9], status: .diverged)])
        let lines = text.split(separator: "\n")
        #expect(lines.count == 4 && lines[0].contains("tau mean") && !lines[0].contains("bytes/iteration"))
        #expect(lines[2].hasPrefix("sgd      ") && lines[2].hasSuffix("completed"))
        #expect(lines[3].hasPrefix("hogwild  ") && lines[3].hasSuffix("diverged") && lines[3].contains("1.000e+09"))
    }
}
