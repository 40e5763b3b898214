// AllReduce by exchanges between ranks whose numbers differ in one bit (section 5). The thread of each rank runs it.
//
// log2 N rounds of d elements. Where N is no power of two, the N - 2^p first even ranks hand their vectors to the next rank, and get
// the sum from it at the end.

internal import Kernels
public import Messaging

extension Communicator {
    /// Leaves the sum of all ranks' vectors in each of them; in each round a rank exchanges its whole vector with another.
    ///
    /// Every rank calls it with equally many elements. All ranks get the same bits, since a + b = b + a.
    public func recursiveDoublingAllReduce(_ vector: FloatVector) throws {
        try unsafe folded(vector) { position in
            // Each sum is written beside what it is the sum of, which the peer is reading; the last one is written to `vector`.
            var own = unsafe vector
            var sum = try unsafe scratch(byteCount: 4 * vector.count).bindMemory(to: Float.self)
            var last: Posted?
            for round in 0..<position.bits {
                let peer = position.rank(at: position.index ^ 1 << round)
                if round == position.bits - 1 && position.bits & 1 == 1, let target = sum.baseAddress, vector.count > 0
                {
                    // The peer of the round before may not have read what is overwritten now.
                    if let last { try complete(last) }
                    unpriced { unsafe copy(into: target, from: own.baseAddress!, count: vector.count) }
                    unsafe swap(&own, &sum)
                }
                let posted = try unsafe lend(own, to: peer)
                if let last { try complete(last) }
                try unsafe receiveSum(of: own, into: sum, from: peer)
                last = posted
                unsafe swap(&own, &sum)
            }
            try completeAll()
        }
    }

    /// sum = vector + what `peer` sends.
    private func receiveSum(of vector: FloatVector, into sum: FloatVector, from peer: Int) throws(FabricError) {
        try unsafe receive(byteCount: 4 * vector.count, from: peer) { bytes in
            guard let target = sum.baseAddress, vector.count > 0 else { return }
            unsafe add(
                into: target, vector.baseAddress!, bytes.baseAddress!.assumingMemoryBound(to: Float.self),
                count: vector.count)
        }
    }

    /// A rank's place among the 2^bits that take part once the others have been folded in.
    private struct Position {
        let index: Int
        let bits: Int
        /// How many ranks are folded in.
        let foldedCount: Int

        func rank(at index: Int) -> Int { index < foldedCount ? 2 * index + 1 : index + foldedCount }
    }

    private func folded(_ vector: FloatVector, _ exchange: (Position) throws -> Void) throws {
        let bits = Int.bitWidth - 1 - count.leadingZeroBitCount
        let foldedCount = count - 1 << bits
        if rank >= 2 * foldedCount {
            return try exchange(Position(index: rank - foldedCount, bits: bits, foldedCount: foldedCount))
        }
        if rank.isMultiple(of: 2) {
            try unsafe lend(vector, to: rank + 1)
            try completeAll()
            return try unsafe receiveCopying(into: vector, from: rank + 1)
        }
        try unsafe receiveAdding(into: vector, from: rank - 1)
        try exchange(Position(index: rank / 2, bits: bits, foldedCount: foldedCount))
        try unsafe lend(vector, to: rank - 1)
        try completeAll()
    }
}
