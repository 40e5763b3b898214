// csgd and ec-sgd: gradients travel compressed (sections 3.1.2 and 3.3). The thread of each rank runs them.

internal import Collectives
internal import Messaging

extension SynchronousWorker {
    /// x_(t+1) = x_t - gamma v_t on every worker, where v_t is the mean gradient as compression leaves it.
    ///
    /// csgd: v_t = Q((1/N) sum_n Q(g_n)) through servers (equation 3.2), or Q(... Q(Q(g_1) + g_2) ... + g_N) / N round the ring
    /// (equation 3.3). ec-sgd: every place that compresses adds what its last message lost, delta_(t-1), and keeps what this one loses
    /// (equations 3.8 to 3.12). Or the codec's natural aggregation; see `CompressedCollective`.
    func compressedSGD(_ stretch: SynchronousStretch, over communicator: Communicator) throws {
        guard let average else { preconditionFailure("no codec") }
        try iterate(stretch, over: communicator) { t, gamma in
            try unsafe average.average(gradient, step: t, stepSize: Double(gamma), over: communicator)
            descend(gamma, share: 1)
        }
    }
}
