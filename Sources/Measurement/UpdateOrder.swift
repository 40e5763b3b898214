// Who delayed whom, put together from the traces of all workers after each segment. The coordinator's thread.

/// The order of a window's updates: by whom each was, whom each delayed, and how many gradients were under way.
public final class UpdateOrder {
    /// What all traces of a run may take together.
    public static let mostBytes = 64 << 20
    /// Beyond so many workers nobody reads a matrix.
    public static let mostWorkers = 256
    /// Additions of a segment: some tenths of a second.
    private static let mostAdditions = 1 << 28
    /// Versions behind a segment's first whose writers are remembered: reads may be so old.
    private static let history = 1 << 16

    private let workers: Int
    /// Updates by rank j between the read and the update of rank i, in row i and column j.
    private var delays: [UInt64]
    /// Updates whose delays are in the matrix.
    public private(set) var covered: UInt64 = 0
    /// The most gradients that were under way where an update was applied, its own among them; of the updates that are covered.
    public private(set) var mostUnderWay = 0

    /// The version of which `writers` and `steps` begin to tell.
    private var first: UInt64 = 0
    private var writers: [UInt8] = []
    /// How many more gradients are under way at a version than at the one before.
    private var steps: [Int32] = [0]
    /// Those under way before `first`.
    private var underWayBefore = 0

    /// Of at most `mostWorkers` workers.
    public init(workers: Int) {
        precondition(workers <= Self.mostWorkers, "\(workers) workers")
        self.workers = workers
        delays = Array(repeating: 0, count: workers * workers)
    }

    /// Row i, column j: updates by rank j between the read and the update of rank i.
    public var delayedBy: [[UInt64]] {
        (0..<workers).map { Array(delays[$0 * workers..<($0 + 1) * workers]) }
    }

    /// Takes over the traces of a segment, by rank, at whose end the window has version `end`; they then begin the next.
    public func merge(_ traces: [UpdateTrace], end: UInt64) {
        let start = traces.first?.start ?? 0
        var known = end
        for trace in traces where !trace.isComplete {
            known = min(known, trace.count == 0 ? start : start + UInt64(trace[trace.count - 1].t) + 1)
        }
        let count = Int(known - first)
        writers.append(contentsOf: repeatElement(0, count: max(0, count - writers.count)))
        steps.append(contentsOf: repeatElement(0, count: max(0, count + 1 - steps.count)))
        for (rank, trace) in traces.enumerated() { note(rank, trace, start: start, known: known) }
        addDelays(traces, start: start, known: known)
        noteMostUnderWay()
        if known < end {
            forget(before: end)
        } else if writers.count > 4 * Self.history {
            forget(before: end - UInt64(Self.history))
        }
        for trace in traces { trace.begin(at: end) }
    }

    private func note(_ rank: Int, _ trace: UpdateTrace, start: UInt64, known: UInt64) {
        let offset = Int(start - first)
        let count = Int(known - first)
        for index in 0..<trace.count {
            let place = offset + Int(trace[index].t)
            if place < count { writers[place] = UInt8(rank) }
        }
    }

    private func addDelays(_ traces: [UpdateTrace], start: UInt64, known: UInt64) {
        let offset = Int(start - first)
        let count = Int(known - first)
        var additions = 0
        for (rank, trace) in traces.enumerated() {
            for index in 0..<trace.count {
                let entry = trace[index]
                let (place, tau) = (offset + Int(entry.t), Int(entry.tau))
                guard place < count, tau <= place, additions <= Self.mostAdditions else { continue }
                additions += tau
                covered += 1
                steps[place - tau] += 1
                steps[place + 1] -= 1
                let row = rank * workers
                for version in place - tau..<place { delays[row + Int(writers[version])] += 1 }
            }
        }
    }

    private func noteMostUnderWay() {
        var sum = underWayBefore
        for step in steps.dropLast() {
            sum += Int(step)
            mostUnderWay = max(mostUnderWay, sum)
        }
    }

    private func forget(before version: UInt64) {
        let gone = min(Int(version - first), writers.count)
        underWayBefore += steps[..<gone].reduce(0) { $0 + Int($1) }
        writers.removeFirst(gone)
        steps.removeFirst(gone)
        first = version
        if writers.isEmpty { (steps, underWayBefore) = ([0], 0) }
    }
}
