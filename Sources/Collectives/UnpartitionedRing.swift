// AllReduce on a ring without partitions (section 1.3.3). The thread of each rank runs it.
//
// The whole vector goes from rank 0 to rank N - 1, each adding its own, and the sum goes round once more: 2 (N - 1) messages of d
// elements, one after the other.

public import Messaging

extension Communicator {
    /// Leaves the sum of all ranks' vectors in each of them; every rank calls it with equally many elements.
    public func ringAllReduceUnpartitioned(_ vector: FloatVector) throws(FabricError) {
        guard count > 1 else { return }
        let last = count - 1
        if rank == 0 {
            try unsafe lend(vector, to: 1)
            // The sum comes from the last rank, so the first message has been read; where N = 2 by that very rank.
            try completeAll()
        } else {
            try unsafe receiveAdding(into: vector, from: left())
            try unsafe lend(vector, to: right())
        }
        if rank != last {
            try completeAll()
            try unsafe receiveCopying(into: vector, from: left())
            if rank < last - 1 { try unsafe lend(vector, to: right()) }
        }
        try completeAll()
    }
}
