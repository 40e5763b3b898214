// minibatch-sgd on the samples of N workers: the serial reference of data-parallel SGD (section 1.2.3 with batches of N B rows).

internal import Messaging

extension SynchronousWorker {
    /// x_(t+1) = x_t - gamma (1/N) sum_n g_n(x_t), where one worker computes the gradients of all N.
    func serialMinibatchSGD(_ stretch: SynchronousStretch, over communicator: Communicator) throws {
        try iterate(stretch, over: communicator) { _, gamma in descend(gamma, share: 1 / Float(workers)) }
    }
}
