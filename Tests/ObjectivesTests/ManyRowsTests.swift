import Datasets
import Platform
import Testing

@testable import Objectives

/// Counts and sums over more rows than single precision can hold or add.
@Suite struct ManyRowsTests {
    @Test func `a feature's rows are counted beyond 2^24, and its penalty weighs by them`() throws {
        var counts = try FeatureCounts(features: 3)
        counts[0] = 1 << 24
        counts[1] = UInt32.max - 2
        let rows = try SparseDataset(featureCount: 3, rows: (0..<2).map { _ in (1, [(0, 1), (1, 1)]) })
        counts.add(rows)
        #expect(counts[0] == 1 << 24 + 2 && counts[1] == UInt32.max && counts[2] == 0)
        let weights = try counts.weights(rowCount: Int(UInt32.max))
        #expect(unsafe weights.pointer[0] == Float(Double(UInt32.max) / Double(1 << 24 + 2)))
        #expect(unsafe weights.pointer[1] == 1 && weights.pointer[2] == 0)
    }

    @Test func `the gradient over all rows keeps what one large row would drown in single precision`() throws {
        // Least squares at 0: the gradient of the bias is minus the mean target.
        let rowCount = 70_000
        let model = try MultilayerPerceptron(inputs: 1, outputs: 1, loss: .squared)
        let data = try DenseDataset(
            columns: [DenseColumn(name: "x")], rows: (0..<rowCount).map { ($0 == 0 ? 1e8 : 1, [$0 == 0 ? 0 : 1]) })
        let team = try WorkerTeam(placement: .unpinned(workers: 2))
        let evaluator = try DenseEvaluator(objective: model, rows: LabelledRows(data), name: "rows", team: team)
        var gradient = [0.0, 0]
        let parameters: [Float] = [0, 0]
        try evaluator.gradient(at: parameters.span, into: &gradient)
        withExtendedLifetime(data) {}
        let expected = (1e8 + Double(rowCount - 1)) / Double(rowCount)
        #expect(abs(-gradient[1] / expected - 1) < 1e-6)
        #expect(abs(-gradient[0] / (Double(rowCount - 1) / Double(rowCount)) - 1) < 4e-6)
    }
}
