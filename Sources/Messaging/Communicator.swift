// One rank's view of a fabric. The thread of that rank uses it, and nobody else.

public import Platform
internal import SwitchModel

/// What a worker program is written against: its rank, its peers, messages, a barrier and a clock.
///
/// Messages between two ranks arrive in the order in which they were sent. All calls block; none is for another thread.
public final class Communicator {
    /// This rank, in 0..<count.
    public let rank: Int
    /// N.
    public let count: Int
    /// What this rank has sent.
    public private(set) var sent = Traffic()
    /// What it has received.
    public private(set) var received = Traffic()
    /// The most that the wall clock was late for an arrival, in seconds.
    public private(set) var largestLatenessSeconds = 0.0

    /// Bytes and messages.
    public struct Traffic: Sendable, Equatable {
        public var bytes = 0
        public var messages = 0
    }

    /// A message that may still be read from memory lent by `post`.
    public struct Posted: Sendable {
        let peer: Int
        let number: UInt64
    }

    private let fabric: Fabric
    /// Computations so far: the step of the straggler model.
    private var steps: UInt64 = 0
    /// Under the wall clock: the time this rank ought to be at, and the real time at which it last left a call.
    private var dueSeconds = 0.0
    private var leftSeconds = 0.0
    /// What `send` writes in place, per peer and slot.
    private var payloads: [PayloadKey: Payload] = [:]

    private struct PayloadKey: Hashable {
        let peer: Int
        let slot: UInt64
    }

    private final class Payload {
        var bytes: PageBuffer<UInt8>
        init() throws(InputError) { bytes = try PageBuffer(count: 0) }
    }

    init(fabric: Fabric, rank: Int) {
        self.fabric = fabric
        self.rank = rank
        count = fabric.count
    }

    // MARK: Time

    /// Seconds since the run began: of the model under the virtual clock, else of the real clock.
    public var now: Double {
        if let scheduler = fabric.scheduler { return scheduler.seconds[rank] }
        if let wall = fabric.wall { return wall.seconds }
        return Double(monotonicNanoseconds()) / 1e9
    }

    /// Runs `body` as this rank's computation.
    ///
    /// Under the virtual clock it takes `seconds`, or where that is nil the real time that `body` takes, times the straggler's
    /// factor. Under the wall clock it takes at least `seconds` times the factor of real time. Under the native clock it takes what
    /// it takes.
    public func compute<Result>(seconds: Double? = nil, _ body: () throws -> Result) throws -> Result {
        let factor = fabric.straggler.factor(rank: rank, step: steps)
        steps += 1
        let start = monotonicNanoseconds()
        let result = try body()
        if let scheduler = fabric.scheduler {
            let duration = seconds ?? Double(monotonicNanoseconds() - start) / 1e9
            scheduler.advance(rank, to: scheduler.seconds[rank] + duration * factor, isOver: fabric.isOver, fail: fail)
            try check()
        } else if let wall = fabric.wall {
            let begin = enter(wall) - Double(monotonicNanoseconds() - start) / 1e9
            let duration = (seconds ?? Double(monotonicNanoseconds() - start) / 1e9) * factor
            dueSeconds = max(dueSeconds, begin + duration)
            leave(wall, late: wall.wait(until: dueSeconds))
        }
        return result
    }
}
