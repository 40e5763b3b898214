// gd: x_(t+1) = x_t - gamma f'(x_t) (section 1.1, equation 1.2). The coordinator runs it, with all workers summing the gradient.

internal import Kernels
internal import Objectives
internal import Platform

/// One step of gradient descent at update `t`; false where the gradient is not finite and nothing was changed.
///
/// The gradient is summed in an order that depends on the data alone: the same bits for any number of workers.
func gradientDescentStep(
    _ evaluator: LinearEvaluator, _ team: WorkerTeam, model: SharedParameters, gradient: inout [Double], stepSize: Float
) throws(InputError) -> Bool {
    try evaluator.gradient(of: model, team: team, into: &gradient)
    guard gradient.allSatisfy(\.isFinite) else { return false }
    for j in 0..<model.count { model[j] -= stepSize * Float(gradient[j]) }
    return true
}
