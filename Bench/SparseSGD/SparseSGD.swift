// `swift run -c release bench-sparse-sgd`: sparse logistic SGD on W1 in each row order, in turns with the C yardstick.

import ArgumentParser
import BenchSupport
import Datasets
import Platform
import Reporting
import Training

@main struct SparseSGD: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-sparse-sgd",
        abstract: "Samples per second of sgd and hogwild on W1, beside the C yardstick and DimmWitted's published figure.")

    @Option(help: "Measured rounds of each contest.") var rounds = 7
    @Option(help: "Epochs per round; a round's figure is that of the median epoch.") var epochs = 6
    @Option(help: .init("Scratch folder with data/w1.train.libsvm; the data are made there if missing.")) var data =
        W1.defaultScratch
    @Option(help: "sequential, blocks or shuffled, again for more; all of them by default.") var order: [String] = []
    @Option(help: "1 or 2, again for more; both by default.") var workers: [Int] = []

    /// DimmWitted, sequential rows, one thread, on the kind of machine described in the yardsticks' README.
    static let dimmWitted = 3.9

    func run() throws {
        guard let w1 = W1(scratch: data) else { return }
        let yardstick = CSparseSGD(scratch: data)
        let topology = try Topology.ofThisMachine()
        let counts = workers.isEmpty ? [1, 2] : workers
        let orders = order.isEmpty ? [.sequential, .blocks, .shuffled] : order.compactMap(RowOrder.init)
        var verdicts: [Verdict] = []
        for count in counts {
            let team = try WorkerTeam(placement: Placement(.physicalFirst, workers: count, on: topology))
            let reader = LIBSVMReader(team: team)
            let runs = TrainingRuns(
                train: try reader.read(w1.train).dataset.binary(), test: try reader.read(w1.test).dataset.binary(),
                team: team, epochs: epochs)
            for order in orders {
                verdicts += try contest(runs, order, yardstick)
            }
            if count > 1 { try printLocked(runs, yardstick) }
        }
        for verdict in verdicts { print(verdict) }
    }

    /// One contest: our run as users get it, the same without staleness recording, and C in each of its layouts.
    private func contest(_ runs: TrainingRuns, _ order: RowOrder, _ yardstick: CSparseSGD?) throws -> [Verdict] {
        let count = runs.team.count
        let algorithm: Algorithm = count == 1 ? .sgd : .hogwild
        let losses = LossCheck(isDeterministic: order == .sequential && count == 1)
        let ours = algorithm.rawValue
        var contestants: [Contest.Contestant] = [
            .init(ours) { losses.check(try runs.run(algorithm, order, staleness: .sampled(every: nil))) }
        ]
        if !algorithm.isSerial {
            contestants.append(
                .init("\(ours), no staleness") { losses.check(try runs.run(algorithm, order, staleness: .off)) })
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
        let contest = try Contest(rounds: rounds, unit: "M samples/s", contestants)
        try losses.throwIfWrong()

        func median(_ name: String) -> Double { contest.figures.first { $0.name == name }!.quantile(0.5) }
        let title = "\(order.rawValue), \(count) worker\(count == 1 ? "" : "s")"
        let best = yardstickNames.max { median($0) < median($1) }
        print("\(title); test loss \(losses.summary)")
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

    /// For information: asgd, whose lock makes staleness exact, beside C with a lock around each row.
    private func printLocked(_ runs: TrainingRuns, _ yardstick: CSparseSGD?) throws {
        let figures = try (0..<3).map { _ in try runs.run(.asgd, .blocks, staleness: .sampled(every: nil)).rate }.sorted()
        print("blocks, \(runs.team.count) workers, asgd: \(Quantity.number(figures[1])) M samples/s; C, one lock per row:")
        if let yardstick { print(try yardstick.locks()) }
    }
}
