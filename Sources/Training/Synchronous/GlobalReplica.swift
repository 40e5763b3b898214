// global-replica: the model lives on servers, which workers pull from and push gradients to (section 2.1.2, third implementation).
// The thread of each rank runs it.

internal import Collectives
internal import Messaging

extension SynchronousWorker {
    /// x_(t+1) = x_t - gamma (1/N) sum_n g_n(x_t) on the servers, one chunk of the model each, or all on one; then workers pull.
    ///
    /// Gradients go in and the model comes out, so that sparse gradients make only the first half cheaper.
    func globalReplica(_ stretch: SynchronousStretch, over communicator: Communicator) throws {
        let hasOneServer = options.collective == .parameterServer
        let own = hasOneServer ? 0..<(unsafe parameters.count) : chunk(of: rank, of: workers)
        try iterate(stretch, over: communicator) { t, gamma in
            if let average {
                try unsafe average.reduceToServers(gradient, step: t, stepSize: Double(gamma), over: communicator)
            } else if hasOneServer {
                try unsafe communicator.parameterServerReduce(gradient)
            } else {
                try unsafe communicator.multiServerReduceScatter(gradient)
            }
            // The velocity stays where the model is.
            if !hasOneServer || isDedicatedServer {
                descend(gamma, share: average == nil ? 1 / Float(workers) : 1, in: own)
            }
            if hasOneServer {
                try unsafe communicator.parameterServerBroadcast(parameters)
            } else {
                try unsafe communicator.multiServerAllGather(parameters)
            }
        }
    }
}
