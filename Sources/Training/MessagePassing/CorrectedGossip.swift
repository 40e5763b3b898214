// The loop that d2 and exact-diffusion have in common. The thread of each rank runs it.

internal import Messaging

/// With y_t = x_t - gamma_t g_t(x_t), a step of this worker alone, and y_(-1) = x_0: x_(t+1) = sum_j A_nj (x_t + y_t - y_(t-1))_j.
///
/// That is d2 with A = W, since y_t - y_(t-1) = x_t - x_(t-1) - gamma_t g_t + gamma_(t-1) g_(t-1), and exact diffusion with A = (W + I)/2. What the gradients of
/// a fixed point would push workers apart by, the difference has already undone.
enum CorrectedGossip {
    /// y of the step before, and what is mixed.
    static func memoryBytes(_ plan: RunPlan) -> Int { 2 * Vector.byteCount(of: plan.problem.parameterCount) }

    static func run(_ worker: RankWorker, over communicator: Communicator, _ neighbours: Neighbourhood) throws {
        let last = try Vector(count: worker.x.count)
        let half = try Vector(count: worker.x.count)
        last.copy(from: worker.x)
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            half.copy(from: worker.x)
            half.add(-1, times: last)
            worker.descend(step.size)
            half.add(times: worker.x)
            last.copy(from: worker.x)
            try neighbours.mix(half, into: worker.x, step: step.t, over: communicator)
        }
    }
}
