import Datasets
import Measurement
import Objectives
import Testing

@testable import Training

@Suite struct EvaluationBudgetTests {
    /// Visits to rows by all evaluations of a run.
    private func visits(_ budget: EvaluationBudget, epochs: Int, rows: Int, heldOut: Int?, startsAtZero: Bool) -> Double
    {
        let period = budget.epochsPerEvaluation
        let evaluations = Double((epochs + period - 1) / period) + (startsAtZero ? 0 : 1)
        let passes: Double =
            switch budget.trainLoss {
            case .every: evaluations
            case .ends: startsAtZero ? 1 : 2
            case .end: 1
            case .never: 0
            }
        guard let heldOut else { return evaluations * Double(rows) / (budget.samplesTrainingRows ? 8 : 1) }
        return evaluations * Double(heldOut) + passes * Double(rows)
    }

    @Test func `what is evaluated by default costs less than a fifth of the training, or is the end alone`() {
        for epochs in Array(1...12) + [20, 100, 1_000] {
            for (rows, heldOut) in [
                (60_000, 10_000), (60_000, nil), (32_561, 16_281), (9_000, 9_000), (2_000, nil), (2_000, 400),
                (1_000_000, 10),
            ] as [(Int, Int?)] {
                for startsAtZero in [false, true] {
                    let budget = EvaluationBudget(
                        epochs: epochs, rows: rows, heldOutRows: heldOut, rowWork: 784, startsAtZero: startsAtZero)
                    let cost =
                        0.45
                        * visits(budget, epochs: epochs, rows: rows, heldOut: heldOut, startsAtZero: startsAtZero)
                    let isEndAlone =
                        budget.epochsPerEvaluation == epochs && (heldOut == nil || budget.trainLoss == .never)
                    #expect(cost < 0.2 * Double(epochs * rows) || isEndAlone && !budget.samplesTrainingRows)
                    #expect((1...epochs).contains(budget.epochsPerEvaluation))
                    // None is left out that there would have been time for: one epoch less between them costs too much.
                    let period = budget.epochsPerEvaluation
                    if period > 1 {
                        let more = Double((epochs + period - 2) / (period - 1))
                        let each = Double(heldOut ?? (budget.samplesTrainingRows ? rows / 8 : rows))
                        #expect(5 * (more + (startsAtZero ? 0 : 1)) * each > 2 * Double(epochs * rows))
                    }
                }
            }
        }
    }

    @Test func `rows that are evaluated in no time are so in every epoch`() {
        let budget = EvaluationBudget(epochs: 3, rows: 300, heldOutRows: nil, rowWork: 20, startsAtZero: false)
        #expect(budget.epochsPerEvaluation == 1 && budget.trainLoss == .ends && !budget.samplesTrainingRows)
    }

    @Test(arguments: [1, 3]) func `a sample has its own loss, accuracy and AUC, as a model of its rows alone has`(
        workers: Int
    ) throws {
        let count = 10_000
        let data = try classificationRows(count)
        let parts = count / 1_024
        // By hand: the first eighth, rounded up, of each of the equal parts.
        let chosen = (0..<parts).flatMap { part in
            let (first, end) = (count * part / parts, count * (part + 1) / parts)
            return first..<first + (end - first + 7) / 8
        }
        func run(_ data: SparseDataset, sampled: Bool) throws -> LinearResult {
            try train(data, workers: workers) {
                $0.algorithm = .gd
                $0.stepSize = StepSize(0.01)
                $0.epochs = 1
                $0.startParameters = (0...data.featureCount).map { Float($0 % 5) * 0.01 }
                $0.samplesTrainingRows = sampled
            }
        }
        let sampled = try run(data, sampled: true).record
        let whole = try run(data, sampled: false).record
        let alone = try run(subset(data, chosen), sampled: false).record
        #expect(sampled.sampledRows == chosen.count && whole.sampledRows == nil)
        let (a, b, all) = (sampled.points[0], alone.points[0], whole.points[0])
        #expect(abs(a.loss - b.loss) < 1e-9 && a.accuracy == b.accuracy && abs(a.auc! - b.auc!) < 1e-12)
        #expect(a.loss != all.loss && abs(a.loss - all.loss) < 0.05)
        #expect(sampled.points[1].loss < a.loss)
    }

    private func subset(_ data: SparseDataset, _ chosen: [Int]) throws -> SparseDataset {
        let rows = data.rows
        return try SparseDataset(
            featureCount: data.featureCount,
            rows: chosen.map { row in
                let range = rows.rowOffsets[row]..<rows.rowOffsets[row + 1]
                return (rows.labels[row], range.map { (rows.indices[$0], rows.values[$0]) })
            })
    }
}
