// The one clock that durations are measured with. Any thread.

internal import Glibc

/// Nanoseconds of the monotonic clock, whose zero is arbitrary; differences are durations on any thread of the machine.
public func monotonicNanoseconds() -> UInt64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
}
