// How much memory this process can still get. Any thread.

internal import Glibc

/// Bytes that can be touched now before the kernel kills or refuses: what the machine has free, within the limits of the control
/// groups and of the process; nil where the kernel tells nothing.
public func availableMemoryBytes() -> Int? {
    let files = MachineFiles(root: "/")
    var limits: [Int] = []
    for line in (files.text("/proc/meminfo") ?? "").split(separator: "\n") where line.hasPrefix("MemAvailable:") {
        if let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) {
            limits.append(kibibytes << 10)
        }
    }
    if let limit = ControlGroup(of: files).memoryBytes { limits.append(limit) }
    var address = rlimit()
    if unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &address) == 0, address.rlim_cur < UInt(Int.max) {
        limits.append(Int(address.rlim_cur))
    }
    return limits.min()
}
