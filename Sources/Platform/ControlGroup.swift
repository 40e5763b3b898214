// What the control groups of a process allow it, versions 1 and 2. The thread that asks for the topology.

/// The CPUs, memory nodes and CPU time that control groups leave to a process.
struct ControlGroup: Equatable {
    /// A machine has one, or one per controller.
    private static let mostMounts = 64

    /// The allowed CPUs, or nil where no control group limits them.
    private(set) var cpus: Set<Int>?
    /// The allowed memory nodes, or nil where no control group limits them.
    private(set) var memoryNodes: Set<Int>?
    /// How many CPUs' worth of time, or nil where there is no quota.
    private(set) var cpuQuota: Double?
    /// How many bytes of memory their limits leave beyond what the groups hold and could not drop, or nil where there is no limit.
    private(set) var availableBytes: Int?
    /// What could not be read, so that a limit may be missing here: one line each.
    private(set) var notices: [String] = []

    /// Reads the mounts and the process's paths from `proc`, and the limits from every mounted hierarchy.
    init(of files: MachineFiles) {
        let paths = Self.processPaths(files)
        let mounts = files.text("/proc/mounts", maximumBytes: MachineFiles.maximumBytesOfMounts) ?? ""
        var heeded: Set<String> = []
        for line in mounts.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 4)
            guard words.count >= 4, ["cgroup", "cgroup2", "cpuset"].contains(words[2]) else { continue }
            let fields = words.map(Self.unescape)
            let options = Set(fields[3].split(separator: ",").map(String.init))
            let mount = fields[1]
            guard heeded.insert(mount).inserted else { continue }
            if heeded.count > Self.mostMounts {
                notices.append(
                    "more than \(Self.mostMounts) mounts of control groups: the limits of the rest are not known")
                break
            }
            switch fields[2] {
            case "cgroup2":
                let folders = Self.folders(mount: mount, path: paths.unified ?? paths.cpuset)
                limitCPUs(files, folders, ["cpuset.cpus.effective", "cpuset.cpus"])
                limitMemory(files, folders, ["cpuset.mems.effective", "cpuset.mems"])
                noteMissing(files, folders, ["cgroup.events", "cpuset.cpus.effective"])
                for folder in folders {
                    let path = folder + "/cpu.max"
                    if let text = files.text(path) { limitTime(text, unlimited: "max", path) }
                    limitBytes(
                        files.integer(folder + "/memory.max"), held: files.integer(folder + "/memory.current"),
                        cached: Self.sum(files.text(folder + "/memory.stat"), of: Self.reclaimable))
                }
            case "cgroup":
                if options.contains("cpuset") {
                    let folders = Self.folders(mount: mount, path: paths.byController["cpuset"] ?? paths.cpuset)
                    limitCPUs(files, folders, ["cpuset.effective_cpus", "cpuset.cpus", "cpus"])
                    limitMemory(files, folders, ["cpuset.effective_mems", "cpuset.mems", "mems"])
                    noteMissing(files, folders, ["cpuset.effective_cpus", "cpuset.cpus", "cpus"])
                }
                if options.contains("cpu") {
                    let folders = Self.folders(mount: mount, path: paths.byController["cpu"])
                    noteMissing(files, folders, ["cpu.cfs_quota_us"])
                    for folder in folders {
                        let path = folder + "/cpu.cfs_quota_us"
                        guard let quota = files.text(path) else { continue }
                        let period = files.text(folder + "/cpu.cfs_period_us") ?? ""
                        limitTime("\(quota) \(period)", unlimited: "-1", path)
                    }
                }
                if options.contains("memory") {
                    let folders = Self.folders(mount: mount, path: paths.byController["memory"])
                    noteMissing(files, folders, ["memory.limit_in_bytes"])
                    for folder in folders {
                        limitBytes(
                            files.integer(folder + "/memory.limit_in_bytes"),
                            held: files.integer(folder + "/memory.usage_in_bytes"),
                            cached: Self.sum(
                                files.text(folder + "/memory.stat"), of: Self.reclaimable.map { "total_" + $0 }))
                    }
                }
            case "cpuset":
                let folders = Self.folders(mount: mount, path: paths.cpuset)
                limitCPUs(files, folders, ["cpus"])
                limitMemory(files, folders, ["mems"])
                noteMissing(files, folders, ["cpus"])
            default: break
            }
        }
    }

    private mutating func limitCPUs(_ files: MachineFiles, _ folders: [String], _ names: [String]) {
        guard let found = nearest(files, folders, names) else { return }
        cpus = cpus?.intersection(found) ?? found
    }

    private mutating func limitMemory(_ files: MachineFiles, _ folders: [String], _ names: [String]) {
        guard let found = nearest(files, folders, names) else { return }
        memoryNodes = memoryNodes?.intersection(found) ?? found
    }

    /// CPUs' worth of time from "quota period", both in microseconds; `unlimited` in place of the quota is none.
    private mutating func limitTime(_ text: String, unlimited: String, _ path: String) {
        let words = text.split(separator: " ")
        if words.first == unlimited[...] { return }
        guard words.count == 2, let quota = Int(words[0]), let period = Int(words[1]), quota > 0, period > 0 else {
            notices.append("\(path) cannot be read as a quota of time and is not heeded")
            return
        }
        cpuQuota = min(cpuQuota ?? .infinity, Double(quota) / Double(period))
    }

    /// What a group that is full can take back from its files. Files in memory that have no other place are not among them.
    private static let reclaimable = ["active_file", "inactive_file", "slab_reclaimable"]

    private mutating func limitBytes(_ limit: Int?, held: Int?, cached: Int) {
        guard let limit, limit >= 0 else { return }
        let left = limit - min(limit, max(0, max(0, held ?? 0) - cached))
        availableBytes = min(availableBytes ?? left, left)
    }

    /// The sum of the named lines `NAME NUMBER` of a file, each below a hundredth of what can be counted.
    private static func sum(_ text: String?, of names: [String]) -> Int {
        (text ?? "").split(separator: "\n").reduce(0) { sum, line in
            let words = line.split(separator: " ")
            guard words.count == 2, names.contains(String(words[0])), let number = Int(words[1]),
                (0..<Int.max / 100).contains(number)
            else { return sum }
            return sum + number
        }
    }

    /// The first list that is there and not empty: a group that has none inherits its parent's.
    private mutating func nearest(_ files: MachineFiles, _ folders: [String], _ names: [String]) -> Set<Int>? {
        for folder in folders {
            for name in names {
                let path = "\(folder)/\(name)"
                guard let list = files.list(path) else {
                    if files.exists(path) {
                        notices.append("\(path) cannot be read as a list such as 0-3,8 and is not heeded")
                    }
                    continue
                }
                if !list.isEmpty { return list }
            }
        }
        return nil
    }

    /// Where the group's own folder is missing, the mount may be a view of the group itself, as in containers: then it has
    /// one of the files `names`, and nothing is amiss.
    private mutating func noteMissing(_ files: MachineFiles, _ folders: [String], _ names: [String]) {
        guard !files.exists(folders[0]),
            !folders.contains(where: { folder in names.contains { files.exists("\(folder)/\($0)") } })
        else { return }
        notices.append("control group \(folders[0]) is not there: its limits are not known")
    }

    /// The folder of a group and those of its parents up to the mount.
    private static func folders(mount: String, path: String?) -> [String] {
        var parts = (path ?? "/").split(separator: "/")
        // A group above the root of this process's view has no folder here; the mount is the nearest one. No path is longer than 4096.
        if parts.contains("..") || (path ?? "").utf8.count > 4_096 { parts = [] }
        let prefix = mount == "/" ? "" : mount
        return (0...parts.count).reversed().map { count in prefix + parts[..<count].map { "/" + $0 }.joined() }
    }

    private struct Paths {
        var unified: String?
        var byController: [String: String] = [:]
        var cpuset: String?
    }

    private static func processPaths(_ files: MachineFiles) -> Paths {
        var paths = Paths()
        paths.cpuset = files.text("/proc/self/cpuset")
        for line in (files.text("/proc/self/cgroup") ?? "").split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if fields[1].isEmpty { paths.unified = String(fields[2]) }
            for controller in fields[1].split(separator: ",") {
                paths.byController[String(controller)] = String(fields[2])
            }
        }
        return paths
    }

    /// A field of `mounts` without its octal escapes (`\040` is a blank).
    private static func unescape(_ field: Substring) -> String {
        let parts = field.split(separator: "\\", omittingEmptySubsequences: false)
        return parts.dropFirst().reduce(String(parts[0])) { text, part in
            guard let code = UInt8(part.prefix(3), radix: 8) else { return text + "\\" + part }
            return text + String(UnicodeScalar(code)) + part.dropFirst(3)
        }
    }
}
