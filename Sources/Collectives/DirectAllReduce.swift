// AllReduce by threads that share memory: the limit that the others are measured against. The thread of each rank runs it.
//
// Barrier; rank r adds chunk r of all vectors and writes the sum to all of them; barrier. Chunks are whole cache lines.

internal import Kernels
public import Messaging

extension Communicator {
    /// Leaves the sum of all ranks' vectors in each of them, added in the order of ranks; every rank calls it with equally many
    /// elements.
    ///
    /// Native clock only: throws `FabricError.needsNativeClock` under the others.
    public func directAllReduce(_ vector: FloatVector) throws(FabricError) {
        let elements = vector.count
        try unsafe withSharedMemory(UnsafeMutableRawBufferPointer(vector), operation: "direct") { shared in
            let perRank = ((elements + count - 1) / count + 15) & ~15
            let start = min(elements, perRank * rank)
            let size = min(elements, start + perRank) - start
            if size == 0 { return }
            func chunk(_ rank: Int) -> UnsafeMutablePointer<Float> {
                unsafe shared.memory(of: rank).baseAddress!.assumingMemoryBound(to: Float.self) + start
            }
            if count == 2 { return unsafe addBoth(chunk(0), chunk(1), count: size) }
            unsafe withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<Float>.self, capacity: count) { chunks in
                for other in 0..<count { unsafe chunks.initializeElement(at: other, to: chunk(other)) }
                unsafe addAll(UnsafeBufferPointer(chunks), count: size)
            }
        }
    }
}
