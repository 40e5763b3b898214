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
    /// How often larger values occurred, by the last of those that the histogram does not tell apart: few in a run, where a histogram
    /// for each worker would take a quarter of a megabyte.
    private var large: [UInt64: UInt64] = [:]

    private static func emptyHistogram() -> Histogram<UInt64> {
        Histogram(highestTrackableValue: largestTrackable, numberOfSignificantValueDigits: .three)
    }

    /// Bytes that a recorder takes, without what it knows of large values.
    public static let memoryBytes = 8 * (3 + Int(exactValues))

    public init() {
        let words = 3 + Int(Self.exactValues)
        unsafe cells = UnsafeMutableRawPointer.allocate(byteCount: 8 * words, alignment: 128)
            .bindMemory(to: UInt64.self, capacity: words)
        unsafe cells.initialize(repeating: 0, count: words)
    }

    /// What several have seen together.
    public convenience init(all recorders: [StalenessRecorder]) {
        self.init()
        for recorder in recorders { merge(recorder) }
    }

    deinit { unsafe UnsafeMutableRawPointer(cells).deallocate() }

    /// How many updates were recorded.
    public var count: UInt64 { unsafe cells[0] }
    /// The sum of their staleness.
    public var sum: UInt64 { unsafe cells[1] }
    /// The largest staleness.
    public var maximum: UInt64 { unsafe cells[2] }

    /// How many had staleness `tau`, which is below 2,048.
    public func count(of tau: UInt64) -> UInt64 {
        precondition(tau < Self.exactValues, "staleness \(tau)")
        return unsafe cells[3 + Int(tau)]
    }

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
        large[Self.lastAlike(tau), default: 0] &+= times
    }

    /// The last of the values that share the 11 leading bits of `tau`, which are three decimal digits.
    private static func lastAlike(_ tau: UInt64) -> UInt64 {
        tau | ((1 << UInt64(max(0, UInt64.bitWidth - tau.leadingZeroBitCount - 11))) - 1)
    }

    /// Adds what another recorder has seen.
    public func merge(_ other: StalenessRecorder) {
        for tau in 0..<Int(Self.exactValues) { unsafe cells[3 + tau] &+= other.cells[3 + tau] }
        large.merge(other.large) { $0 &+ $1 }
        unsafe cells[0] &+= other.count
        unsafe cells[1] &+= other.sum
        unsafe cells[2] = max(cells[2], other.maximum)
    }

    /// All values in one histogram.
    var histogram: Histogram<UInt64> {
        var all = Self.emptyHistogram()
        let most = min(maximum, Self.largestTrackable)
        for (tau, times) in large { _ = all.record(min(tau, most), count: times) }
        for tau in 0..<Self.exactValues {
            let times = unsafe cells[3 + Int(tau)]
            if times > 0 { _ = all.record(tau, count: times) }
        }
        return all
    }
}
