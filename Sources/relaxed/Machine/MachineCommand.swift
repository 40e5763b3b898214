// `relaxed machine`: the cores and memory nodes of a machine, and where a run's workers would stand on it.

import ArgumentParser
import Platform
import Reporting

struct MachineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "machine",
        abstract: "Shows cores, NUMA nodes and caches, and the placement that a run would use.",
        discussion: """
            On this machine it also starts the workers and asks the kernel where each one runs and on which node its \
            memory lies.
            """)

    @Option(
        help: .init(
            "Read a described machine: a folder with its sys, its proc and its control groups.", valueName: "folder"))
    var machineRoot: String?

    @Option(
        parsing: .unconditional,
        help: .init("How many workers to place; by default one per usable physical core.", valueName: "count"))
    var workers: Int?

    @Option(help: .init("compact, scatter, physical-first, none, or CPUs such as 0-3,8.", valueName: "policy"))
    var placement = "physical-first"

    @Option(help: .init("Write everything as JSON to this file, or to standard output for -.", valueName: "file"))
    var json: String?

    @Flag(help: "Print no tables and no notices.")
    var quiet = false

    func run() throws {
        let policy = try PlacementPolicy(parsing: placement)
        if let json { try JSONOutput.check(json) }
        let topology = try machineRoot.map { try Topology(machineRoot: $0) } ?? Topology.ofThisMachine()
        let placement = try Placement(policy, workers: workers, on: topology)
        let evidence = machineRoot == nil ? try PlacementEvidence.gather(for: placement) : nil

        if !quiet {
            for notice in topology.notices + placement.notices { Relaxed.say("note: \(notice)") }
            if json != "-" {
                let overview = MachineOverview(topology: topology, isDescribed: machineRoot != nil)
                print(overview.text(), placement.text(evidence: evidence), separator: "\n", terminator: "")
            }
        }
        if let json {
            let record = MachineRecord(topology: topology, placement: placement, evidence: evidence)
            try JSONOutput.write(HeadedRecord(environment: RunEnvironment(seed: nil), body: record), to: json)
        }
    }
}

/// What the JSON says beside the head that all records have.
private struct MachineRecord: Encodable {
    let nodes: [Topology.Node]
    let cores: [Topology.Core]
    let caches: [Topology.Cache]
    let onlineCPUs: [Int]
    let offlineCPUs: [Int]
    let usableCPUs: [Int]
    let memoryNodes: [Int]
    let affinityCPUs: [Int]?
    let cgroupCPUs: [Int]?
    let cgroupMemoryNodes: [Int]?
    let cpuQuota: Double?
    let numaAvailable: Bool
    let policy: PlacementPolicy
    /// The CPU of each rank, null where it is not pinned.
    let placement: [Int?]
    let workers: [Placement.Worker]
    let replicaNodes: [Int]
    let oversubscription: Int
    /// By rank, what the kernel says; absent for a described machine.
    let verified: [PlacementEvidence]?
    let notices: [String]

    init(topology: Topology, placement: Placement, evidence: [PlacementEvidence]?) {
        nodes = topology.nodes
        cores = topology.cores
        caches = topology.caches
        onlineCPUs = topology.onlineCPUs
        offlineCPUs = topology.offlineCPUs
        usableCPUs = topology.usableCPUs
        memoryNodes = topology.memoryNodes
        affinityCPUs = topology.affinityCPUs
        cgroupCPUs = topology.cgroupCPUs
        cgroupMemoryNodes = topology.cgroupMemoryNodes
        cpuQuota = topology.cpuQuota
        numaAvailable = topology.numaAvailable
        policy = placement.policy
        self.placement = placement.workers.map(\.cpu)
        workers = placement.workers
        replicaNodes = placement.replicaNodes
        oversubscription = placement.oversubscription
        verified = evidence
        notices = topology.notices + placement.notices
    }
}
