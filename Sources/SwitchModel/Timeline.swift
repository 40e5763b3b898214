// What became of the messages of a run: when each was posted, started and arrived. Plain values; any thread.

/// A message that somebody wants to send.
public struct Posting: Sendable, Equatable {
    /// Seconds.
    public let at: Double
    public let from: Int
    public let to: Int
    /// Of 10^6 bytes.
    public let megabytes: Double

    public init(at: Double, from: Int, to: Int, megabytes: Double) {
        self.at = at
        self.from = from
        self.to = to
        self.megabytes = megabytes
    }
}

/// A message with the times at which it was posted, started and had fully arrived, in seconds.
public struct Passage: Sendable, Equatable {
    public let from: Int
    public let to: Int
    /// What travelled, of 10^6 bytes.
    public let megabytes: Double
    public let at: Double
    public let start: Double
    public let end: Double

    public init(_ posting: Posting, _ reservation: Switch.Reservation) {
        from = posting.from
        to = posting.to
        megabytes = posting.megabytes
        at = posting.at
        start = reservation.start
        end = reservation.end
    }
}

/// The messages of a run in the order in which they start (ties in the order of reservation), and how long they took.
public struct Timeline: Sendable {
    public let cost: NetworkCost
    public let ranks: Int
    /// Empty where the run was asked not to keep them.
    public private(set) var passages: [Passage] = []
    /// All messages, kept or not.
    public private(set) var messageCount = 0
    /// When the first message was posted, in seconds; zero without messages.
    public private(set) var firstAt = 0.0
    /// When the last message had arrived, in seconds; zero without messages.
    public private(set) var lastEnd = 0.0

    /// When the last rank had ended its program, in seconds; zero where the messages were known in advance.
    public private(set) var programsEnd = 0.0

    /// Seconds from the first posting to the last arrival (Example 1.3.1: events at 5, 6, 6 run from 5 to 19, 14 units).
    public var makespan: Double { lastEnd - firstAt }

    /// Sends messages known in advance: ports are reserved in the order of `at`, ties by `from`, then by place.
    ///
    /// Every rank is in `0..<ranks`, every time finite.
    public init(of postings: [Posting], ranks: Int, cost: NetworkCost) {
        self.init(ranks: ranks, cost: cost)
        passages.reserveCapacity(postings.count)
        var ports = Switch(ranks: ranks, cost: cost)
        let order = postings.indices.sorted {
            let (a, b) = (postings[$0], postings[$1])
            return a.at != b.at ? a.at < b.at : a.from != b.from ? a.from < b.from : $0 < $1
        }
        for index in order {
            let posting = postings[index]
            let reservation = ports.reserve(
                at: posting.at, from: posting.from, to: posting.to, megabytes: posting.megabytes)
            append(posting, reservation, keeping: true)
        }
        sortByStart()
    }

    /// The messages of a run that reserved its own ports, in the order of reservation.
    public init(recorded passages: [Passage], ranks: Int, cost: NetworkCost) {
        self.init(ranks: ranks, cost: cost)
        for passage in passages {
            append(
                Posting(at: passage.at, from: passage.from, to: passage.to, megabytes: passage.megabytes),
                Switch.Reservation(start: passage.start, end: passage.end), keeping: true)
        }
        sortByStart()
    }

    init(ranks: Int, cost: NetworkCost) {
        self.ranks = ranks
        self.cost = cost
    }

    @inline(__always)
    mutating func append(_ posting: Posting, _ reservation: Switch.Reservation, keeping: Bool) {
        firstAt = messageCount == 0 ? posting.at : min(firstAt, posting.at)
        lastEnd = messageCount == 0 ? reservation.end : max(lastEnd, reservation.end)
        messageCount += 1
        if keeping { passages.append(Passage(posting, reservation)) }
    }

    /// Notes that a rank's program has ended.
    mutating func noteEnd(of program: Double) { programsEnd = max(programsEnd, program) }

    /// From the order of reservation to that of starts; Swift's sort is stable.
    mutating func sortByStart() {
        passages.sort { $0.start < $1.start }
    }
}

extension Timeline: Equatable {
    /// The same messages at the same times, wherever they come from.
    public static func == (a: Timeline, b: Timeline) -> Bool {
        a.cost == b.cost && a.ranks == b.ranks && a.passages == b.passages && a.messageCount == b.messageCount
            && a.firstAt == b.firstAt && a.lastEnd == b.lastEnd
    }
}
