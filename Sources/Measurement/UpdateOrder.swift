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
    /// How far `steps` have been summed up, and their sum from the begin of the run until there.
    private var summed = (count: 0, value: 0)

    /// Of at most `mostWorkers` workers.
    public init(workers: Int) {
        precondition(workers <= Self.mostWorkers, "\(workers) workers")
        self.workers = workers
        delays = Array(repeating: 0, count: workers * workers)
    }

    /// What one takes of a run of so many updates, of which a segment has `segment`: the matrix, and of each update that is remembered its
    /// writer and a change of how many are under way.
    public static func memoryBytes(workers: Int, segment: Int, updates: Int) -> Int {
        8 * workers * workers + 5 * (segment + min(updates, 4 * history))
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
        if known < end {
            forget(before: end)
        } else if writers.count > 4 * Self.history {
            forget(before: end - UInt64(Self.history))
        }
        for trace in traces { trace.begin(at: end) }
    }

    // Some nanoseconds an update, in the time between two segments: plain pointers, whose places are checked before.

    private func note(_ rank: Int, _ trace: UpdateTrace, start: UInt64, known: UInt64) {
        let (offset, count) = (Int(start - first), Int(known - first))
        precondition(writers.count >= count, "\(count) versions, \(writers.count) writers")
        let writer = UInt8(rank)
        unsafe writers.withUnsafeMutableBufferPointer { writers in
            let entries = unsafe trace.entries
            for index in 0..<trace.count {
                let entry = unsafe entries[index]
                let place = offset &+ Int(trace.place(of: entry))
                if place < count { unsafe writers[place] = writer }
            }
        }
    }

    private func addDelays(_ traces: [UpdateTrace], start: UInt64, known: UInt64) {
        let (offset, count) = (Int(start - first), Int(known - first))
        if count == 0 { return }
        precondition(writers.count >= count && steps.count > count, "\(count) versions, \(writers.count) writers")
        var sums = Sums(summed: summed.count, least: summed.count)
        unsafe delays.withUnsafeMutableBufferPointer { delays in
            unsafe steps.withUnsafeMutableBufferPointer { steps in
                unsafe writers.withUnsafeBufferPointer { writers in
                    for (rank, trace) in traces.enumerated() {
                        unsafe Self.addDelays(
                            trace, offset: offset, count: count, writers.baseAddress!, steps.baseAddress!,
                            row: delays.baseAddress! + rank * workers, &sums)
                    }
                }
            }
        }
        covered += sums.covered
        noteMostUnderWay(sums, until: count)
    }

    @unsafe private static func addDelays(
        _ trace: UpdateTrace, offset: Int, count: Int, _ writers: UnsafePointer<UInt8>,
        _ steps: UnsafeMutablePointer<Int32>, row: UnsafeMutablePointer<UInt64>,
        _ sums: inout Sums
    ) {
        let entries = unsafe trace.entries
        for index in 0..<trace.count {
            let entry = unsafe entries[index]
            let place = offset &+ Int(trace.place(of: entry))
            let tau = Int(truncatingIfNeeded: entry & 0xFFFF_FFFF)
            if place >= count || tau > place || sums.additions > mostAdditions { continue }
            sums.additions &+= tau
            sums.covered &+= 1
            let read = place &- tau
            if read < sums.summed {
                sums.early &+= 1
                sums.least = min(sums.least, read)
            }
            unsafe steps[read] &+= 1
            unsafe steps[place &+ 1] &-= 1
            var version = read
            while version < place {
                unsafe row[Int(writers[version])] &+= 1
                version &+= 1
            }
        }
    }

    /// What a merge counts.
    private struct Sums {
        /// Until where `steps` had been summed up.
        let summed: Int
        var additions = 0
        var covered: UInt64 = 0
        /// Reads before that, and the earliest of them.
        var early = 0
        var least: Int
    }

    /// Looks where `steps` have changed: from the earliest read of a segment's updates until its end.
    private func noteMostUnderWay(_ sums: Sums, until end: Int) {
        var sum = summed.value + sums.early
        for index in sums.least..<sums.summed { sum &-= Int(steps[index]) }
        var most = mostUnderWay
        for index in sums.least..<end {
            sum &+= Int(steps[index])
            most = max(most, sum)
        }
        mostUnderWay = most
        summed = (end, sum)
    }

    private func forget(before version: UInt64) {
        let gone = min(Int(version - first), writers.count)
        writers.removeFirst(gone)
        steps.removeFirst(gone)
        first = version
        // Of a gap nothing is known behind it.
        if writers.isEmpty { steps = [0] }
        summed = writers.isEmpty ? (0, 0) : (summed.count - gone, summed.value)
    }
}
