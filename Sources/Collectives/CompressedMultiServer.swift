// Compressed averages through N servers, each worker serving one chunk (eq. 3.2, Figure 3.2). The thread of each rank runs it.
//
// The messages of `multiServerAllReduce`, encoded, and all of a phase on their way before the first is waited for. On the way in rank n
// encodes chunk p for its server p, its own too; a server adds them up, its own first and then in the order of the rounds, each times
// 1/N. On the way out it encodes the mean once, and all, itself too, decode the same bytes. Sites and slots: the chunks 0..<N on the
// way in, and N for the way out.

internal import Compression
internal import Messaging

extension CompressedAverage {
    func pushToServers(_ vector: FloatVector, _ iteration: Iteration, _ communicator: Communicator) throws {
        let own = unsafe vector.chunk(rank, of: workers)
        let isPaired = workers.nonzeroBitCount == 1
        for k in 1..<max(1, workers) {
            let server = isPaired ? rank ^ k : communicator.right(by: k)
            try unsafe encode(vector.chunk(server, of: workers), at: server, into: server, iteration, communicator)
            try communicator.awaitSendPort()
            try unsafe communicator.post(messages[server], to: server)
        }
        // While the messages are on their way.
        try unsafe encode(own, at: rank, into: rank, iteration, communicator)
        try unsafe decode(messages[rank], at: rank, scale: share, into: own, communicator)
        for k in 1..<max(1, workers) {
            let worker = isPaired ? rank ^ k : communicator.left(by: k)
            try unsafe receive(from: worker, of: rank, communicator) { (bytes) throws(CodecError) in
                try unsafe sites.decode(bytes, of: rank, adding: share, to: own)
            }
        }
    }

    func pullFromServers(_ vector: FloatVector, _ iteration: Iteration, _ communicator: Communicator) throws {
        let own = unsafe vector.chunk(rank, of: workers)
        try unsafe encode(own, at: workers, into: workers, iteration, communicator)
        for k in 1..<max(1, workers) {
            try communicator.awaitSendPort()
            try unsafe communicator.post(messages[workers], to: communicator.right(by: k))
        }
        try unsafe decode(messages[workers], at: workers, into: own, communicator)
        for k in 1..<max(1, workers) {
            let server = communicator.left(by: k)
            try unsafe receive(from: server, of: server, communicator) { (bytes) throws(CodecError) in
                try unsafe sites.decode(bytes, of: server, into: vector.chunk(server, of: workers))
            }
        }
    }
}
