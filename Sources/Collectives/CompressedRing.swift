// Compressed averages on a ring of chunks (eq. 3.3, Figure 3.3). The thread of each rank runs it.
//
// The messages of `ringAllReduce`, encoded. Chunk c starts at rank c; each next rank decodes the sum so far, adds its own and encodes
// again: N compressions in all, the last, by rank c - 1 (mod N), before the result goes round. Its bytes go round unchanged, and all, the
// last rank too, decode them and divide by N. Each rank encodes each chunk once; sites and slots are the chunks.

internal import Compression
internal import Messaging

extension CompressedAverage {
    func averageRound(_ vector: FloatVector, _ iteration: Iteration, _ communicator: Communicator) throws {
        let (left, right) = (communicator.left(), communicator.right())
        func part(_ chunk: Int) -> FloatVector { unsafe vector.chunk(chunk, of: workers) }
        for step in 0..<workers - 1 {
            let chunk = communicator.left(by: step)
            try unsafe encode(part(chunk), at: chunk, into: chunk, iteration, communicator)
            lentOfChunk[chunk] = try unsafe communicator.post(messages[chunk], to: right)
            let next = communicator.left(by: step + 1)
            try unsafe receive(from: left, of: next, communicator) { (bytes) throws(CodecError) in
                try unsafe sites.decode(bytes, of: next, adding: 1, to: part(next))
            }
        }
        let last = right
        try unsafe encode(part(last), at: last, into: last, iteration, communicator)
        for step in 0..<workers - 1 {
            let chunk = communicator.left(by: (step + workers - 1) % workers)
            try unsafe communicator.post(messages[chunk], to: right)
            if step == 0 { try decodeSum(of: last) }
            let next = communicator.left(by: step)
            // The right neighbour may still be reading what this rank has encoded of the chunk.
            if let posted = lentOfChunk[next] { try communicator.complete(posted) }
            try unsafe receive(from: left, of: next, communicator) { (bytes) throws(CodecError) in
                unsafe messages.store(bytes, in: next)
                try unsafe sites.decode(bytes, of: next, scale: share, into: part(next))
            }
        }
        if workers == 1 { try decodeSum(of: last) }

        func decodeSum(of chunk: Int) throws {
            try unsafe decode(messages[chunk], at: chunk, scale: share, into: part(chunk), communicator)
        }
    }
}
