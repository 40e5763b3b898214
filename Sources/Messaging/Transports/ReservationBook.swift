// The ports of the switch when messages are posted late. A value with one owner: the wall clock, under its lock.

internal import DequeModule
package import SwitchModel

/// Messages with the times at which they arrive, as if all had been posted when they ought to have been.
///
/// On the wall clock a rank that the machine has held up posts a message after others that come later in the order of (time, rank).
/// Had they taken its ports, one late wake-up would cost whole messages. So the book inserts it before them, and what is still under
/// way behind it arrives later than first said: a receiver asks again, by `settle`, before it lets a message in.
package struct ReservationBook {
    private struct Entry {
        let at: Double
        let from: Int
        let to: Int
        let bytes: Int
        var end: Double
        var isSettled = false
        /// Whether `base` counts it already, so that its end stays.
        var isFinal = false
    }

    /// Messages in the order of (time, rank), from the first that has not been let in.
    private var entries: Deque<Entry> = []
    /// The ports as messages before `entries`, and the final ones in them, leave them.
    private var base: Switch
    /// The ports as all messages leave them.
    private var ports: Switch
    private var settledCount = 0

    package init(ranks: Int, cost: NetworkCost) {
        base = Switch(ranks: ranks, cost: cost)
        ports = base
    }

    /// Takes the ports of a message that ought to be posted at `at` seconds; says when it arrives as far as is known.
    package mutating func reserve(at: Double, from: Int, to: Int, bytes: Int) -> Double {
        var place = entries.count
        var isInTheWay = false
        while place > 0, (entries[place - 1].at, entries[place - 1].from) > (at, from) {
            place -= 1
            if entries[place].to == to || entries[place].from == from { isInTheWay = true }
        }
        let end = ports.reserve(at: at, from: from, to: to, bytes: bytes).end
        entries.insert(Entry(at: at, from: from, to: to, bytes: bytes, end: end), at: place)
        if isInTheWay { replay() }
        return entries[place].end
    }

    /// Lets the oldest message from `from` to `to` in, unless it arrives after `time`; says when it arrives.
    package mutating func settle(from: Int, to: Int, at time: Double) -> Double {
        guard let place = entries.firstIndex(where: { $0.from == from && $0.to == to && !$0.isSettled }) else {
            preconditionFailure("no message from rank \(from) to rank \(to) is under way")
        }
        let end = entries[place].end
        if end > time { return end }
        entries[place].isSettled = true
        settledCount += 1
        while let first = entries.first, first.isSettled {
            entries.removeFirst()
            settledCount -= 1
            if !first.isFinal { _ = base.reserve(at: first.at, from: first.from, to: first.to, bytes: first.bytes) }
        }
        // A message that nobody lets in must not keep all later ones here.
        if settledCount > 64 + 8 * base.ranks { finalize() }
        return end
    }

    /// When the oldest message from `from` to `to` arrives, as far as is known.
    package func arrival(from: Int, to: Int) -> Double {
        guard let entry = entries.first(where: { $0.from == from && $0.to == to && !$0.isSettled }) else {
            preconditionFailure("no message from rank \(from) to rank \(to) is under way")
        }
        return entry.end
    }

    /// The time from which the next message of `rank` finds its send port free; minus infinity where nothing was sent.
    package func sendPortFree(of rank: Int) -> Double { ports.sendPortFree(of: rank) }

    private mutating func replay() {
        ports = base
        for place in entries.indices where !entries[place].isFinal {
            let entry = entries[place]
            entries[place].end = ports.reserve(at: entry.at, from: entry.from, to: entry.to, bytes: entry.bytes).end
        }
    }

    private mutating func finalize() {
        base = ports
        entries.removeAll(where: \.isSettled)
        settledCount = 0
        for place in entries.indices { entries[place].isFinal = true }
    }
}
