// How much memory this process can still get. Any thread.

/// Bytes that can be touched now before the kernel kills or refuses: what the machine has free, within what the control groups and the
/// limits of the process leave beyond what they hold already; nil where the kernel tells nothing.
///
/// - Parameter machineRoot: where the files of `proc` and of the control groups are, of this machine or of a described one.
public func availableMemoryBytes(machineRoot: String = "/") -> Int? {
    let files = MachineFiles(root: machineRoot)
    var free: [Int] = []
    if let available = files.kilobytes("/proc/meminfo", "MemAvailable") { free.append(available) }
    if let available = ControlGroup(of: files).availableBytes { free.append(available) }
    // The lines of the limits with those of the status that say what counts towards them.
    for (limit, held) in [("Max address space", "VmSize"), ("Max data size", "VmData")] {
        guard let most = limitBytes(limit, files) else { continue }
        free.append(most - (files.kilobytes("/proc/self/status", held) ?? 0))
    }
    return free.min().map { max(0, $0) }
}

/// Bytes of memory that this process holds now; 0 where the kernel does not say.
public func residentMemoryBytes() -> Int { MachineFiles(root: "/").kilobytes("/proc/self/status", "VmRSS") ?? 0 }

/// The most bytes of memory that this process has held at once; 0 where the kernel does not say.
public func peakMemoryBytes() -> Int { MachineFiles(root: "/").kilobytes("/proc/self/status", "VmHWM") ?? 0 }

/// The soft limit of a line of `proc/self/limits` in bytes; nil for `unlimited`.
private func limitBytes(_ name: String, _ files: MachineFiles) -> Int? {
    let lines = (files.text("/proc/self/limits") ?? "").split(separator: "\n")
    guard let line = lines.first(where: { $0.hasPrefix(name + " ") }) else { return nil }
    return line.dropFirst(name.count).split(separator: " ").first.flatMap { Int($0) }
}

extension MachineFiles {
    /// A line `NAME: number kB`, in bytes; nil where there is none, or where it is more than can be counted.
    fileprivate func kilobytes(_ path: String, _ name: String) -> Int? {
        let lines = (text(path) ?? "").split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix(name + ":") }) else { return nil }
        guard let number = line.dropFirst(name.count + 1).split(whereSeparator: { $0 == " " || $0 == "\t" }).first,
            let kilobytes = Int(number)
        else { return nil }
        let (bytes, overflow) = kilobytes.multipliedReportingOverflow(by: 1_024)
        return overflow ? nil : bytes
    }
}
