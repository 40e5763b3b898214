import Platform
import Testing

/// What is expected of one policy on one machine, worked out by hand.
struct Expectation {
    let policy: String
    let workers: Int
    /// The CPUs of some ranks; nil for a rank that is not pinned.
    let cpus: [Int: Int?]
    var oversubscription = 1

    /// The CPUs of all ranks.
    init(_ policy: String, _ cpus: [Int?], oversubscription: Int = 1) {
        self.init(policy, workers: cpus.count, Dictionary(uniqueKeysWithValues: cpus.enumerated().map { ($0, $1) }))
        self.oversubscription = oversubscription
    }

    init(_ policy: String, workers: Int, _ cpus: [Int: Int?], oversubscription: Int = 1) {
        self.policy = policy
        self.workers = workers
        self.cpus = cpus
        self.oversubscription = oversubscription
    }

    @discardableResult
    func check(on topology: Topology) throws -> Placement {
        let placement = try Placement(PlacementPolicy(parsing: policy), workers: workers, on: topology)
        #expect(placement.workers.map(\.rank) == Array(0..<workers))
        for (rank, cpu) in cpus { #expect(placement.workers[rank].cpu == cpu, "\(policy) of \(workers), rank \(rank)") }
        #expect(placement.oversubscription == oversubscription)
        #expect(placement.notices.contains { $0.contains("take turns") } == (oversubscription > 1))
        let pinned = placement.workers.compactMap(\.cpu)
        #expect(pinned.allSatisfy { topology.usableCPUs.contains($0) })
        return placement
    }
}

@Suite struct PlacementTests {
    @Test func `two sockets of 64 cores of 2 threads in 8 nodes`() throws {
        let topology = try DescribedMachine.twoSockets().topology()
        let expectations = [
            Expectation("compact", [0, 128, 1, 129, 2]),
            Expectation("compact", workers: 34, [31: 143, 32: 16, 33: 144]),
            Expectation("compact", workers: 257, [254: 127, 255: 255, 256: 0], oversubscription: 2),
            Expectation("physical-first", [0, 1, 2]),
            Expectation("physical-first", workers: 130, [16: 16, 127: 127, 128: 128, 129: 129]),
            Expectation("physical-first", workers: 600, [255: 255, 256: 0, 599: 87], oversubscription: 3),
            Expectation("scatter", [0, 16, 32, 48, 64, 80, 96, 112, 1, 17]),
            Expectation("scatter", workers: 137, [127: 127, 128: 128, 129: 144, 136: 129]),
            Expectation("scatter", workers: 258, [255: 255, 256: 0, 257: 16], oversubscription: 2),
            Expectation("none", [nil, nil, nil]),
            Expectation("none", workers: 300, [299: nil], oversubscription: 2),
            Expectation("200,5,0-2", [200, 5, 0, 1, 2]),
            Expectation("200,5", [200, 5, 200], oversubscription: 2),
        ]
        for expectation in expectations { try expectation.check(on: topology) }

        #expect(topology.usableCoreCount == 128)
        #expect(PlacementPolicy.physicalFirst.defaultWorkerCount(on: topology) == 128)
        #expect(PlacementPolicy.explicit([5, 5, 7]).defaultWorkerCount(on: topology) == 3)
        let last = try Placement(.physicalFirst, workers: 128, on: topology).workers[127]
        #expect((last.package, last.core, last.node, last.memoryNode, last.replica) == (1, 63, 7, 7, 7))
    }

    @Test func `a node without memory borrows from the nearest node that has some`() throws {
        let topology = try DescribedMachine.nodeWithoutMemory().topology()
        #expect(topology.memoryNodes == [0, 1, 3])
        for expectation in [
            Expectation("compact", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0], oversubscription: 2),
            Expectation("physical-first", [0, 2, 4, 6, 8, 10, 12, 14, 1, 3]),
            Expectation("scatter", [0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15]),
            Expectation("none", [nil, nil]),
            Expectation("9-10,0", [9, 10, 0]),
        ] {
            try expectation.check(on: topology)
        }

        let placement = try Placement(.scatter, workers: 5, on: topology)
        #expect(placement.workers.map(\.node) == [0, 1, 2, 3, 0])
        #expect(placement.workers.map(\.memoryNode) == [0, 1, 3, 3, 0])
        #expect(placement.workers.map(\.replica) == [0, 1, 2, 2, 0])
        #expect(placement.replicaNodes == [0, 1, 3])

        let distant = try Placement(.explicit([9, 4]), workers: 2, on: topology)
        #expect(distant.workers.map(\.replica) == [1, 0])
        #expect(distant.replicaNodes == [1, 3])
        #expect(try Placement(.none, workers: 2, on: topology).replicaCount == 1)
    }

    @Test func `CPUs that are switched off are left out`() throws {
        let machine = try DescribedMachine.offlineCores()
        let topology = try machine.topology()
        #expect(topology.offlineCPUs == [2, 5, 6])
        for expectation in [
            Expectation("compact", [0, 4, 1, 3, 7]),
            Expectation("physical-first", [0, 1, 3, 4, 7, 0], oversubscription: 2),
            Expectation("scatter", [0, 1, 3, 4, 7]),
            Expectation("none", [nil]),
            Expectation("7,3", [7, 3]),
        ] {
            try expectation.check(on: topology)
        }
        #expect(topology.usableCoreCount == 3)

        // A kernel may say it CPU by CPU instead.
        try machine.remove("sys/devices/system/cpu/online")
        for cpu in 1..<8 {
            try machine.write("sys/devices/system/cpu/cpu\(cpu)/online", [2, 5, 6].contains(cpu) ? "0" : "1")
        }
        #expect(try machine.topology() == topology)
    }

    @Test(arguments: [(1, "cgroup"), (2, "cgroup"), (2, "cpuset")])
    func `a control group of 3 cores out of 128`(version: Int, pathFile: String) throws {
        let topology = try DescribedMachine.controlGroup(version: version, pathFile: pathFile).topology()
        #expect(topology.usableCPUs == [3, 5, 70, 131, 133, 198])
        #expect(topology.cgroupCPUs == topology.usableCPUs)
        #expect(topology.memoryNodes == [0, 1, 2, 3])
        #expect(topology.cpuQuota == 1.5)
        #expect(topology.usableCoreCount == 3)
        #expect(topology.cores.count == 128)
        for expectation in [
            Expectation("compact", [3, 131, 5, 133, 70, 198]),
            Expectation("physical-first", [3, 5, 70, 131, 133, 198, 3], oversubscription: 2),
            Expectation("scatter", [3, 70, 5, 131, 198, 133]),
            Expectation("none", workers: 6, [5: nil]),
            Expectation("none", workers: 7, [6: nil], oversubscription: 2),
            Expectation("198,3", [198, 3]),
        ] {
            try expectation.check(on: topology)
        }
        // Node 4 may not be used, and all that may are equally far.
        let placement = try Placement(.scatter, workers: 2, on: topology)
        #expect(placement.workers.map(\.node) == [0, 4])
        #expect(placement.workers.map(\.memoryNode) == [0, 0])
        #expect(placement.notices == ["the control group grants 1.5 CPUs' worth of time to 2 workers"])
    }

    @Test(.enabled(if: DescribedMachine.capturesArePresent)) func `a captured POWER7 of 64 cores of 4 threads`() throws
    {
        let capture = try DescribedMachine.capture("256ppc-8n8s4t.tar.bz2", folder: "256ppc-8n8s4t")
        let topology = try Topology(machineRoot: capture.root)
        #expect(topology.usableCPUs == Array(0..<256))
        #expect(topology.cores.map(\.cpus) == (0..<64).map { Array(4 * $0..<4 * $0 + 4) })
        #expect(topology.nodes.map(\.node) == [0, 1, 4, 5, 8, 9, 12, 13])
        for (row, node) in topology.nodes.enumerated() {
            #expect(node.distances == (0..<8).map { $0 == row ? 10 : $0 / 2 == row / 2 ? 20 : 40 })
        }
        for expectation in [
            Expectation("compact", [0, 1, 2, 3, 4, 5]),
            Expectation("compact", workers: 258, [32: 32, 255: 255, 257: 1], oversubscription: 2),
            Expectation("physical-first", workers: 65, [0: 0, 1: 4, 8: 32, 63: 252, 64: 1]),
            Expectation("scatter", [0, 32, 64, 96, 128, 160, 192, 224, 4, 36]),
            Expectation("scatter", workers: 72, [63: 252, 64: 1, 65: 33]),
            Expectation("none", [nil]),
            Expectation("255,17", [255, 17]),
        ] {
            try expectation.check(on: topology)
        }
        let last = try Placement(.scatter, workers: 8, on: topology).workers[7]
        #expect((last.node, last.memoryNode, last.replica, last.package) == (13, 13, 7, -1))
    }

    @Test(.enabled(if: DescribedMachine.capturesArePresent)) func `a captured Opteron inside a control group`() throws {
        let capture = try DescribedMachine.capture(
            "32amd64-4s2n4c-cgroup2.tar.bz2", folder: "32amd64-4s2n4c-cgroup")
        let topology = try Topology(machineRoot: capture.root)
        #expect(topology.usableCPUs == Array(0...5))
        #expect(topology.memoryNodes == Array(0...5))
        #expect((topology.cores.count, topology.usableCoreCount) == (32, 6))
        #expect(topology.nodes.map(\.cpus) == (0..<8).map { Array(4 * $0..<4 * $0 + 4) })
        #expect(topology.nodes[1].distances == [16, 10, 22, 16, 22, 16, 22, 16])
        for expectation in [
            Expectation("compact", [0, 1, 2, 3, 4, 5, 0], oversubscription: 2),
            Expectation("physical-first", [0, 1, 2, 3, 4, 5]),
            Expectation("scatter", [0, 4, 1, 5, 2, 3]),
            Expectation("none", workers: 13, [12: nil], oversubscription: 3),
            Expectation("5,0", [5, 0]),
        ] {
            try expectation.check(on: topology)
        }
        #expect(try Placement(.compact, workers: 6, on: topology).replicaNodes == [0, 1])
        #expect(throws: InputError.self) { try Placement(.explicit([6]), workers: 1, on: topology) }
    }

    @Test(arguments: [
        ("150000 100000", 2), ("50000 100000", 1), ("300000 100000", 3), ("400000 100000", 4), ("max 100000", 4),
    ])
    func `no more workers are started than the time of the control group can run`(quota: String, workers: Int) throws {
        let machine = try DescribedMachine()
        for cpu in 0..<4 { try machine.cpu(cpu, package: 0, core: cpu, siblings: "\(cpu)") }
        try machine.write("proc/mounts", "none /cg cgroup2 rw 0 0")
        try machine.write("proc/self/cgroup", "0::/")
        try machine.write("cg/cpu.max", quota)
        let topology = try machine.topology()
        let placement = try Placement(.physicalFirst, on: topology)
        #expect(placement.workers.count == workers && topology.usableCoreCount == 4)
        #expect(placement.notices.contains { $0.contains("by default, where 4 cores are usable") } == (workers < 4))
        // Who asks for more gets it, and is told; a list of CPUs asks for as many.
        let asked = try Placement(.physicalFirst, workers: 4, on: topology)
        #expect(asked.workers.count == 4 && (workers == 4) == asked.notices.isEmpty)
        #expect(try Placement(.explicit([0, 1, 2, 3]), on: topology).workers.count == 4)
    }

    @Test(arguments: ["garbage", "0 100000", "-1 100000", "100000", "1e5 100000", "100000 0", ""])
    func `a quota that cannot be read is no silent freedom`(quota: String) throws {
        let machine = try DescribedMachine.controlGroup(version: 2)
        try machine.write("sys/fs/my groups/jobs/one/cpu.max", quota)
        let topology = try machine.topology()
        #expect(topology.cpuQuota == 4)
        #expect(
            topology.notices == [
                "/sys/fs/my groups/jobs/one/cpu.max cannot be read as a quota of time and is not heeded"
            ])
    }

    @Test func `scatter takes the packages of a node in turn`() throws {
        let machine = try DescribedMachine()
        for cpu in 0..<4 { try machine.cpu(cpu, package: cpu / 2, core: cpu % 2, siblings: "\(cpu)") }
        try Expectation("scatter", [0, 2, 1, 3]).check(on: machine.topology())
    }

    @Test func `what cannot be placed is refused with the reason`() throws {
        let offline = try DescribedMachine.offlineCores().topology()
        #expect(
            throws: InputError(at: "--placement", found: "CPU 2, which is offline", expected: "CPUs among 0-1,3-4,7")
        ) { try Placement(.explicit([0, 2]), workers: 1, on: offline) }
        #expect(
            throws: InputError(
                at: "--placement", found: "CPU 8, which this machine does not have", expected: "CPUs among 0-1,3-4,7")
        ) { try Placement(.explicit([8]), workers: 1, on: offline) }
        let limited = try DescribedMachine.controlGroup(version: 2).topology()
        let excluded = #expect(throws: InputError.self) { try Placement(.explicit([4]), workers: 1, on: limited) }
        #expect(excluded?.found == "CPU 4, which this process's affinity or control group excludes")
        #expect(throws: InputError(at: "--workers", found: "0", expected: "at least 1")) {
            try Placement(.compact, workers: 0, on: offline)
        }
    }

    @Test(arguments: ["compact", "scatter", "physical-first", "none", "0-3,8"])
    func `a policy reads back what it prints`(name: String) throws {
        #expect(try PlacementPolicy(parsing: name).description == name)
    }

    @Test(arguments: ["", "Compact", "close", "0-", "3-1", "0;1"]) func `an unknown policy is refused`(name: String) {
        let error = #expect(throws: InputError.self) { try PlacementPolicy(parsing: name) }
        #expect(error?.place == "--placement")
        #expect(error?.found == "\"\(name)\"")
    }
}
