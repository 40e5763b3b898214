// How a thread waits for another: spin, then yield, then sleep, so that more threads than cores still make progress.

internal import CPlatformShims
internal import Glibc

/// One wait, which gets more patient each time it is told that the condition still does not hold.
public struct Backoff: Sendable {
    private static let spinRounds: UInt32 = 128
    private static let yieldRounds: UInt32 = 8
    private var round: UInt32

    /// A wait among `threads` threads: where they outnumber the CPUs, the awaited one needs this CPU, so spinning is left out.
    public init(threads: Int = 2) {
        round = threads <= Affinity.processCPUCount ? 0 : Self.spinRounds
    }

    /// Spins (one pause of the processor, so that an answer is seen as it comes; some microseconds in all) or yields; false, at once, when it is time to sleep on a futex instead.
    public mutating func pauseBriefly() -> Bool {
        if round < Self.spinRounds {
            relaxed_pause()
        } else if round < Self.spinRounds + Self.yieldRounds {
            sched_yield()
        } else {
            return false
        }
        round += 1
        return true
    }

    /// As `pauseBriefly`, then sleeps for 50 microseconds up to 1 ms: for waits that have no futex to sleep on.
    public mutating func pause() {
        if pauseBriefly() { return }
        let sleeps = round - (Self.spinRounds + Self.yieldRounds)
        if sleeps < 20 { round += 1 }
        var time = timespec(tv_sec: 0, tv_nsec: 50_000 * Int(sleeps + 1))
        unsafe nanosleep(&time, nil)
    }
}
