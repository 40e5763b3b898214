// AllReduce through one dedicated server (section 1.3.2). The thread of each rank runs it.
//
// N workers, ranks 0..<N, and the server, rank N: N messages in, N out, all through the server's two ports.

public import Messaging

extension Communicator {
    /// Leaves the sum of the vectors of all ranks but the last, the server, in every rank's vector.
    ///
    /// The server's vector is where the sum is formed, in the order of the ranks; what it held before does not count. Every rank
    /// calls it with equally many elements.
    public func parameterServerAllReduce(_ vector: FloatVector) throws(FabricError) {
        try unsafe parameterServerReduce(vector)
        try unsafe parameterServerBroadcast(vector)
    }

    /// The first half: the server's vector becomes the sum of the others, which stay as they are.
    public func parameterServerReduce(_ vector: FloatVector) throws(FabricError) {
        let server = count - 1
        guard rank == server else {
            try unsafe lend(vector, to: server)
            return try completeAll()
        }
        if server == 0 { unsafe vector.update(repeating: 0) }
        for worker in 0..<server {
            if worker == 0 {
                try unsafe receiveCopying(into: vector, from: worker)
            } else {
                try unsafe receiveAdding(into: vector, from: worker)
            }
        }
    }

    /// The second half: every vector becomes the server's.
    public func parameterServerBroadcast(_ vector: FloatVector) throws(FabricError) {
        let server = count - 1
        guard rank == server else { return try unsafe receiveCopying(into: vector, from: server) }
        for worker in 0..<server { try unsafe lend(vector, to: worker) }
        try completeAll()
    }
}
