// AllReduce on a ring of chunks (Example 1.3.3; compressed eq. 3.3, Figure 3.3). The thread of each rank runs it.
//
// N ranks, d elements, chunk c = elements d c / N ..< d (c + 1) / N. Step k, 0 <= k < 2 (N - 1): rank n sends chunk n - k to n + 1 and
// takes chunk n - k - 1 from n - 1 (all mod N): adds it in the first N - 1 steps, copies it in the others. A rank sends 2 (N - 1) / N
// of the vector.
//
// Compressed, each next rank decodes the sum so far, adds its own and encodes again: N compressions of a chunk in all, the last before it
// goes round, unchanged, and all, the last rank too, decode it. Each rank encodes each chunk once; sites are the chunks.

public import Messaging

extension Communicator {
    /// Leaves the sum of all ranks' vectors in each of them: `reduceScatter`, then `allGather`.
    ///
    /// Every rank calls it with equally many elements, any number; the order of summation is fixed by rank and element.
    ///
    /// `rings` says how many rings there are, one after the other, each on its share of every chunk; the same on every rank, at least 1. A
    /// sum is then copied while a cache still holds it. nil: as suits the caches, and 1 under a clock of the model, where more rings are
    /// another pattern with other costs.
    public func ringAllReduce(_ vector: FloatVector, rings: Int? = nil) throws {
        let rings = unsafe rings ?? bestRings(for: vector)
        precondition(rings > 0, "\(rings) rings")
        let steps = 0..<2 * (count - 1)
        if rings > 1 && count > 1 { try compareLengths(vector.count) }
        for ring in 0..<rings { try unsafe FloatPayload(vector, self).goRound(steps, ring: ring, of: rings) }
        try completeAll()
    }

    /// Beyond what the caches hold, shares of half a megabyte; measured a fifth faster on vectors of 64 MB, and slower on 16 MB.
    private func bestRings(for vector: FloatVector) -> Int {
        let (bytes, shareBytes) = (4 * vector.count, 512 << 10)
        return isModel || bytes <= 32 << 20 ? 1 : (bytes / count + shareBytes - 1) / shareBytes
    }

    /// Throws where the left neighbour's vector has another length: shares of different vectors may be equally long.
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
    public func reduceScatter(_ vector: FloatVector) throws {
        try unsafe FloatPayload(vector, self).goRound(0..<count - 1)
        try completeAll()
    }

    /// The second half: rank n contributes chunk n + 1 (mod N), and every vector ends as these chunks together.
    public func allGather(_ vector: FloatVector) throws {
        try unsafe FloatPayload(vector, self).goRound(count - 1..<2 * (count - 1))
        try completeAll()
    }
}

extension Payload {
    /// Some of the 2 (N - 1) steps, with the share `ring` of `rings` of each chunk.
    func goRound(_ steps: Range<Int>, ring: Int = 0, of rings: Int = 1) throws {
        let count = communicator.count
        if steps.isEmpty {
            try pack(whole)
            return try unpack(whole, as: .result)
        }
        let (left, right) = (communicator.left(), communicator.right())
        var lent = InlineArray<4, Communicator.Posted?>(repeating: nil)
        var index = communicator.left(by: steps.lowerBound)
        // The ring goes down, so that each chunk ends where the one before began.
        var start = elements * index / count
        var chunk = Chunk(range: (start..<elements * (index + 1) / count).share(ring, of: rings), site: index)
        for step in steps {
            let isGathering = step >= count - 1
            if step < count { try pack(chunk) }
            let posted = try post(chunk, to: right)
            // After the message, which the neighbour is waiting for.
            if step > steps.lowerBound { try communicator.release(from: left) }
            if step == count - 1 { try unpack(chunk, as: .result) }
            let end = index == 0 ? elements : start
            index = (index == 0 ? count : index) - 1
            start = elements * index / count
            chunk = Chunk(range: (start..<end).share(ring, of: rings), site: index)
            if !isGathering {
                lent[step & 3] = posted
                try receive(chunk, from: left, as: .term, releasing: false)
                continue
            }
            // The chunk was lent N - 1 steps ago. With N > 4 later messages could only be posted once it had been read; with N = 2
            // the message that is awaited was posted by its reader after that.
            let before = step - (count - 1)
            if count > 2 && count <= Communicator.messagesUnderWay, steps.contains(before),
                let posted = lent[before & 3]
            {
                try communicator.complete(posted)
            }
            let isLast = step + 1 == steps.upperBound
            try receive(chunk, from: left, as: isLast ? .result : .passedResult, releasing: false)
        }
        try communicator.release(from: left)
    }
}

extension Range<Int> {
    /// The share `index` of `count` of it.
    fileprivate func share(_ index: Int, of count: Int) -> Range<Int> {
        if count == 1 { return self }
        return lowerBound + self.count * index / count..<lowerBound + self.count * (index + 1) / count
    }
}
