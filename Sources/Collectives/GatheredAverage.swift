// Averages of sparse messages: everybody gets everybody's. The thread of each rank runs it.
//
// Rank n encodes its whole vector, once. The messages go round as in the second half of a ring, unchanged, and each rank adds all N in the
// order of the ranks, each times 1/N: the same bits everywhere, and no second error. A rank receives N - 1 whole messages. One site; a slot
// for each rank's message.

internal import Compression
internal import Messaging

extension CompressedAverage {
    func gather(_ vector: FloatVector, _ iteration: Iteration, _ communicator: Communicator) throws {
        let last = workers - 1
        try code(elements, communicator) { () throws(CodecError) in
            try unsafe encode(vector, at: 0, step: iteration.step, into: rank)
        }
        try GatheredPayload(average: self, communicator: communicator).goRound(last..<2 * last)
        let codec = sites.codec(of: 0, count: elements)
        try code(workers * elements, communicator) { () throws(CodecError) in
            try unsafe codec.decode(messages[0], scale: share, into: vector)
            for worker in 1..<workers { try unsafe codec.decode(messages[worker], adding: share, to: vector) }
        }
    }
}
