// Where one worker writes down the staleness of its own updates; merged and summarised after the run.

internal import Histogram

/// The staleness (DESIGN: tau = t - D(t)) of one worker's updates.
///
/// Written by one worker thread while it runs, read by the coordinator between runs. Values below 2,048 are counted exactly, larger
/// ones to 0.1 percent; count, sum and maximum are always exact. Recording a value below 2,048 is a few additions in memory of
/// this recorder's own: it stands in the path of every update of asgd.
@safe public final class StalenessRecorder: @unchecked Sendable {
    // Sendable: one worker writes while it runs, the coordinator reads between runs; the team's start and end order the two.

    /// Values below this are counted one by one.
    @usableFromInline static let exactValues: UInt64 = 2_048
    /// The largest value that is counted as itself; larger ones count as this one.
    static let largestTrackable: UInt64 = 1 << 40

    /// Count, sum and maximum, then how often each of the exact values occurred.
    @usableFromInline let cells: UnsafeMutablePointer<UInt64>
    /// The larger values; a quarter of a megabyte, made when the first one comes.
    private var large: Histogram<UInt64>?

    private static func emptyHistogram() -> Histogram<UInt64> {
        Histogram(highestTrackableValue: largestTrackable, numberOfSignificantValueDigits: .three)
    }

    /// Bytes that a recorder takes, without the histogram of large values.
    public static let memoryBytes = 8 * (3 + Int(exactValues))

    public init() {
        let words = 3 + Int(Self.exactValues)
        unsafe cells = UnsafeMutableRawPointer.allocate(byteCount: 8 * words, alignment: 128)
            .bindMemory(to: UInt64.self, capacity: words)
        unsafe cells.initialize(repeating: 0, count: words)
    }

    deinit { unsafe UnsafeMutableRawPointer(cells).deallocate() }

    /// How many updates were recorded.
    public var count: UInt64 { unsafe cells[0] }
    /// The sum of their staleness.
    public var sum: UInt64 { unsafe cells[1] }
    /// The largest staleness.
    public var maximum: UInt64 { unsafe cells[2] }

    /// Records one or more updates of staleness `tau`.
    @inlinable public func record(_ tau: UInt64, count times: UInt64 = 1) {
        unsafe cells[0] &+= times
        unsafe cells[1] &+= tau &* times
        unsafe cells[2] = times > 0 ? max(cells[2], tau) : cells[2]
        if tau < Self.exactValues {
            unsafe cells[3 &+ Int(tau)] &+= times
        } else {
            recordLarge(tau, times)
        }
    }

    @usableFromInline func recordLarge(_ tau: UInt64, _ times: UInt64) {
        guard times > 0 else { return }
        if large == nil { large = Self.emptyHistogram() }
        _ = large!.record(min(tau, Self.largestTrackable), count: times)
    }

    /// Adds what another recorder has seen.
    public func merge(_ other: StalenessRecorder) {
        for tau in 0..<Self.exactValues {
            let times = unsafe other.cells[3 + Int(tau)]
            if times > 0 { record(tau, count: times) }
        }
        guard let others = other.large else { return }
        if large == nil { large = Self.emptyHistogram() }
        large!.add(others)
        unsafe cells[0] = unsafe cells[0] &+ others.totalCount
        unsafe cells[1] = unsafe cells[1] &+ (other.sum &- other.exactSum)
        unsafe cells[2] = unsafe max(cells[2], other.maximum)
    }

    /// The sum over the exact values.
    private var exactSum: UInt64 {
        (0..<Self.exactValues).reduce(0) { unsafe $0 &+ $1 &* cells[3 + Int($1)] }
    }

    /// All values in one histogram.
    var histogram: Histogram<UInt64> {
        var all = large ?? Self.emptyHistogram()
        for tau in 0..<Self.exactValues {
            let times = unsafe cells[3 + Int(tau)]
            if times > 0 { _ = all.record(tau, count: times) }
        }
        return all
    }
}
