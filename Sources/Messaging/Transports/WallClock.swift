// The wall clock: real time, in which messages arrive when the ports of the switch would let them. All ranks' threads use it.

internal import CPlatformShims
internal import Glibc
internal import Platform
internal import SwitchModel

/// Reserves the ports of the switch in real time, and measures how late the machine is.
///
/// Each rank keeps the time it ought to be: when a wait ends late, because the machine woke it late, the next message is still
/// posted at the time at which it should have been, and takes its ports in the order of those times. So lateness does not add up;
/// real computation between calls does count.
final class WallClock: Sendable {
    private let ports: Locked<ReservationBook>
    private let cost: NetworkCost
    /// When the run began, on the monotonic clock; the fabric's birth.
    private let origin: UInt64
    private let time: RunTime

    /// When each rank ought to have come to the barrier: two rows, since a rank may be in the next one while others read.
    private let dues: PageBuffer<Double>
    private let count: Int

    init(count: Int, cost: NetworkCost, gate: PauseGate) throws(InputError) {
        dues = try PageBuffer(count: 2 * count)
        self.count = count
        ports = Locked(ReservationBook(ranks: count, cost: cost))
        self.cost = cost
        time = gate.time
        origin = time.nanoseconds
    }

    /// Seconds since the run began, pauses not counted.
    var seconds: Double { Double(time.nanoseconds - origin) / 1e9 }

    /// Seconds from the start of a message of `bytes` until it has arrived.
    func messageSeconds(bytes: Int) -> Double { cost.messageSeconds(megabytes: Double(bytes) / 1e6) }

    /// Seconds that the bytes of a message take beside its latency.
    func transferSeconds(bytes: Int) -> Double { cost.transferSeconds(megabytes: Double(bytes) / 1e6) }

    /// Seconds for which a message of `bytes` bytes holds its two ports.
    func holdSeconds(bytes: Int) -> Double { cost.holdSeconds(megabytes: Double(bytes) / 1e6) }

    /// When the oldest message from `from` to `to` arrives, as far as is known.
    func arrival(from: Int, to: Int) -> Double { ports.withLock { $0.arrival(from: from, to: to) } }

    /// Reserves the ports for a message and says when it arrives, unless one that ought to have been posted before delays it.
    func reserve(at time: Double, from: Int, to: Int, bytes: Int) -> Double {
        ports.withLock { $0.reserve(at: time, from: from, to: to, bytes: bytes) }
    }

    /// Lets the oldest message from `from` to `to` in, unless it arrives after `time`; says when it arrives.
    func settle(from: Int, to: Int, at time: Double) -> Double {
        ports.withLock { $0.settle(from: from, to: to, at: time) }
    }

    /// From when the next message of `rank` finds its send port free.
    func sendPortFree(of rank: Int) -> Double { ports.withLock { $0.sendPortFree(of: rank) } }

    /// Says, before barrier number `barrier`, when this rank ought to be there. The barrier orders it before the others' reads.
    func announce(dueSeconds: Double, barrier: Int, rank: Int) {
        unsafe dues.pointer[barrier % 2 * count + rank] = dueSeconds
    }

    /// When the last rank ought to have come to barrier number `barrier`. Between that barrier and the next.
    func latestDueSeconds(barrier: Int) -> Double {
        (0..<count).reduce(0) { unsafe max($0, dues.pointer[barrier % 2 * count + $1]) }
    }

    /// Waits until the clock shows `time`: sleeps by `sleep` while it is far, then yields; returns how late it is, in seconds, or nil
    /// where `isOver` says that there is nothing to wait for.
    func wait(until time: Double, or isOver: () -> Bool, sleep: (_ nanoseconds: Int64) -> Void) -> Double? {
        // Sleeping is late by up to about this much; the rest of the wait is spent yielding.
        let margin = 100e-6
        while true {
            let left = time - seconds
            if left <= 0 { return -left }
            if left > margin {
                if isOver() { return nil }
                sleep(Int64(min(left - margin, 1e6) * 1e9))
            } else {
                sched_yield()
            }
        }
    }

    /// Asks the kernel to wake the calling thread on time.
    static func sharpenTimer() { relaxed_set_timer_slack(1_000) }
}

/// Seconds that the calling thread has spent on a processor.
package func threadSeconds() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
