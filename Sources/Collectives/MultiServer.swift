// AllReduce through N servers, each worker serving one chunk (Example 1.3.4; compressed eq. 3.2, Figure 3.2). The thread of each rank runs it.
//
// Message k, 1 <= k < N, of phase 1: rank n sends chunk p to its server p and takes chunk n from another, both being n xor k where N is
// a power of two, else n + k and n - k (mod N). Phase 2: rank n sends the sum of chunk n to n + k. No message of a phase depends on
// another, so that all are on their way before the first is waited for; each leaves once the one before has left the port, for
// ranks that keep step then send to different ranks at any time, and no port waits (`Pattern.closedForm` has what that takes).
//
// Where one worker comes late all messages to it and from it queue at its ports, 2 (N - 1) holds after it has come, as on the ring;
// but those that wait for its answer fall out of step, and their later messages meet at receive ports that a ring never shares. With
// a worker three times slower that costs up to a tenth beyond the ring; it cost up to nine tenths where each message waited for another.
//
// A server adds up its own chunk first, then the others' in the order of the messages. Compressed, that is what it has encoded of its own, too;
// it encodes the mean once, and all, itself too, decode the same bytes. Sites: the chunks 0..<N on the way in, N for the way out.

public import Messaging

extension Communicator {
    /// Leaves the sum of all ranks' vectors in each of them; every rank calls it with equally many elements.
    public func multiServerAllReduce(_ vector: FloatVector) throws {
        try unsafe multiServerReduceScatter(vector)
        try unsafe multiServerAllGather(vector)
    }

    /// The first half: chunk n of rank n's vector becomes that chunk of the sum; its other chunks stay as they are.
    public func multiServerReduceScatter(_ vector: FloatVector) throws {
        try unsafe FloatPayload(vector, self).sendToServers()
        // The chunks lent are about to be overwritten.
        try completeAll()
    }

    /// The second half: rank n contributes chunk n, and every vector ends as these chunks together.
    public func multiServerAllGather(_ vector: FloatVector) throws {
        try unsafe FloatPayload(vector, self).receiveFromServers()
        try completeAll()
    }
}

extension Payload {
    /// Phase 1.
    func sendToServers() throws {
        let (rank, count) = (communicator.rank, communicator.count)
        let isPaired = count.nonzeroBitCount == 1
        for k in 1..<max(1, count) {
            let server = isPaired ? rank ^ k : communicator.right(by: k)
            let chunk = chunk(server, of: count)
            try pack(chunk)
            try communicator.awaitSendPort()
            _ = try post(chunk, to: server)
        }
        // While the messages are on their way.
        let own = chunk(rank, of: count)
        try pack(own)
        try unpack(own, as: .firstTerm)
        for k in 1..<max(1, count) {
            try receive(own, from: isPaired ? rank ^ k : communicator.left(by: k), as: .term, releasing: true)
        }
    }

    /// Phase 2.
    func receiveFromServers() throws {
        let (rank, count) = (communicator.rank, communicator.count)
        let sum = Chunk(range: chunk(rank, of: count).range, site: count)
        try pack(sum)
        for k in 1..<max(1, count) {
            try communicator.awaitSendPort()
            _ = try post(sum, to: communicator.right(by: k))
        }
        try unpack(sum, as: .result)
        for k in 1..<max(1, count) {
            let server = communicator.left(by: k)
            try receive(chunk(server, of: count), from: server, as: .result, releasing: true)
        }
    }
}
