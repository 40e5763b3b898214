// `swift run -c release bench-sparse-sgd`: sparse logistic SGD on W1 in each row order, in turns with the C yardstick.
// Needs a quiet machine: our workers are pinned and cannot give way to other programs, C's threads can.

import ArgumentParser
import BenchSupport
import Datasets
import Platform
import Reporting
import Training

@main struct SparseSGD: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-sparse-sgd",
        abstract:
            "Samples per second of sgd and hogwild on W1, beside the C yardstick and DimmWitted's published figure.")

    @Option(help: "Measured rounds of each contest.") var rounds = 7
    @Option(help: "Epochs per round; a round's figure is that of the median epoch.") var epochs = 6
    @Option(help: .init("Scratch folder with data/w1.train.libsvm; the data are made there if missing.")) var data =
        W1.defaultScratch
    @Option(
        help: "sequential, blocks or shuffled, again for more; all of them by default.",
        transform: { name in
            guard let order = RowOrder(rawValue: name) else { throw ValidationError("found the order \(name)") }
            return order
        })
    var order: [RowOrder] = []
    @Option(help: "1 or 2, again for more; both by default.") var workers: [Int] = []

    /// DimmWitted, sequential rows, one thread, on the kind of machine described in the yardsticks' README.
    static let dimmWitted = 3.9

    func validate() throws {
        if let count = workers.first(where: { $0 != 1 && $0 != 2 }) {
            throw ValidationError("found \(count) workers, expected 1 or 2, which the yardstick has")
        }
    }

    func run() throws {
        guard let w1 = W1(scratch: data) else { return }
        let yardstick = CSparseSGD(scratch: data)
        let topology = try Topology.ofThisMachine()
        let counts = workers.isEmpty ? [1, 2] : workers
        let orders = order.isEmpty ? [.sequential, .blocks, .shuffled] : order
        var verdicts: [Verdict] = []
        for count in counts {
            let team = try WorkerTeam(placement: Placement(.physicalFirst, workers: count, on: topology))
            let reader = LIBSVMReader(team: team)
            let runs = TrainingRuns(
                train: try reader.read(w1.train).dataset.binary(), test: try reader.read(w1.test).dataset.binary(),
                team: team, epochs: epochs)
            for order in orders {
                verdicts += try contest(runs, order, yardstick)
                if count > 1 { verdicts += try replicas(runs, order) }
            }
            if count > 1 { try printLocked(runs, yardstick) }
        }
        for verdict in verdicts { print(verdict) }
    }

    /// One contest: our run as users get it, the same without staleness recording, and C in each of its layouts.
    private func contest(_ runs: TrainingRuns, _ order: RowOrder, _ yardstick: CSparseSGD?) throws -> [Verdict] {
        let count = runs.team.count
        let losses = LossCheck(isDeterministic: order == .sequential && count == 1)
        let sgd = Algorithm(StochasticGradientDescent.self)
        // As the C programs: one model.
        let hogwild = Algorithm(Hogwild.self, settings: "layout=shared")
        let ours = count == 1 ? "sgd" : "hogwild"
        var contestants: [Contest.Contestant] = [
            .init("hogwild") { losses.check(try runs.run(hogwild, order, staleness: .sampled(every: nil))) },
            .init("hogwild, no staleness") { losses.check(try runs.run(hogwild, order, staleness: .off)) },
        ]
        if count == 1 {
            contestants.insert(.init("sgd") { losses.check(try runs.run(sgd, order, staleness: .off)) }, at: 0)
        }
        var yardstickNames: [String] = []
        if let yardstick {
            for layout in CSparseSGD.Layout.allCases {
                yardstickNames.append("C \(layout)")
                contestants.append(
                    .init("C \(layout)") {
                        losses.checkC(try yardstick.run(layout, order, epochs: epochs, threads: count))
                    })
            }
        }
        let pingPong = PingPong()
        let crossings = [pingPong.nanoseconds(runs.team)]
        let contest = try Contest(rounds: rounds, unit: "M samples/s", contestants)
        try losses.throwIfWrong()

        func median(_ name: String) -> Double { contest.figures.first { $0.name == name }!.quantile(0.5) }
        let title = "\(order.rawValue), \(count) worker\(count == 1 ? "" : "s")"
        let best = yardstickNames.max { median($0) < median($1) }
        print("\(title); test loss \(losses.summary)")
        let nanoseconds = (crossings + [pingPong.nanoseconds(runs.team)]).compactMap { $0 }
        if nanoseconds.count == 2 {
            let texts = nanoseconds.map { Quantity.number($0, digits: 3) }
            print("a cache line crossed from core to core in \(texts[0]) ns before and in \(texts[1]) ns after")
        }
        print(contest.rendered(reference: best ?? ours))
        var verdicts: [Verdict] = []
        if let best {
            verdicts.append(
                Verdict(
                    "\(title), \(ours) to \(best)", figure: median(ours), reference: median(best), unit: "M samples/s",
                    ratio: contest.ratio(of: ours, to: best), .atLeast(0.9)))
        }
        if order == .sequential && count == 1 {
            verdicts.append(
                Verdict(
                    "\(title), \(ours) to DimmWitted", figure: median(ours), reference: Self.dimmWitted,
                    unit: "M samples/s", .atLeast(2)))
        }
        return verdicts
    }

    /// The layouts of hogwild in turns, beside replicas that never meet within an epoch, the limit, and C's; and what each has learnt after five
    /// epochs from steps that halve with each, beside one worker.
    private func replicas(_ runs: TrainingRuns, _ order: RowOrder) throws -> [Verdict] {
        let layouts = ["auto", "shared", "per-core"]
        func hogwild(_ settings: String) -> Algorithm { Algorithm(Hogwild.self, settings: settings) }
        let halving = StepSize(1, decay: 0.5)
        let apart = hogwild("layout=per-core,merge=1000000000")
        var contestants = [
            Contest.Contestant("private") { try runs.run(apart, order, staleness: .off, stepSize: halving).rate }
        ]
        for layout in layouts {
            contestants.append(
                .init(layout) {
                    try runs.run(
                        hogwild("layout=\(layout)"), order, staleness: .sampled(every: nil), stepSize: halving
                    ).rate
                })
        }
        var table = ""
        if order == .blocks, let c = CReplicas(scratch: data) {
            contestants.append(
                .init("C private") {
                    table = try c.table()
                    return try CReplicas.rate("2 threads, private", in: table)
                })
        }
        let contest = try Contest(rounds: rounds, unit: "M samples/s", contestants)
        let title = "\(order.rawValue), \(runs.team.count) workers"
        print("\(title), layouts of hogwild; C's figures are those of its best epoch")
        print(contest.rendered(reference: "private"))
        if !table.isEmpty { print("C's last round:\n\(table)") }
        func median(_ name: String) -> Double { contest.figures.first { $0.name == name }?.quantile(0.5) ?? 0 }
        var verdicts: [Verdict] = []
        for (reference, least) in [("private", 0.95), ("C private", 0.95), ("shared", 1)] {
            guard let ratio = contest.ratio(of: "auto", to: reference) else { continue }
            verdicts.append(
                Verdict(
                    "\(title), auto to \(reference)", figure: median("auto"), reference: median(reference),
                    unit: "M samples/s", ratio: ratio, .atLeast(least)))
        }
        for step in [1, 3, 0.3] {
            let start = StepSize(step, decay: 0.5)
            let alone = try runs.run(
                Algorithm(StochasticGradientDescent.self), order, staleness: .off, stepSize: start
            ).loss
            let losses = try layouts.map { layout in
                try runs.run(hogwild("layout=\(layout)"), order, staleness: .off, stepSize: start).loss
            }
            let texts = zip(layouts, losses).map { "\($0) \(Quantity.fixed($1, decimals: 5))" }
            print(
                "\(title), step \(step), test loss after \(runs.epochs) epochs: one worker "
                    + "\(Quantity.fixed(alone, decimals: 5)), \(texts.joined(separator: ", "))")
            verdicts.append(
                Verdict(
                    "\(title), step \(step), loss of auto from one worker's, in thousandths",
                    figure: 1_000 * abs(losses[0] - alone), reference: 1, unit: "/1000", .atMost(1)))
        }
        print("")
        return verdicts
    }

    /// For information: asgd, whose lock makes staleness exact, beside C with a lock around each row.
    private func printLocked(_ runs: TrainingRuns, _ yardstick: CSparseSGD?) throws {
        let figures = try (0..<3).map { _ in
            try runs.run(Algorithm(ASGD.self), .blocks, staleness: .sampled(every: nil)).rate
        }
        .sorted()
        print(
            "blocks, \(runs.team.count) workers, asgd: \(Quantity.number(figures[1])) M samples/s; C, one lock per row:"
        )
        if let yardstick { print(try yardstick.locks()) }
    }
}
