// AllReduce by handing on half of what is left, then the way back (section 5). The thread of each rank runs it.
//
// N ranks, d elements, chunk c = elements d c / N ..< d (c + 1) / N. Round k, 1 <= k <= ceil(log2 N), leaves rank n the ceil(N / 2^k)
// chunks from n on (mod N): it hands those beyond to the rank ceil(N / 2^k) to the right, for whom they are the first, and adds what it
// gets from the left (J. L. Träff, "Optimal, Non-pipelined Reduce-scatter and Allreduce Algorithms", 2024). So every N takes
// 2 ceil(log2 N) messages and 2 (N - 1) / N of the vector. Where N is a power of two the chunks kept begin at the multiple of N / 2^k
// below n, and partners exchange: then no chunks that travel together lie apart.

internal import Kernels
public import Messaging

extension Communicator {
    /// Leaves the sum of all ranks' vectors in each of them, in 2 ceil(log2 N) rounds.
    ///
    /// Every rank calls it with equally many elements, any number; the order of summation is fixed by rank and element.
    public func halvingDoublingAllReduce(_ vector: FloatVector) throws {
        guard count > 1 else { return }
        let isPaired = count.nonzeroBitCount == 1
        let rounds = Int.bitWidth - (count - 1).leadingZeroBitCount
        for round in 1...rounds {
            let (kept, given) = shares(round)
            let to = isPaired ? rank ^ kept : right(by: kept)
            let from = isPaired ? to : left(by: kept)
            let first = isPaired ? rank & ~(kept - 1) : rank
            try unsafe hand(vector, from: isPaired ? to & ~(kept - 1) : to, length: given, to: to)
            try unsafe take(vector, from: first, length: given, sentBy: from, adding: true)
        }
        // What was lent is about to be overwritten.
        try completeAll()
        for round in (1...rounds).reversed() {
            let (kept, given) = shares(round)
            let to = isPaired ? rank ^ kept : left(by: kept)
            let from = isPaired ? to : right(by: kept)
            try unsafe hand(vector, from: isPaired ? rank & ~(kept - 1) : rank, length: given, to: to)
            try unsafe take(
                vector, from: isPaired ? from & ~(kept - 1) : from, length: given, sentBy: from, adding: false)
        }
        try completeAll()
    }

    /// How many chunks a rank keeps in a round, and how many it hands on.
    private func shares(_ round: Int) -> (kept: Int, given: Int) {
        let kept = (count - 1) >> round + 1
        return (kept, (count - 1) >> (round - 1) + 1 - kept)
    }

    /// Sends `length` chunks from number `start` on, the first following the last: in place where they lie together.
    private func hand(_ vector: FloatVector, from start: Int, length: Int, to peer: Int) throws {
        let (head, tail) = unsafe vector.cyclicChunks(start, length, of: count)
        if tail.isEmpty {
            try unsafe lend(head, to: peer)
            return
        }
        try unsafe send(byteCount: 4 * (head.count + tail.count), to: peer) { bytes in
            unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(head))
            unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[(4 * head.count)...])
                .copyMemory(from: UnsafeRawBufferPointer(tail))
        }
    }

    /// Receives such chunks, and adds them or puts them in their place.
    private func take(
        _ vector: FloatVector, from start: Int, length: Int, sentBy peer: Int, adding: Bool
    ) throws(FabricError) {
        let (head, tail) = unsafe vector.cyclicChunks(start, length, of: count)
        try unsafe receive(byteCount: 4 * (head.count + tail.count), from: peer) { bytes in
            guard let source = unsafe bytes.assumingMemoryBound(to: Float.self).baseAddress else { return }
            unsafe put(source, into: head, adding: adding)
            unsafe put(source + head.count, into: tail, adding: adding)
        }
    }

    private func put(_ source: UnsafePointer<Float>, into floats: FloatVector, adding: Bool) {
        guard let target = floats.baseAddress, floats.count > 0 else { return }
        if adding {
            unsafe add(into: target, from: source, count: floats.count)
        } else {
            unsafe copy(into: target, from: source, count: floats.count)
        }
    }
}

extension FloatVector {
    /// `length` chunks of `owners` from number `start` on, the first following the last: those up to the last, and those from the first.
    fileprivate func cyclicChunks(
        _ start: Int, _ length: Int, of owners: Int
    ) -> (head: FloatVector, tail: FloatVector) {
        func chunks(_ range: Range<Int>) -> FloatVector {
            unsafe FloatVector(
                rebasing: self[count * range.lowerBound / owners..<count * range.upperBound / owners])
        }
        let end = start + length
        return unsafe (chunks(start..<Swift.min(end, owners)), chunks(0..<Swift.max(0, end - owners)))
    }
}
