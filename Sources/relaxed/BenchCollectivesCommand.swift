// `relaxed bench collectives`: AllReduce over a sweep of sizes, in the form of nccl-tests.

import ArgumentParser
import Collectives
import Messaging
import Platform
import Reporting
import SwitchModel

struct BenchCollectivesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collectives",
        abstract: "Times AllReduce by each algorithm, beside memcpy, a ping-pong and the switch model's prediction.",
        discussion: """
            algbw is size / time, busbw = algbw * 2 (n - 1) / n, what each worker's memory moves at the least (nccl-tests). \
            time is the mean; under the native clock the mean of the workers' times, else until the last one is done.
            """)

    @OptionGroup var sweep: SweepArguments

    @Option(
        parsing: .unconditional,
        help: .init("Beside a dedicated server; by default one per usable physical core.", valueName: "count"))
    var workers: Int?

    @Option(help: .init("compact, scatter, physical-first, none, or CPUs such as 0-3,8.", valueName: "policy"))
    var placement = "physical-first"

    @Option(help: .init("Between commas: " + names(of: AllReduceAlgorithm.self) + ".", valueName: "list"))
    var algorithm: String?

    @Option(help: "native (as fast as memory), wall (the switch model delays messages) or virtual (its time alone).")
    var clock = "native"

    @OptionGroup var network: NetworkArguments

    @Flag(help: "Fit latency and transfer time to the sweep, by least squares of the relative errors.")
    var fit = false

    @OptionGroup var output: OutputArguments

    func run() throws {
        let cost = try network.cost()
        let clock = try fabricClock(cost)
        let sizes = try sweep.sizes(unit: 4, largest: "64M")
        let algorithms = try named()
        let policy = try PlacementPolicy(parsing: placement)
        try output.check()
        let topology = try Topology.ofThisMachine()
        let workers = workers ?? policy.defaultWorkerCount(on: topology)
        let placement = try Placement(policy, workers: workers, on: topology)
        for notice in placement.notices { output.note(notice) }

        let pingPong = clock.isModel || workers < 2 ? nil : try CollectiveSweep.pingPongSeconds(placement: placement)
        var rows: [CollectiveRow] = []
        var fits: [CollectiveFit] = []
        var table = CollectiveRow.table(isModel: clock.isModel)
        for algorithm in algorithms {
            let ranks = algorithm.ranks(workers: workers)
            let predictions = sizes.map { bytes in
                clock.isModel ? algorithm.predictedSeconds(workers: workers, bytes: bytes, over: cost) : nil
            }
            let collectives = CollectiveSweep(
                algorithm: algorithm, workers: workers, clock: clock, sizes: sizes,
                iterations: zip(sizes, predictions).map { iterations(bytes: $0, predicted: $1, workers: workers) },
                warmups: clock.isModel ? min(sweep.w, 1) : sweep.w, isChecked: sweep.c == 1)
            let outcomes = try collectives.run(placement: Placement(policy, workers: ranks, on: topology))
            let found = sizes.indices.map { i in
                CollectiveRow(
                    algorithm: algorithm, workers: workers, bytes: sizes[i], outcome: outcomes[i],
                    predicted: predictions[i])
            }
            rows += found
            for row in found { table.append(row.cells) }
            if fit, let found = CollectiveFit(of: found, algorithm, workers: workers, ports: cost.ports) {
                fits.append(found)
            }
        }
        if output.showsTables {
            print(table.rendered(), terminator: "")
            if let pingPong { print("ping-pong: a round trip of 8 bytes takes \(Quantity.seconds(pingPong))") }
            for fit in fits { print(fit.line) }
        }
        if fit, fits.count < algorithms.count {
            output.note("--fit needs at least two sizes, more than one worker and a closed form that is linear")
        }
        for row in rows where row.isLate {
            output.note("the machine cannot keep up with \(row.algorithm.rawValue) at \(Quantity.bytes(row.bytes))")
        }
        if let json = output.json {
            let record = CollectivesRecord(
                clock: self.clock, workers: workers, placement: placement, rows: rows,
                pingPongSeconds: pingPong, fits: fit ? fits : nil, cost: clock.isModel ? cost : nil)
            try JSONOutput.write(HeadedRecord(environment: RunEnvironment(seed: nil), body: record), to: json)
        }
        if rows.contains(where: { ($0.wrong ?? 0) > 0 }) { throw ExitCode(1) }
    }

    private func fabricClock(_ cost: NetworkCost) throws(InputError) -> FabricClock {
        switch clock {
        case "wall": return .wall(cost)
        case "virtual": return .virtual(cost)
        case "native":
            let given: [(String, Bool)] = [
                ("--latency", network.latency != nil), ("--transfer-per-mb", network.transferPerMb != nil),
                ("--bandwidth", network.bandwidth != nil),
            ]
            for (option, isGiven) in given where isGiven {
                throw InputError(at: option, found: "it beside --clock native", expected: "wall or virtual")
            }
            return .native
        default: throw InputError(at: "--clock", found: "\"\(clock)\"", expected: "native, wall or virtual")
        }
    }

    private func named() throws(InputError) -> [AllReduceAlgorithm] {
        guard let algorithm else {
            return AllReduceAlgorithm.allCases.filter { clock == "native" || $0 != .direct }
        }
        var found: [AllReduceAlgorithm] = []
        for name in algorithm.split(separator: ",", omittingEmptySubsequences: false) {
            guard let algorithm = AllReduceAlgorithm(rawValue: String(name)) else {
                throw InputError(at: "--algorithm", found: "\"\(name)\"", expected: names(of: AllReduceAlgorithm.self))
            }
            if algorithm == .direct && clock != "native" {
                throw InputError(at: "--algorithm", found: "direct beside --clock \(clock)", expected: "--clock native")
            }
            found.append(algorithm)
        }
        return found
    }

    /// About a tenth of a second for each size on the native clock, a second on the wall clock; virtual time is always the same.
    private func iterations(bytes: Int, predicted: Double?, workers: Int) -> Int {
        if let n = sweep.n { return n }
        if clock == "virtual" { return 1 }
        if clock == "wall" { return min(max(Int(1 / max(predicted ?? 0.05, 1e-4)), 5), 200) }
        return min(max((256 << 20) / (workers * bytes + (16 << 10)), 20), 5_000)
    }
}

extension AllReduceAlgorithm {
    /// The closed form, or where there is none the simulated pattern; nil for `direct`.
    func predictedSeconds(workers: Int, bytes: Int, over cost: NetworkCost) -> Double? {
        guard let pattern else { return nil }
        let partition = VectorPartition(elements: bytes / 4, count: pattern.partitions(workers: workers))
        return PatternPrograms(pattern, workers: workers, partition: partition)
            .timeline(over: cost, keepingPassages: false).makespan
    }
}
