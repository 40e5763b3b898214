// Averages of sparse messages: everybody gets everybody's. The thread of each rank runs it.
//
// Rank n encodes its whole vector, once. The messages go round the ring in N - 1 steps, unchanged, and each rank adds all N in the order of
// the ranks, each times 1/N: the same bits everywhere, and no second error. A rank receives N - 1 whole messages. One site; a slot for
// each rank's message.

internal import Compression
internal import Messaging

extension CompressedAverage {
    func gather(_ vector: FloatVector, _ iteration: Iteration, _ communicator: Communicator) throws {
        try unsafe encode(vector, at: 0, into: rank, iteration, communicator)
        for step in 0..<workers - 1 {
            try unsafe communicator.post(messages[communicator.left(by: step)], to: communicator.right())
            try receive(from: communicator.left(), of: 0, into: communicator.left(by: step + 1), communicator)
        }
        try code(workers * elements, communicator) { () throws(CodecError) in
            try unsafe sites.decode(messages[0], of: 0, scale: share, into: vector)
            for worker in 1..<max(1, workers) {
                try unsafe sites.decode(messages[worker], of: 0, adding: share, to: vector)
            }
        }
    }
}
