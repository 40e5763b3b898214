// Which CPUs the calling thread may run on, asked of and told to the kernel.

internal import CNUMA
internal import CPlatformShims
internal import Glibc

/// The calling thread's CPUs.
public enum Affinity {
    /// 64-bit words for 8192 CPUs, the most that Linux is built for.
    private static let words = 128

    /// The number of CPUs this process may run on, as it was when first asked.
    public static let processCPUCount = max(1, ofCallingThread().count)

    /// The CPUs the calling thread may run on, ascending.
    public static func ofCallingThread() -> [Int] {
        var mask = [UInt64](repeating: 0, count: words)
        guard unsafe relaxed_get_affinity(&mask, words * 8) == 0 else { return [] }
        return mask.indices.filter { mask[$0] != 0 }.flatMap { index in
            (0..<64).filter { mask[index] & (1 << $0) != 0 }.map { 64 * index + $0 }
        }
    }

    /// The CPU and the memory node on which the calling thread runs at this moment.
    public static func whereCallingThreadRuns() -> (cpu: Int, node: Int)? {
        var cpu: UInt32 = 0
        var node: UInt32 = 0
        guard unsafe relaxed_getcpu(&cpu, &node) == 0 else { return nil }
        return (Int(cpu), Int(node))
    }

    /// Pins the calling thread to one CPU and asks the kernel whether it holds; nil, or what went wrong.
    static func pinCallingThread(to cpu: Int) -> String? {
        guard (0..<64 * words).contains(cpu) else { return "no such CPU" }
        let failure: Int32
        if NUMA.isAvailable, let mask = unsafe numa_allocate_cpumask() {
            defer { unsafe numa_free_cpumask(mask) }
            guard unsafe UInt(cpu) < mask.pointee.size else { return "no such CPU" }
            unsafe numa_bitmask_setbit(mask, UInt32(cpu))
            failure = unsafe numa_sched_setaffinity(0, mask) < 0 ? errno : 0
        } else {
            var mask = [UInt64](repeating: 0, count: words)
            mask[cpu / 64] = 1 << (cpu % 64)
            failure = unsafe relaxed_set_affinity(&mask, words * 8)
        }
        if failure != 0 { return describe(errorNumber: failure) }
        let now = ofCallingThread()
        return now == [cpu] ? nil : "the kernel runs it on \(CPUList.format(now))"
    }
}

/// The C library's text for an `errno`.
func describe(errorNumber: Int32) -> String {
    unsafe String(cString: strerror(errorNumber))
}
