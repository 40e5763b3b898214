// What a waiting thread is told when nothing will come any more.

/// A mailbox was closed, or the rank at its other end is gone.
public struct MailboxClosed: Error, Sendable, Equatable, CustomStringConvertible {
    /// The rank that closed it or died, where it is known.
    public let rank: Int?
    /// Why, in words.
    public let reason: String

    public init(rank: Int? = nil, reason: String) {
        self.rank = rank
        self.reason = reason
    }

    public var description: String { (rank.map { "rank \($0): " } ?? "") + reason }
}
