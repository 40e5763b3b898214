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
        if steps.isEmpty { return }
        let (left, right) = (left(), right())
        var lent = InlineArray<4, Posted?>(repeating: nil)
        var chunk = self.left(by: steps.lowerBound)
        var range = Self.elements(of: chunk, below: vector.count * (chunk + 1) / count, vector.count, count)
        for step in steps {
            let posted = try unsafe lend(FloatVector(rebasing: vector[range]), to: right)
            // After the message, which the neighbour is waiting for.
            if step > steps.lowerBound { try release(from: left) }
            let end = chunk == 0 ? vector.count : range.lowerBound
            chunk = (chunk == 0 ? count : chunk) - 1
            range = Self.elements(of: chunk, below: end, vector.count, count)
            let taken = unsafe FloatVector(rebasing: vector[range])
            if step < count - 1 {
                lent[step & 3] = posted
                try unsafe receiveAdding(into: taken, from: left, releasing: false)
                continue
            }
            // The chunk was lent N - 1 steps ago. With N > 4 later messages could only be posted once it had been read; with N = 2
            // the message that is awaited was posted by its reader after that.
            let before = step - (count - 1)
            if count > 2 && count <= Self.messagesUnderWay, steps.contains(before), let posted = lent[before & 3] {
                try complete(posted)
            }
            try unsafe receiveCopying(into: taken, from: left, releasing: false)
        }
        try release(from: left)
        try completeAll()
    }

    /// Elements d c / N ..< `end` of chunk c: the ring goes down, so that each chunk ends where the one before began.
    private static func elements(of chunk: Int, below end: Int, _ elements: Int, _ count: Int) -> Range<Int> {
        elements * chunk / count..<end
    }
}
