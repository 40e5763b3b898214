// The ranks that can go on, ordered by (time, rank). A value with one owner: the engine, or a clock under its lock.

/// A binary heap of ranks with the time at which each goes on; a rank is in it at most once.
package struct ReadyQueue {
    package struct Entry {
        package let time: Double
        package let rank: Int

        package init(time: Double, rank: Int) {
            self.time = time
            self.rank = rank
        }

        package static func < (a: Entry, b: Entry) -> Bool { a.time != b.time ? a.time < b.time : a.rank < b.rank }
    }

    private var entries: [Entry] = []

    /// All of `0..<ranks`, at time 0.
    package init(ranks: Int) {
        entries = (0..<ranks).map { Entry(time: 0, rank: $0) }
    }

    /// The rank that goes on first.
    package var first: Entry? { entries.first }

    package mutating func push(_ entry: Entry) {
        entries.append(entry)
        rise(entry, from: entries.count - 1)
    }

    /// Lets a rank that is in it go on at an earlier time; looks at all ranks for it.
    package mutating func hasten(_ rank: Int, to time: Double) {
        guard let place = entries.firstIndex(where: { $0.rank == rank }) else { return }
        rise(Entry(time: time, rank: rank), from: place)
    }

    /// Puts `entry` at `hole` or where one of those above it was.
    private mutating func rise(_ entry: Entry, from hole: Int) {
        var hole = hole
        while hole > 0 {
            let parent = (hole - 1) / 2
            guard entry < entries[parent] else { break }
            entries[hole] = entries[parent]
            hole = parent
        }
        entries[hole] = entry
    }

    /// The rank that goes on first; of those at the same time, the lowest.
    package mutating func popFirst() -> Entry? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty { sink(last) }
        return first
    }

    /// Puts `entry` where the first one was.
    private mutating func sink(_ entry: Entry) {
        var hole = 0
        while true {
            var child = 2 * hole + 1
            guard child < entries.count else { break }
            if child + 1 < entries.count, entries[child + 1] < entries[child] { child += 1 }
            guard entries[child] < entry else { break }
            entries[hole] = entries[child]
            hole = child
        }
        entries[hole] = entry
    }
}
