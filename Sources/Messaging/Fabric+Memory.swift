// What a fabric takes of memory. Plain arithmetic; any thread.

internal import Platform

extension Fabric {
    /// About what a fabric takes, in bytes, while its ranks exchange messages.
    ///
    /// `pairs` are ordered pairs of ranks of which the first sends to the second, `messages` the most that are under way at once, with so many
    /// `bytes` together.
    public static func memoryBytes(ranks: Int, clock: FabricClock, pairs: Int, messages: Int, bytes: Int) -> Int {
        let meeting =
            DisseminationBarrier.byteCount(ranks: ranks) + SharedMemory.byteCount(ranks: ranks)
            + RankSleepers.byteCount(ranks: ranks)
        if clock.isVirtual {
            // A rank's stack and what it keeps of itself; a pair's lane, in a table of which a half to a quarter is used; a message's head; the
            // bytes are copies.
            return meeting + ranks.multiplied(by: 8 << 10) + pairs.multiplied(by: 72) + messages.multiplied(by: 48)
                + bytes
        }
        // Lent memory is read where it lies, so that channels are all: of those of a receiver to whom few send every page that one touches.
        let all = ranks.multiplied(by: PageBuffer<UInt8>.byteCount(of: ranks.multiplied(by: channelBytes)))
        return meeting + min(all, pairs.multiplied(by: PageBuffer<UInt8>.byteCount(of: channelBytes)))
    }

    private static var channelBytes: Int { unsafe MessageChannel.blockBytes }
}
