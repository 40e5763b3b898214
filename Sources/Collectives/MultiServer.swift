// AllReduce through N servers, each worker serving one chunk (Example 1.3.4). The thread of each rank runs it.
//
// Message k, 1 <= k < N, of phase 1: rank n sends chunk p to its server p and takes chunk n from another, both being n xor k where N is
// a power of two, else n + k and n - k (mod N). Phase 2: rank n sends the sum of chunk n to n + k. No message of a phase depends on
// another, so that all are on their way before the first is waited for; each leaves once the one before has left the port, for
// ranks that keep step then send to different ranks at any time, and no port waits (`Pattern.closedForm` has what that takes).
//
// Where one worker comes late all messages to it and from it queue at its ports, 2 (N - 1) holds after it has come, as on the ring;
// but those that wait for its answer fall out of step, and their later messages meet at receive ports that a ring never shares. With
// a worker three times slower that costs up to a tenth beyond the ring; it cost up to nine tenths where each message waited for another.

public import Messaging

extension Communicator {
    /// Leaves the sum of all ranks' vectors in each of them; every rank calls it with equally many elements.
    public func multiServerAllReduce(_ vector: FloatVector) throws(FabricError) {
        try unsafe multiServerReduceScatter(vector)
        try unsafe multiServerAllGather(vector)
    }

    /// The first half: chunk n of rank n's vector becomes that chunk of the sum; its other chunks stay as they are.
    public func multiServerReduceScatter(_ vector: FloatVector) throws(FabricError) {
        let own = unsafe vector.chunk(rank, of: count)
        let isPaired = count.nonzeroBitCount == 1
        for k in 1..<max(1, count) {
            let server = isPaired ? rank ^ k : right(by: k)
            try awaitSendPort()
            try unsafe lend(vector.chunk(server, of: count), to: server)
        }
        for k in 1..<max(1, count) { try unsafe receiveAdding(into: own, from: isPaired ? rank ^ k : left(by: k)) }
        // The chunks lent are about to be overwritten.
        try completeAll()
    }

    /// The second half: rank n contributes chunk n, and every vector ends as these chunks together.
    public func multiServerAllGather(_ vector: FloatVector) throws(FabricError) {
        let own = unsafe vector.chunk(rank, of: count)
        for k in 1..<max(1, count) {
            try awaitSendPort()
            try unsafe lend(own, to: right(by: k))
        }
        for k in 1..<max(1, count) {
            try unsafe receiveCopying(into: vector.chunk(left(by: k), of: count), from: left(by: k))
        }
        try completeAll()
    }
}
