// `swift run -c release bench-staleness DATA`: the mean staleness that hogwild's stamps show, beside the share of an update that lies
// between its read and its write as total times without any stamp tell it; and what recording takes of the throughput of asgd. Needs a
// quiet machine with two cores.

import ArgumentParser
import BenchSupport
import Datasets
import Measurement
import Objectives
import Platform
import Reporting
import Training

@main struct StalenessBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-staleness",
        abstract:
            "The mean staleness of hogwild by its stamps beside estimates without a probe, and what recording costs asgd."
    )

    @Argument(help: "LIBSVM data.") var data: String
    @Option(help: "Measured rounds.") var rounds = 15
    @Option(help: "Epochs per round of each run that stamps.") var epochs = 100
    @Option(help: .init("Periods for --staleness-every, between commas.", valueName: "periods")) var periods =
        "1,7,61,127,1009"

    @Flag(help: "What recording costs asgd, alone.") var cost = false

    func run() throws {
        let team = try WorkerTeam(placement: Placement(.physicalFirst, workers: 2, on: try Topology.ofThisMachine()))
        let train = try LIBSVMReader(team: team).read(data).dataset.binary()
        try printCost(train, team)
        if cost { return }
        let plain = try PlainUpdates(train, team: team)
        var contestants: [Contest.Contestant] = [
            .init("reads at least") { try plain.shareOfReads().lowerBound },
            .init("reads at most") { try plain.shareOfReads().upperBound },
        ]
        for period in periods.split(separator: ",") {
            guard let every = Int(period), every >= 1 else { throw ValidationError("found the period \(period)") }
            contestants.append(.init("every \(every)") { try mean(train, team, .sampled(every: every)) })
        }
        contestants.append(.init("exact") { try mean(train, team, .exact) })
        let contest = try Contest(rounds: rounds, unit: "updates", contestants)
        print("mean staleness of hogwild on \(train.name), 2 workers, by its stamps and by total times")
        print(contest.rendered(reference: "every 127"))
    }

    /// Updates per second of two workers of asgd with one row each, with all that is recorded and without: while they run, and with the matrix
    /// of who delayed whom, which is put together after each epoch.
    private func printCost(_ train: SparseDataset, _ team: WorkerTeam) throws {
        func rates(_ recording: StalenessRecording) throws -> (running: Double, all: Double) {
            var options = TrainingOptions(Algorithm(ASGD.self))
            options.epochs = epochs
            options.evaluationsPerEpoch = 0
            options.trainLoss = .never
            options.stepSize = StepSize(0.01)
            options.staleness = recording
            let problem = LinearProblem(objective: LinearObjective(), train: train)
            let run = try TrainingRun(problem: problem, workers: team.count, team: team, options: options)
            let start = monotonicNanoseconds()
            let record = try run.run().record
            let seconds = Double(monotonicNanoseconds() - start) / 1e9 - record.evaluationSeconds
            let matrix = record.staleness.delayedBy?.flatMap { $0 }.reduce(0, +)
            guard recording == .off || matrix.map({ $0 > 0 }) == true else { throw WrongResult("no matrix") }
            return (record.updatesPerSecond, Double(record.updates) / seconds)
        }
        let contest = try Contest(
            rounds: rounds, unit: "updates/s",
            [
                .init("running, nothing recorded") { try rates(.off).running },
                .init("running, recorded") { try rates(.exact).running },
                .init("in all, nothing recorded") { try rates(.off).all },
                .init("in all, recorded, with the matrix") { try rates(.exact).all },
            ])
        print("asgd on \(train.name), 2 workers, one row an update")
        print(contest.rendered(reference: "running, nothing recorded"))
        for (name, reference) in [
            ("running, recorded", "running, nothing recorded"),
            ("in all, recorded, with the matrix", "in all, nothing recorded"),
        ] {
            guard let ratio = contest.ratio(of: name, to: reference),
                let figure = contest.figures.first(where: { $0.name == name })?.quantile(0.5),
                let base = contest.figures.first(where: { $0.name == reference })?.quantile(0.5)
            else { continue }
            print(
                Verdict(name, figure: figure, reference: base, unit: "updates/s", ratio: ratio, .atLeast(0.97)))
        }
    }

    private func mean(_ train: SparseDataset, _ team: WorkerTeam, _ recording: StalenessRecording) throws -> Double {
        var options = TrainingOptions()
        options.algorithm = Algorithm(Hogwild.self, settings: "layout=shared")
        options.epochs = epochs
        options.evaluationsPerEpoch = 0
        options.stepSize = StepSize(0.01)
        options.staleness = recording
        let problem = LinearProblem(objective: LinearObjective(), train: train)
        let record = try TrainingRun(problem: problem, workers: team.count, team: team, options: options).run().record
        guard record.staleness.all.count > 100 else { throw WrongResult("no staleness was seen") }
        return record.staleness.all.mean
    }
}
