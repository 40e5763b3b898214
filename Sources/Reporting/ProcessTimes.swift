// How long this process has been running, and what it has used of processors. Any thread.

internal import Glibc

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Seconds of this process from its start to the moment when this was made.
public struct ProcessTimes: Encodable, Sendable {
    /// Of the clock on the wall, to 10 ms, in which the kernel keeps the start; nil where it does not tell.
    public let processSeconds: Double?
    /// Of processors, by all threads together, in the process and in the kernel for it.
    public let processorSeconds: Double

    public init() {
        processSeconds = Self.secondsSinceStart()
        var usage = rusage()
        unsafe getrusage(RUSAGE_SELF.rawValue, &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
        processorSeconds = seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    private static func secondsSinceStart() -> Double? {
        // The name before the last bracket may hold anything; the start is the twentieth field after it, in ticks since the boot.
        let text = (try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8)) ?? ""
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 19, let ticks = Double(fields[19]) else { return nil }
        var now = timespec()
        guard unsafe clock_gettime(CLOCK_BOOTTIME, &now) == 0 else { return nil }
        return max(0, Double(now.tv_sec) + Double(now.tv_nsec) * 1e-9 - ticks / Double(sysconf(Int32(_SC_CLK_TCK))))
    }
}
