// gradient-aggregation: every worker has a replica of the model; the gradients are summed (section 2.1.2, first implementation).
// The thread of each rank runs it.

internal import Collectives
internal import Messaging

extension SynchronousWorker {
    /// x_(t+1) = x_t - gamma (1/N) sum_n g_n(x_t) on every worker, the sum by any collective. Replicas stay equal bit for bit.
    func gradientAggregation(_ stretch: SynchronousStretch, over communicator: Communicator) throws {
        try iterate(stretch, over: communicator) { t, gamma in
            if let average {
                // Sparse gradients without their zeros.
                try unsafe average.average(gradient, step: t, stepSize: Double(gamma), over: communicator)
                descend(gamma, share: 1)
            } else {
                try unsafe communicator.allReduce(gradient, by: options.collective)
                descend(gamma, share: 1 / Float(workers))
            }
        }
    }
}
