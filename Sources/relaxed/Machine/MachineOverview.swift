// How a machine and a placement on it look in a terminal.

import Platform
import Reporting

/// The text of `relaxed machine` about the machine itself.
struct MachineOverview {
    let topology: Topology
    let isDescribed: Bool

    func text() -> String {
        [summary(), nodeTable(), coreLines(), cacheTable()].joined(separator: "\n")
    }

    private func summary() -> String {
        let packages = Set(topology.cores.map(\.package))
        let packageText = packages == [-1] ? "packages not told" : plural(packages.count, "package")
        let usableCores = topology.usableCoreCount
        var lines = [
            (
                "machine",
                [
                    packageText, plural(topology.nodes.count, "memory node"), plural(topology.cores.count, "core"),
                    plural(topology.onlineCPUs.count, "CPU"),
                ].joined(separator: ", ")
            ),
            ("online CPUs", list(topology.onlineCPUs)),
            ("offline CPUs", list(topology.offlineCPUs)),
            ("affinity", topology.affinityCPUs.map(list) ?? "not told"),
            ("control group", controlGroup()),
            ("usable CPUs", "\(list(topology.usableCPUs)) (\(plural(usableCores, "core")))"),
            ("usable memory", topology.memoryNodes.isEmpty ? "no node" : "nodes \(list(topology.memoryNodes))"),
        ]
        if !isDescribed {
            lines.append(("NUMA", topology.numaAvailable ? "available (libnuma)" : "not available: plain memory"))
        }
        return lines.map { name, value in
            "\(name):" + String(repeating: " ", count: 15 - name.count) + value + "\n"
        }.joined()
    }

    private func controlGroup() -> String {
        let limits = [
            topology.cgroupCPUs.map { "CPUs \(list($0))" },
            topology.cgroupMemoryNodes.map { "memory nodes \(list($0))" },
            topology.cpuQuota.map { "time of \(Quantity.number($0, digits: 3)) CPUs" },
        ].compactMap { $0 }
        return limits.isEmpty ? "no limit" : limits.joined(separator: ", ")
    }

    private func nodeTable() -> String {
        let numbers = topology.nodes.map { TextTable.Column.number("to \($0.node)") }
        var table = TextTable([.number("node"), .text("CPUs"), .text("usable"), .number("memory")] + numbers)
        let usable = Set(topology.usableCPUs)
        for node in topology.nodes {
            let memory = node.bytes > 0 ? Quantity.bytes(node.bytes) : "none"
            table.append(
                ["\(node.node)", list(node.cpus), list(node.cpus.filter { usable.contains($0) }), memory]
                    + node.distances.map { "\($0)" })
        }
        return table.rendered()
    }

    /// One paragraph per node and package, the SMT siblings of a core joined by a plus sign.
    private func coreLines() -> String {
        var text = ""
        var from = topology.cores.startIndex
        while from < topology.cores.endIndex {
            let first = topology.cores[from]
            let cores = topology.cores[from...].prefix { $0.node == first.node && $0.package == first.package }
            from = cores.endIndex
            let package = first.package >= 0 ? ", package \(first.package)" : ""
            var line = "cores of node \(first.node)\(package):"
            for core in cores {
                let cpus = core.cpus.map { "\($0)" }.joined(separator: "+")
                if line.count + cpus.count >= 100 {
                    text += line + "\n"
                    line = "   "
                }
                line += " " + cpus
            }
            text += line + "\n"
        }
        return text
    }

    private func cacheTable() -> String {
        struct Kind: Hashable {
            let level: Int
            let type: String
            let bytes: Int
            let sharing: Int
        }
        var counts: [Kind: Int] = [:]
        for cache in topology.caches {
            counts[
                Kind(level: cache.level, type: cache.type, bytes: cache.bytes, sharing: cache.cpus.count), default: 0] +=
                1
        }
        guard !counts.isEmpty else { return "caches: not told\n" }
        var table = TextTable([
            .text("cache"), .text("type"), .number("size"), .number("count"), .number("CPUs sharing one"),
        ])
        let kinds = counts.keys.sorted {
            ($0.level, $0.type, $0.bytes, $0.sharing) < ($1.level, $1.type, $1.bytes, $1.sharing)
        }
        for kind in kinds {
            table.append([
                "L\(kind.level)", kind.type, kind.bytes > 0 ? Quantity.bytes(kind.bytes) : "-", "\(counts[kind] ?? 0)",
                "\(kind.sharing)",
            ])
        }
        return table.rendered()
    }

    private func list(_ numbers: [Int]) -> String { numbers.isEmpty ? "none" : CPUList.format(numbers) }

    private func plural(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}

extension Placement {
    /// The table of workers, with what the kernel says about them if it was asked.
    func text(evidence: [PlacementEvidence]?) -> String {
        var columns: [TextTable.Column] = [
            .number("rank"), .number("cpu"), .number("core"), .number("package"), .number("node"),
            .number("memory node"),
            .number("replica"),
        ]
        if evidence != nil { columns += [.number("runs on"), .text("may run on"), .number("page on node")] }
        var table = TextTable(columns)
        for worker in workers {
            var cells = [
                "\(worker.rank)", cell(worker.cpu), cell(worker.core), cell(worker.package), cell(worker.node),
                cell(worker.memoryNode), "\(worker.replica)",
            ]
            if let found = evidence?[worker.rank] {
                cells += [cell(found.cpu), CPUList.format(found.affinity), cell(found.pageNode)]
            }
            table.append(cells)
        }
        let title = "placement \(policy) of \(workers.count) worker\(workers.count == 1 ? "" : "s")"
        return "\(title):\n\(table.rendered())\(evidence.map(verdict) ?? "")"
    }

    private func verdict(_ evidence: [PlacementEvidence]) -> String {
        let pinned = workers.filter { $0.cpu != nil }
        guard !pinned.isEmpty else { return "as the kernel says; no worker is pinned\n" }
        let onCPU = pinned.count { evidence[$0.rank].affinity == [$0.cpu] && evidence[$0.rank].cpu == $0.cpu }
        let onNode = pinned.count { evidence[$0.rank].pageNode == $0.memoryNode }
        let pages =
            evidence.contains { $0.pageNode != nil }
            ? "\(onNode) of \(pinned.count) touched pages on their memory node" : "the node of pages is not told"
        return "verified by asking the kernel: \(onCPU) of \(pinned.count) workers on their CPU, \(pages)\n"
    }

    private func cell(_ number: Int?) -> String {
        guard let number, number >= 0 else { return "-" }
        return "\(number)"
    }
}
