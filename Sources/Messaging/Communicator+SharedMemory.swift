// The one operation that assumes that ranks share memory. The rank's thread runs it.

extension Communicator {
    /// Calls `body` once all ranks have called this, with what each of them shows, and returns once all bodies are done.
    ///
    /// A body may read and write every rank's memory; which part is whose is for the bodies to agree on. Native clock only: throws
    /// `FabricError.needsNativeClock` naming `operation` under the others, and `lengthMismatch` where not all show as many bytes.
    public func withSharedMemory(
        _ memory: UnsafeMutableRawBufferPointer, operation: StaticString,
        _ body: (_ shared: SharedMemory) -> Void
    ) throws(FabricError) {
        if isModel { throw leaveRun(.needsNativeClock(operation: "\(operation)")) }
        let missing = unsafe shared.show(memory, rank: rank, endsBefore: &endsBefore) { [signals] in signals.isLost($0)
        }
        if let missing { throw lost(missing) }
        // All ranks come to the same answer, and none reads or writes where lengths differ.
        let expected = unsafe shared.memory(of: 0).count
        for other in 1..<max(1, count) {
            let found = unsafe shared.memory(of: other).count
            if found != expected {
                shared.finish(rank: rank)
                throw leaveRun(.lengthMismatch(from: other, to: 0, foundBytes: found, expectedBytes: expected))
            }
        }
        body(shared)
        shared.finish(rank: rank)
    }
}
