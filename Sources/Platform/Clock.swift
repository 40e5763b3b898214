// The one clock that durations are measured with. Any thread.

internal import Glibc

/// Nanoseconds of the monotonic clock, whose zero is arbitrary; differences are durations on any thread of the machine.
public func monotonicNanoseconds() -> UInt64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
}

/// What the monotonic clock shows in so many seconds: at least what it shows now, and `UInt64.max` where that cannot be counted.
public func monotonicNanoseconds(in seconds: Double) -> UInt64 {
    let nanoseconds = seconds * 1e9
    guard nanoseconds < 0x1p63 else { return .max }
    return monotonicNanoseconds() &+ (nanoseconds > 0 ? UInt64(nanoseconds) : 0)
}
