// gd: x_(t+1) = x_t - gamma f'(x_t) (section 1.1, equation 1.2). The coordinator runs it, with all workers summing the gradient.

internal import Datasets
internal import Kernels
internal import Objectives
public import Platform

/// Gradient descent.
public struct GradientDescent: SharedAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "gd", summary: "the gradient over all rows, then one step; all workers sum it", section: "1.1, eq. 1.2",
        isSerial: true, batchSize: 1, order: .blocks)

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        try run.requireSharedMemory(for: Self.facts)
    }

    /// One step of gradient descent at update `t`; false where the gradient is not finite and nothing was changed.
    ///
    /// The gradient is summed in an order that depends on the data alone: the same bits for any number of workers. What rounding takes from
    /// the model stays in `lost`, as many floats, for the next step: on rows that are all the same again, small steps would never count.
    func step(
        _ evaluator: LinearEvaluator, _ team: WorkerTeam, model: SharedParameters, gradient: inout [Double],
        lost: inout [Float],
        stepSize: Float
    ) throws(InputError) -> Bool {
        try evaluator.gradient(of: model, team: team, into: &gradient)
        guard gradient.allSatisfy(\.isFinite) else { return false }
        for j in 0..<model.count {
            let exact = Double(model[j]) + Double(lost[j]) - Double(stepSize) * gradient[j]
            model[j] = Float(exact)
            lost[j] = Float(exact - Double(model[j]))
        }
        return true
    }
}
