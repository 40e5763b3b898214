// AllReduce on a ring of chunks (Example 1.3.3). The thread of each rank runs it.
//
// N ranks, d elements, chunk c = elements d c / N ..< d (c + 1) / N. Step k, 0 <= k < 2 (N - 1): rank n lends chunk n - k to n + 1 and
// takes chunk n - k - 1 from n - 1 (all mod N): adds it in the first N - 1 steps, copies it in the others. A rank sends 2 (N - 1) / N
// of the vector. Zero copy: the neighbour reads the chunk where it lies.

public import Messaging

extension Communicator {
    /// Leaves the sum of all ranks' vectors in each of them: `reduceScatter`, then `allGather`.
    ///
    /// Every rank calls it with equally many elements, any number; the order of summation is fixed by rank and element.
    public func ringAllReduce(_ vector: FloatVector) throws(FabricError) {
        try unsafe ring(vector, steps: 0..<2 * (count - 1))
    }

    /// The first half: chunk n + 1 (mod N) of rank n's vector becomes that chunk of the sum; its other chunks are left half summed.
    public func reduceScatter(_ vector: FloatVector) throws(FabricError) {
        try unsafe ring(vector, steps: 0..<count - 1)
    }

    /// The second half: rank n contributes chunk n + 1 (mod N), and every vector ends as these chunks together.
    public func allGather(_ vector: FloatVector) throws(FabricError) {
        try unsafe ring(vector, steps: count - 1..<2 * (count - 1))
    }

    private func ring(_ vector: FloatVector, steps: Range<Int>) throws(FabricError) {
        var lent = InlineArray<4, Posted?>(repeating: nil)
        for step in steps {
            let sent = left(by: step % count)
            lent[step & 3] = try unsafe lend(vector.chunk(sent, of: count), to: right())
            let taken = unsafe vector.chunk(left(by: (step + 1) % count), of: count)
            if step < count - 1 {
                try unsafe receiveAdding(into: taken, from: left())
                continue
            }
            // The chunk was lent N - 1 steps ago. With N > 4 later messages could only be posted once it had been read.
            let before = step - (count - 1)
            if count <= Self.messagesUnderWay, steps.contains(before), let posted = lent[before & 3] {
                try complete(posted)
            }
            try unsafe receiveCopying(into: taken, from: left())
        }
        try completeAll()
    }
}
