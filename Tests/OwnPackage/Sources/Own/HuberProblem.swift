// Huber regression on generated rows with outliers: an objective of this package's own. Shared by all workers.

import RelaxedSGD

/// f(x) = (1/M) sum_m h(<a_m, x> - b_m), with h(r) = r^2/2 where |r| <= delta and delta (|r| - delta/2) elsewhere.
///
/// Rows are a_m ~ N(0, 1) in d features, targets b_m = <a_m, x*> + noise of Student's t distribution, x*_j = 1 + j mod 3.
struct HuberProblem: MinibatchProblem {
    let rowCount: Int
    let parameterCount: Int
    let delta: Float
    /// Row by row.
    let features: [Float]
    let targets: [Float]

    init(rows: Int, features d: Int, delta: Float = 1, seed: UInt64) {
        (rowCount, parameterCount, self.delta) = (rows, d, delta)
        var stream = RandomStream(seed: seed)
        var (features, targets): ([Float], [Float]) = ([], [])
        for _ in 0..<rows {
            var target = Float(stream.nextStudentT()) / 2
            for j in 0..<d {
                features.append(Float(stream.nextNormal()))
                target += features[features.count - 1] * Float(1 + j % 3)
            }
            targets.append(target)
        }
        (self.features, self.targets) = (features, targets)
    }

    /// 1/L with L at most the mean of norm(a)^2, for h'' <= 1.
    var automaticStepSize: Double {
        Double(rowCount) / features.reduce(0) { $0 + Double($1) * Double($1) }
    }

    var summary: ProblemSummary {
        ProblemSummary(
            objective: "huber \(delta)", l2: 0, intercept: false,
            train: ProblemSummary.Rows(
                name: "generated rows", rows: rowCount, features: parameterCount, nonzeros: features.count))
    }

    func makeGradients(batchSize: Int) -> any MinibatchGradients { HuberGradients(problem: self) }
    func makeEvaluator(team: WorkerTeam) -> any ProblemEvaluator { HuberFigures(problem: self) }

    /// <a_m, x> - b_m.
    func residual(_ row: Int, at x: Span<Float>) -> Float {
        var sum = -targets[row]
        for j in 0..<parameterCount { sum += features[row * parameterCount + j] * x[j] }
        return sum
    }
}

final class HuberGradients: MinibatchGradients {
    private let problem: HuberProblem

    init(problem: HuberProblem) { self.problem = problem }

    func gradient(at x: Span<Float>, chosen: Span<Int>, into gradient: inout MutableSpan<Float>) -> Bool {
        let d = problem.parameterCount
        for j in 0..<d { gradient[j] = 0 }
        var isFinite = true
        for i in chosen.indices {
            let residual = problem.residual(chosen[i], at: x)
            isFinite = isFinite && residual.isFinite
            let slope = min(max(residual, -problem.delta), problem.delta) / Float(chosen.count)
            for j in 0..<d { gradient[j] += slope * problem.features[chosen[i] * d + j] }
        }
        return isFinite
    }
}

final class HuberFigures: ProblemEvaluator {
    private let problem: HuberProblem

    init(problem: HuberProblem) { self.problem = problem }

    func evaluate(
        _ x: Span<Float>, _ figures: EvaluationFigures, gradient: inout [Double]
    ) throws(InputError) -> (train: Evaluation?, test: Evaluation?, penalty: Double) {
        let (d, M, delta) = (problem.parameterCount, Double(problem.rowCount), Double(problem.delta))
        let mean = problem.targets.reduce(0) { $0 + Double($1) } / M
        var (loss, squares, total) = (0.0, 0.0, 0.0)
        if figures.contains(.gradient) { for j in 0..<d { gradient[j] = 0 } }
        for row in 0..<problem.rowCount {
            let residual = Double(problem.residual(row, at: x))
            loss += abs(residual) <= delta ? residual * residual / 2 : delta * (abs(residual) - delta / 2)
            squares += residual * residual
            total += (Double(problem.targets[row]) - mean) * (Double(problem.targets[row]) - mean)
            guard figures.contains(.gradient) else { continue }
            let slope = min(max(residual, -delta), delta) / M
            for j in 0..<d { gradient[j] += slope * Double(problem.features[row * d + j]) }
        }
        return (Evaluation(loss: loss / M, r2: 1 - squares / total), nil, 0)
    }
}
