// model-aggregation: every worker steps alone, then the models are averaged (section 2.1.2, second implementation). The thread of
// each rank runs it.

internal import Collectives
internal import Kernels
internal import Messaging

extension SynchronousWorker {
    /// x_(t+1/2) = x_t - gamma g_n(x_t) on worker n, then x_(t+1) = (1/N) sum_n x_(t+1/2) on every worker, the sum by any collective.
    ///
    /// With momentum each worker keeps the velocity of its own gradients; their mean is that of the mean gradient.
    func modelAggregation(_ stretch: SynchronousStretch, over communicator: Communicator) throws {
        try iterate(stretch, over: communicator) { _, gamma in
            if !isDedicatedServer { descend(gamma, share: 1) }
            try unsafe communicator.allReduce(parameters, by: options.collective)
            unsafe scale(parameters.baseAddress!, by: 1 / Float(workers), count: parameters.count)
        }
    }
}
