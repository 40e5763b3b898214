// The clock that updates are stamped with: as cheap as the machine has one, and the same for all its cores. Any thread.

public import CPlatformShims

/// A clock in ticks, whose stamps by different cores can be compared.
///
/// The time-stamp counter where the processor says that its rate never changes and the kernel has not given it up as a clock; else the
/// monotonic clock, whose ticks are nanoseconds.
@frozen public struct StampClock: Sendable {
    public enum Source: String, Codable, Sendable {
        case timeStampCounter = "time-stamp counter"
        case monotonic = "monotonic clock"
    }

    /// The best clock of this machine.
    public static let best = StampClock(isTrusted(kernelClock) ? .timeStampCounter : .monotonic)

    @usableFromInline let isCounter: Bool
    private let start: (stamp: UInt64, nanoseconds: UInt64)

    public var source: Source { isCounter ? .timeStampCounter : .monotonic }

    /// A clock of the given kind; the counter only where the processor has an invariant one.
    public init(_ source: Source) {
        precondition(source == .monotonic || relaxed_has_invariant_counter() != 0, "no invariant counter here")
        let isCounter = source == .timeStampCounter
        self.isCounter = isCounter
        let nanoseconds = monotonicNanoseconds()
        start = (isCounter ? relaxed_counter_after(0) : nanoseconds, nanoseconds)
    }

    /// The time now, in ticks; all that the program says before has been executed.
    @inlinable @inline(__always) public func now() -> UInt64 { now(after: 0) }

    /// The time now, in ticks, once `value` has been computed.
    @inlinable @inline(__always) public func now(after value: Float) -> UInt64 {
        isCounter ? relaxed_counter_after(value) : monotonicNanoseconds()
    }

    /// The time now, in ticks, give or take some instructions: cheaper.
    @inlinable @inline(__always) public func aboutNow() -> UInt64 {
        isCounter ? relaxed_counter() : monotonicNanoseconds()
    }

    /// The ticks of a second, to about a thousandth, from the time since the clock was made, a millisecond at least.
    public var ticksPerSecond: Double {
        guard isCounter else { return 1e9 }
        while monotonicNanoseconds() - start.nanoseconds < 1_000_000 {}
        let nanoseconds = monotonicNanoseconds()
        return Double(now() - start.stamp) / Double(nanoseconds - start.nanoseconds) * 1e9
    }

    /// Clocks that Linux falls back on where the counters of the cores disagree.
    static func isTrusted(_ kernelClock: String?) -> Bool {
        let fallbacks = ["hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"]
        return relaxed_has_invariant_counter() != 0 && !fallbacks.contains(kernelClock ?? "")
    }

    private static var kernelClock: String? {
        MachineFiles(root: "/").text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    }
}
