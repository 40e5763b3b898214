// What goes wrong between ranks. Thrown in the rank that notices and out of `Fabric.run`.

/// Why a rank could not send, receive or wait.
public enum FabricError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another rank failed, so that nothing more can come from it or through it.
    case rankFailed(rank: Int, reason: String)
    /// A message is not as long as its receiver expects: the lengths differ between ranks.
    case lengthMismatch(from: Int, to: Int, foundBytes: Int, expectedBytes: Int)
    /// There is no such rank, or it is the caller itself.
    case noSuchPeer(rank: Int, peer: Int, count: Int)
    /// A rank waits for another one, whose program has ended without answering.
    case rankEnded(rank: Int, waiting: Int)
    /// An operation on memory that ranks share, under a clock that prices messages.
    case needsNativeClock(operation: String)
    /// The coordinator has ended the run.
    case cancelled
    /// Under the virtual clock, no rank can go on: each waits for what nobody will do. Those in `forAnybody` wait for a message of any of
    /// several ranks, those `atWindow` for a window to change.
    indirect case deadlock(waiting: [Int], for: [Int], inBarrier: [Int], forAnybody: [Int] = [], atWindow: [Int] = [])

    public var description: String {
        switch self {
        case .rankFailed(let rank, let reason): "rank \(rank) failed: \(reason)"
        case .lengthMismatch(let from, let to, let found, let expected):
            "rank \(to): found a message of \(found) bytes from rank \(from), expected \(expected) bytes"
        case .noSuchPeer(let rank, let peer, let count):
            "rank \(rank): found peer \(peer), expected another rank from 0 to \(count - 1)"
        case .rankEnded(let rank, let waiting):
            "rank \(waiting) waits for rank \(rank), which has ended"
        case .needsNativeClock(let operation):
            "\(operation) works on memory that all ranks share: found a clock that prices messages, expected native"
        case .cancelled: "the run was cancelled"
        case .deadlock(let waiting, let peers, let inBarrier, let forAnybody, let atWindow):
            Self.describe(
                zip(waiting, peers).map { "rank \($0) waits for rank \($1)" }
                    + inBarrier.map { "rank \($0) waits in the barrier" }
                    + forAnybody.map { "rank \($0) waits for any of several ranks" }
                    + atWindow.map { "rank \($0) waits for a window to change" })
        }
    }

    private static func describe(_ waits: [String]) -> String {
        "deadlock: " + waits.prefix(8).joined(separator: ", ") + (waits.count > 8 ? " and \(waits.count - 8) more" : "")
    }

    /// Whether the error reads the same in whichever rank it is thrown.
    var namesItsRanks: Bool {
        switch self {
        case .deadlock, .rankEnded, .cancelled, .needsNativeClock: true
        default: false
        }
    }
}
