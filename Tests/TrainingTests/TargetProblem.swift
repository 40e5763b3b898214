import Kernels
import Measurement
import Objectives
import Platform

@testable import Training

/// f(x) = (1/M) sum_m (1/2) sum_i a_i (x_i - c_(m,i))^2: every row has a target of its own, drawn with a seed.
final class TargetProblem: MinibatchProblem {
    let start: [Float]
    private let curvatures: [Float]
    private let targets: [[Float]]
    /// Called on the worker's thread before each gradient.
    private let meanwhile: (@Sendable () -> Void)?

    init(rows: Int, width: Int, seed: UInt64 = 5, meanwhile: (@Sendable () -> Void)? = nil) {
        var stream = RandomStream(seed: seed)
        curvatures = (0..<width).map { _ in 0.5 + stream.nextUnitFloat() }
        start = (0..<width).map { _ in stream.nextUnitFloat() * 2 - 1 }
        targets = (0..<rows).map { _ in (0..<width).map { _ in stream.nextUnitFloat() * 4 - 2 } }
        self.meanwhile = meanwhile
    }

    var parameterCount: Int { start.count }
    var rowCount: Int { targets.count }
    var hasSparseGradients: Bool { false }
    var automaticStepSize: Double { 0.5 }
    func initialParameters(seed: UInt64) -> [Float] { start }
    func place(_ ranges: NodeRanges) {}
    var summary: ProblemSummary {
        let size = ProblemSummary.Rows(
            name: "targets", rows: rowCount, features: parameterCount, nonzeros: rowCount * parameterCount)
        return ProblemSummary(objective: "targets", l2: 0, intercept: false, train: size)
    }

    /// a_i (x_i - c_(m,i)).
    func gradient(of row: Int, at x: [Double], _ i: Int) -> Double {
        Double(curvatures[i]) * (x[i] - Double(targets[row][i]))
    }

    func makeGradients(batchSize: Int) -> any MinibatchGradients { Gradients(problem: self) }
    func makeEvaluator(team: WorkerTeam) -> any ProblemEvaluator { Figures(problem: self) }

    private final class Gradients: MinibatchGradients {
        private let problem: TargetProblem

        init(problem: TargetProblem) { self.problem = problem }

        func gradient(at x: Span<Float>, chosen: Span<Int>, into gradient: inout MutableSpan<Float>) -> Bool {
            problem.meanwhile?()
            for i in x.indices {
                var sum: Float = 0
                for k in chosen.indices { sum += problem.curvatures[i] * (x[i] - problem.targets[chosen[k]][i]) }
                gradient[i] = sum / Float(chosen.count)
            }
            return true
        }
    }

    private final class Figures: ProblemEvaluator {
        private let problem: TargetProblem

        init(problem: TargetProblem) { self.problem = problem }

        func evaluate(
            _ x: Span<Float>, _ figures: EvaluationFigures, gradient: inout [Double]
        ) -> (train: Evaluation?, test: Evaluation?, penalty: Double) {
            let parameters = x.indices.map { Double(x[$0]) }
            if figures.contains(.gradient) {
                for i in gradient.indices {
                    gradient[i] =
                        (0..<problem.rowCount).reduce(0) { $0 + problem.gradient(of: $1, at: parameters, i) }
                        / Double(problem.rowCount)
                }
            }
            let loss = problem.targets.reduce(0.0) { sum, target in
                parameters.indices.reduce(sum) {
                    let difference = parameters[$1] - Double(target[$1])
                    return $0 + 0.5 * Double(problem.curvatures[$1]) * difference * difference
                }
            }
            return (Evaluation(loss: loss / Double(problem.rowCount)), nil, 0)
        }
    }
}
