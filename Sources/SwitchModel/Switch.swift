// The ports of all ranks, and who holds them until when. A value with one owner: the engine, or a fabric under its lock.

/// The logical switch: every rank has one send port and one receive port, and messages take them in the order in which
/// they are reserved (section 1.3.1).
///
/// A later reservation never overtakes an earlier one on a port they share, even where the port stands idle because the
/// other port of the earlier message is busy.
public struct Switch: Sendable {
    public let cost: NetworkCost
    /// By rank, the earliest start of the next message at its port.
    private var sendPorts: [Double]
    private var receivePorts: [Double]

    /// When a message starts, and when it has fully arrived.
    public struct Reservation: Sendable, Equatable {
        public let start: Double
        public let end: Double

        public init(start: Double, end: Double) {
            self.start = start
            self.end = end
        }
    }

    public init(ranks: Int, cost: NetworkCost) {
        precondition(ranks >= 0, "ranks \(ranks)")
        self.cost = cost
        sendPorts = Array(repeating: -.infinity, count: ranks)
        receivePorts = sendPorts
    }

    public var ranks: Int { sendPorts.count }

    /// Takes the ports of a message of `megabytes` posted at `at` seconds, as early as the ports allow.
    ///
    /// `from` and `to` are two different ranks; `megabytes` of 10^6 bytes is finite and not negative.
    public mutating func reserve(at: Double, from: Int, to: Int, megabytes: Double) -> Reservation {
        precondition(from != to, "rank \(from) sends to itself")
        precondition(megabytes >= 0, "a message of \(megabytes) megabytes")
        let start = max(at, sendPorts[from], receivePorts[to])
        let release = start + cost.holdSeconds(megabytes: megabytes)
        sendPorts[from] = release
        receivePorts[to] = release
        return Reservation(start: start, end: start + cost.messageSeconds(megabytes: megabytes))
    }

    /// As `reserve(at:from:to:megabytes:)`, for a message of `bytes` bytes.
    public mutating func reserve(at: Double, from: Int, to: Int, bytes: Int) -> Reservation {
        reserve(at: at, from: from, to: to, megabytes: Double(bytes) / 1e6)
    }

    /// The time from which the next message of `rank` finds its send port free; minus infinity where nothing was sent.
    public func sendPortFree(of rank: Int) -> Double { sendPorts[rank] }
}
