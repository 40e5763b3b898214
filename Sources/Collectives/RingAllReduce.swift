// AllReduce on a ring of chunks (Example 1.3.3). The thread of each rank runs it.
//
// N ranks, d elements, chunk c = elements d c / N ..< d (c + 1) / N. Step k, 0 <= k < 2 (N - 1): rank n lends chunk n - k to n + 1 and
// takes chunk n - k - 1 from n - 1 (all mod N): adds it in the first N - 1 steps, copies it in the others. A rank sends 2 (N - 1) / N
// of the vector. Zero copy: the neighbour reads the chunk where it lies, unless it is so small that it travels in the mailbox.

public import Messaging

extension Communicator {
    /// Leaves the sum of all ranks' vectors in each of them: `reduceScatter`, then `allGather`.
    ///
    /// Every rank calls it with equally many elements, any number; the order of summation is fixed by rank and element.
    ///
    /// `pieces` says into how many pieces each chunk is cut, one ring after the other; the same on every rank, at least 1. A sum
    /// is then copied while a cache still holds it. nil: as suits the caches, and 1 under a clock of the model, where more pieces
    /// are another pattern with other costs.
    public func ringAllReduce(_ vector: FloatVector, pieces: Int? = nil) throws(FabricError) {
        let pieces = unsafe pieces ?? bestPieces(of: vector)
        precondition(pieces > 0, "\(pieces) pieces")
        let steps = 0..<2 * (count - 1)
        if pieces > 1 && count > 1 { try compareLengths(vector.count) }
        for piece in 0..<pieces { try unsafe ring(vector, steps: steps, piece: piece, of: pieces) }
        try completeAll()
    }

    /// Beyond what the caches hold, pieces of half a megabyte; measured a fifth faster on vectors of 64 MB, and slower on 16 MB.
    private func bestPieces(of vector: FloatVector) -> Int {
        let (bytes, pieceBytes) = (4 * vector.count, 512 << 10)
        return isModel || bytes <= 32 << 20 ? 1 : (bytes / count + pieceBytes - 1) / pieceBytes
    }

    /// Throws where the left neighbour's vector has another length: pieces of different vectors may be equally long.
    private func compareLengths(_ elements: Int) throws(FabricError) {
        // A byte more than the number: never as long as a message of floats.
        var message = (Int64(elements), UInt8(0))
        let byteCount = 9
        try unsafe withUnsafeBytes(of: &message) { bytes throws(FabricError) in
            _ = try unsafe post(UnsafeRawBufferPointer(rebasing: bytes[..<byteCount]), to: right())
        }
        let found = try unsafe receive(byteCount: byteCount, from: left()) { unsafe $0.loadUnaligned(as: Int64.self) }
        if found == elements { return }
        let error = FabricError.lengthMismatch(
            from: left(), to: rank, foundBytes: 4 * Int(found), expectedBytes: 4 * elements)
        withdraw(because: error)
        throw error
    }

    /// The first half: chunk n + 1 (mod N) of rank n's vector becomes that chunk of the sum; its other chunks are left half summed.
    public func reduceScatter(_ vector: FloatVector) throws(FabricError) {
        try unsafe ring(vector, steps: 0..<count - 1)
        try completeAll()
    }

    /// The second half: rank n contributes chunk n + 1 (mod N), and every vector ends as these chunks together.
    public func allGather(_ vector: FloatVector) throws(FabricError) {
        try unsafe ring(vector, steps: count - 1..<2 * (count - 1))
        try completeAll()
    }

    private func ring(
        _ vector: FloatVector, steps: Range<Int>, piece: Int = 0, of pieces: Int = 1
    ) throws(FabricError) {
        if steps.isEmpty { return }
        let (left, right) = (left(), right())
        var lent = InlineArray<4, Posted?>(repeating: nil)
        var chunk = self.left(by: steps.lowerBound)
        var range = Self.elements(of: chunk, below: vector.count * (chunk + 1) / count, vector.count, count)
        for step in steps {
            let posted = try unsafe lend(FloatVector(rebasing: vector[Self.cut(range, piece, pieces)]), to: right)
            // After the message, which the neighbour is waiting for.
            if step > steps.lowerBound { try release(from: left) }
            let end = chunk == 0 ? vector.count : range.lowerBound
            chunk = (chunk == 0 ? count : chunk) - 1
            range = Self.elements(of: chunk, below: end, vector.count, count)
            let taken = unsafe FloatVector(rebasing: vector[Self.cut(range, piece, pieces)])
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
    }

    private static func cut(_ range: Range<Int>, _ piece: Int, _ pieces: Int) -> Range<Int> {
        if pieces == 1 { return range }
        let lower = range.lowerBound + range.count * piece / pieces
        return lower..<range.lowerBound + range.count * (piece + 1) / pieces
    }

    /// Elements d c / N ..< `end` of chunk c: the ring goes down, so that each chunk ends where the one before began.
    private static func elements(of chunk: Int, below end: Int, _ elements: Int, _ count: Int) -> Range<Int> {
        elements * chunk / count..<end
    }
}
