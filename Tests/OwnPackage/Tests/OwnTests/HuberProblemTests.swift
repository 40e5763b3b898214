import RelaxedSGD
import Testing

@testable import Own

/// The objective: its gradient, and how a run of it is recorded.
@Suite struct HuberProblemTests {
    static let problem = HuberProblem(rows: 50, features: 4, delta: 0.8, seed: 9)

    private func figures(at x: [Float]) throws -> (loss: Double, gradient: [Double]) {
        var gradient = [Double](repeating: .nan, count: x.count)
        let found = try HuberFigures(problem: Self.problem).evaluate(
            x.span, [.training, .gradient], gradient: &gradient)
        return (try #require(found.train).loss, gradient)
    }

    @Test func `the gradient of all rows is the slope of the loss, and the mean of the minibatches'`() throws {
        let x: [Float] = [0.5, 1.5, 2, -1]
        let found = try figures(at: x)
        for j in x.indices {
            var (left, right) = (x, x)
            left[j] -= 0x1p-8
            right[j] += 0x1p-8
            let slope = try (figures(at: right).loss - figures(at: left).loss) / 0x1p-7
            #expect(abs(slope - found.gradient[j]) < 2e-2 * max(1, abs(slope)), "\(j)")
        }
        let gradients = Self.problem.makeGradients(batchSize: 10)
        var mean = [Double](repeating: 0, count: x.count)
        for start in stride(from: 0, to: 50, by: 10) {
            var g = [Float](repeating: .nan, count: x.count)
            var span = g.mutableSpan
            let rows = Array(start..<start + 10)
            let isFinite = gradients.gradient(at: x.span, chosen: rows.span, into: &span)
            #expect(isFinite)
            for j in x.indices { mean[j] += Double(g[j]) / 5 }
        }
        for j in x.indices { #expect(abs(mean[j] - found.gradient[j]) < 1e-5) }
    }

    @Test func `the step size auto and a record of JSON come with it`() throws {
        let result = try trained("hierarchical-averaging:group=1", workers: 2) { $0.stepSize = StepSize(nil) }
        let record = result.record
        #expect(record.settings.stepSize != "auto")
        #expect(record.settings.objective == "huber 1.0" && record.train.rows == 240)
        #expect(record.points[record.keptPoint].loss < record.points[0].loss)
        // Of models that are apart.
        #expect(record.points.contains { $0.consensusDistance ?? 0 > 0 })
        let text = try JSONOutput.text(
            of: HeadedRecord(environment: RunEnvironment(seed: 1), body: RunRecords([record], isList: false)))
        #expect(text.contains("\"algorithm\" : \"hierarchical-averaging:group=1\"") && text.contains("\"schema\" : 1"))
        #expect(TrainingTables.summary(of: record).contains("hierarchical-averaging:group=1"))
    }
}
