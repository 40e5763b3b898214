// The wall clock: real time, in which messages arrive when the ports of the switch would let them. All ranks' threads use it.

internal import Glibc
internal import Platform
internal import SwitchModel

/// Reserves the ports of the switch in real time, and measures how late the machine is.
///
/// Each rank keeps the time it ought to be: when a wait ends late, because the machine woke it late, the next message is still
/// posted at the time at which it should have been. So lateness does not add up; real computation between calls does count.
final class WallClock: Sendable {
    private let ports: Locked<Switch>
    /// When the run began, on the monotonic clock; set before the ranks start.
    let origin: UInt64

    init(ports: Switch) {
        self.ports = Locked(ports)
        origin = monotonicNanoseconds()
    }

    /// Seconds since the run began.
    var seconds: Double { Double(monotonicNanoseconds() - origin) / 1e9 }

    /// Reserves the ports for a message and says when it arrives.
    func reserve(at time: Double, from: Int, to: Int, bytes: Int) -> Double {
        ports.withLock { $0.reserve(at: time, from: from, to: to, bytes: bytes).end }
    }

    /// Waits until the clock shows `time`: sleeps while it is far, then yields; returns how late it is, in seconds.
    func wait(until time: Double) -> Double {
        // Sleeping is late by up to about this much; the rest of the wait is spent yielding.
        let margin = 120e-6
        while true {
            let left = time - seconds
            if left <= 0 { return -left }
            if left > margin {
                var pause = timespec(tv_sec: Int(left - margin), tv_nsec: 0)
                pause.tv_nsec = Int((left - margin - Double(pause.tv_sec)) * 1e9)
                unsafe nanosleep(&pause, nil)
            } else {
                sched_yield()
            }
        }
    }
}
