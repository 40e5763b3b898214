// `relaxed bench collectives`: AllReduce, and other collectives, over a sweep of sizes, in the form of nccl-tests.

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
            algbw is size / time, busbw what each worker's memory moves at the least (nccl-tests): algbw * 2 (n - 1) / n for \
            AllReduce, half of it for its halves, 1 for broadcast, 2 for the ring exchange. time is the mean; under the native \
            clock the mean of the workers' times, else until the last one is done. The virtual clock writes the same JSON in \
            every run, to the byte.
            """)

    @OptionGroup var sweep: SweepArguments

    @Option(
        parsing: .unconditional,
        help: .init("Beside a dedicated server; by default one per usable physical core.", valueName: "count"))
    var workers: Int?

    @Option(help: .init("compact, scatter, physical-first, none, or CPUs such as 0-3,8.", valueName: "policy"))
    var placement = "physical-first"

    @Option(
        help: .init(
            "Between commas: " + SweptCollective.names + "; by default all AllReduce algorithms.", valueName: "list"))
    var algorithm: String?

    @Option(help: "native (as fast as memory), wall (the switch model delays messages) or virtual (its time alone).")
    var clock = ClockKind.native.rawValue

    @OptionGroup var network: NetworkArguments

    @OptionGroup var computing: ComputeArguments

    @Flag(help: "Fit latency and transfer time to the sweep, by least squares of the relative errors.")
    var fit = false

    @OptionGroup var output: OutputArguments

    func run() throws {
        let cost = try network.cost()
        let clock = try fabricClock(cost)
        let sizes = try sweep.sizes(unit: 4, largest: "64M")
        let collectives = try named()
        let policy = try PlacementPolicy(parsing: placement)
        try output.check()
        let topology = try Topology.ofThisMachine()
        let placement = try Placement(policy, workers: workers, on: topology)
        let workers = placement.workers.count
        let computeSeconds = try computing.seconds()
        let straggler = try computing.model(workers: workers)
        if fit, computeSeconds > 0 {
            throw InputError(at: "--fit", found: "it beside --compute", expected: "communication alone")
        }
        let plan = try planned(
            collectives, workers: workers, sizes: sizes, clock: clock, cost: cost, computeSeconds: computeSeconds,
            straggler: straggler)
        for notice in placement.notices { output.note(notice) }

        let pingPong = clock.isModel || workers < 2 ? nil : try CollectiveSweep.pingPongSeconds(placement: placement)
        var rows: [CollectiveRow] = []
        var fits: [CollectiveFit] = []
        let running = output.showsTables ? RunningOutput() : nil
        var table = RunningTable(CollectiveRow.columns(plan.map(\.sweep.collective), isModel: clock.isModel))
        running?.show(table.header)
        for (swept, predicted) in plan {
            let collective = swept.collective
            let ranks = collective.ranks(workers: workers)
            let outcomes = try swept.run(placement: Placement(policy, workers: ranks, on: topology))
            let found = sizes.indices.map { i in
                CollectiveRow(
                    algorithm: collective, workers: workers, bytes: sizes[i], outcome: outcomes[i],
                    predicted: predicted?[i])
            }
            rows += found
            for row in found { running?.show(table.line(row.cells)) }
            if fit { fits.append(CollectiveFit(of: found, collective, workers: workers, ports: cost.ports)) }
        }
        running?.show(table.rest)
        if let pingPong { running?.show("ping-pong: a round trip of 8 bytes takes \(Quantity.seconds(pingPong))\n") }
        for fit in fits { running?.show(fit.line + "\n") }
        for row in rows where row.isLate {
            output.note("the machine cannot keep up with \(row.algorithm.name) at \(Quantity.bytes(row.bytes))")
        }
        if let json = output.json {
            let record = CollectivesRecord(
                clock: self.clock, workers: workers, placement: placement, rows: rows,
                pingPongSeconds: pingPong, fits: fit ? fits : nil, cost: clock.isModel ? cost : nil,
                computeSeconds: clock.isModel ? computeSeconds : nil, straggler: computing.straggler)
            let environment = RunEnvironment(
                seed: straggler.isDrawn ? computing.seed ?? 1 : nil, isReproducible: self.clock == "virtual")
            try JSONOutput.write(HeadedRecord(environment: environment, body: record), to: json)
        }
        running?.end()
        if rows.contains(where: { ($0.wrong ?? 0) > 0 }) { throw ExitCode(1) }
    }

    private func fabricClock(_ cost: NetworkCost) throws(InputError) -> FabricClock {
        switch try choice(ClockKind.self, named: clock, at: "--clock") {
        case .wall: return .wall(cost)
        case .virtual: return .virtual(cost)
        case .native:
            if let option = (network.given + computing.given).first {
                throw InputError(at: option, found: "it beside --clock native", expected: "wall or virtual")
            }
            return .native
        }
    }

    private func named() throws(InputError) -> [SweptCollective] {
        guard let algorithm else {
            return AllReduceAlgorithm.allCases.filter { clock == "native" || $0 != .direct }
                .map(SweptCollective.allReduce)
        }
        var found: [SweptCollective] = []
        for name in algorithm.split(separator: ",", omittingEmptySubsequences: false) {
            guard let collective = SweptCollective.allCases.first(where: { $0.name == name }) else {
                throw InputError(
                    at: "--algorithm", unknown: name, expected: SweptCollective.allCases.map(\.name))
            }
            if collective.pattern == nil && clock != "native" {
                throw InputError(at: "--algorithm", found: "direct beside --clock \(clock)", expected: "--clock native")
            }
            if found.contains(collective) {
                throw InputError(at: "--algorithm", found: "\(name) twice", expected: "each algorithm once")
            }
            found.append(collective)
        }
        return found
    }

    /// About a tenth of a second for each size on the native clock, a second on the wall clock. Virtual time is always the same, but
    /// for stragglers: then as many as send some 10^5 messages, up to 20.
    func iterations(
        _ collective: SweptCollective, bytes: Int, predicted: Double?, workers: Int, _ straggler: Straggler
    ) -> Int {
        if let n = sweep.n { return n }
        if clock == "virtual" {
            guard straggler.isDrawn, let pattern = collective.pattern else { return 1 }
            return min(max(300_000 / max(1, pattern.messageCount(workers: workers, updates: 0)), 2), 20)
        }
        if clock == "wall" { return min(max(Int(1 / max(predicted ?? 0.05, 1e-4)), 5), 200) }
        return min(max((256 << 20) / (workers * bytes + (16 << 10)), 20), 5_000)
    }
}
