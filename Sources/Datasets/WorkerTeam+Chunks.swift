// Work in pieces that the workers of a team claim. The reading thread calls it.

internal import Platform
internal import Synchronization

extension WorkerTeam {
    /// Has the workers claim chunks until none is left; whoever comes first has the source prepare its next round.
    func share<Chunk>(
        _ chunks: inout [Chunk], meanwhile source: (any TextSource)? = nil,
        _ body: @Sendable (_ number: Int, _ chunk: inout Chunk) -> Void
    ) {
        let claimed = Atomic<Int>(source == nil ? 0 : -1)
        // One worker has the source for itself until the run ends.
        nonisolated(unsafe) let source = source
        unsafe chunks.withUnsafeMutableBufferPointer { chunks in
            // Each element is claimed by one worker, and the team's run orders all of them before what follows.
            nonisolated(unsafe) let chunks = unsafe chunks
            run { _ in
                while true {
                    // Relaxed: the number is all that is passed on.
                    let k = claimed.wrappingAdd(1, ordering: .relaxed).oldValue
                    if unsafe k >= chunks.count { break }
                    if k < 0 { unsafe source?.prepareNext() } else { unsafe body(k, &chunks[k]) }
                }
            }
        }
    }
}
