// Compressed averages through one dedicated server: EC-SGD as section 3.3 has it. The thread of each rank runs it.
//
// The messages of `parameterServerAllReduce`, encoded. The server, rank N, adds the vectors up in the order of the ranks, each times 1/N,
// encodes the mean once, and all, itself too, decode the same bytes. Every rank has one site and one slot.

internal import Compression
internal import Messaging

extension CompressedAverage {
    func pushToServer(_ vector: FloatVector, _ iteration: Iteration, _ communicator: Communicator) throws {
        guard rank == workers else {
            try unsafe encode(vector, at: 0, into: 0, iteration, communicator)
            try unsafe communicator.post(messages[0], to: workers)
            return
        }
        for worker in 0..<workers {
            try unsafe receive(from: worker, of: 0, communicator) { (bytes) throws(CodecError) in
                if worker == 0 { return try unsafe sites.decode(bytes, of: 0, scale: share, into: vector) }
                try unsafe sites.decode(bytes, of: 0, adding: share, to: vector)
            }
        }
    }

    func pullFromServer(_ vector: FloatVector, _ iteration: Iteration, _ communicator: Communicator) throws {
        guard rank == workers else {
            try unsafe receive(from: workers, of: 0, communicator) { (bytes) throws(CodecError) in
                try unsafe sites.decode(bytes, of: 0, into: vector)
            }
            return
        }
        try unsafe encode(vector, at: 0, into: 0, iteration, communicator)
        for worker in 0..<workers { try unsafe communicator.post(messages[0], to: worker) }
        try unsafe decode(messages[0], at: 0, into: vector, communicator)
    }
}
