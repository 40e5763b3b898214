// AllReduce through one dedicated server (section 1.3.2; compressed, EC-SGD as section 3.3 has it). The thread of each rank runs it.
//
// N workers, ranks 0..<N, and the server, rank N: N messages in, N out, all through the server's two ports. The server adds the vectors
// up in the order of the ranks. Compressed, it encodes the mean once, and all, itself too, decode the same bytes; every rank has one site.

public import Messaging

extension Communicator {
    /// Leaves the sum of the vectors of all ranks but the last, the server, in every rank's vector.
    ///
    /// The server's vector is where the sum is formed, in the order of the ranks; what it held before does not count. Every rank
    /// calls it with equally many elements.
    public func parameterServerAllReduce(_ vector: FloatVector) throws {
        try unsafe parameterServerReduce(vector)
        try unsafe parameterServerBroadcast(vector)
    }

    /// The first half: the server's vector becomes the sum of the others, which stay as they are.
    public func parameterServerReduce(_ vector: FloatVector) throws {
        if count == 1 { unsafe vector.update(repeating: 0) }
        try unsafe FloatPayload(vector, self).sendToServer()
        try completeAll()
    }

    /// The second half: every vector becomes the server's.
    public func parameterServerBroadcast(_ vector: FloatVector) throws {
        try unsafe FloatPayload(vector, self).receiveFromServer()
        try completeAll()
    }
}

extension Payload {
    /// The way in.
    func sendToServer() throws {
        let server = communicator.count - 1
        guard communicator.rank == server else {
            try pack(whole)
            _ = try post(whole, to: server)
            return
        }
        for worker in 0..<server {
            try receive(whole, from: worker, as: worker == 0 ? .firstTerm : .term, releasing: true)
        }
    }

    /// The way out.
    func receiveFromServer() throws {
        let server = communicator.count - 1
        guard communicator.rank == server else {
            return try receive(whole, from: server, as: .result, releasing: true)
        }
        try pack(whole)
        for worker in 0..<server { _ = try post(whole, to: worker) }
        try unpack(whole, as: .result)
    }
}
