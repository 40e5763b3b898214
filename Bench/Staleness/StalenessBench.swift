// `swift run -c release bench-staleness DATA`: the mean staleness that hogwild's stamps show, beside the share of an update that lies
// between its read and its write as total times without any stamp tell it. Needs a quiet machine with two cores.

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
        abstract: "The mean staleness of hogwild on two workers by its stamps, beside estimates without any probe.")

    @Argument(help: "LIBSVM data.") var data: String
    @Option(help: "Measured rounds.") var rounds = 15
    @Option(help: "Epochs per round of each run that stamps.") var epochs = 100
    @Option(help: .init("Periods for --staleness-every, between commas.", valueName: "periods")) var periods =
        "1,7,61,127,1009"

    func run() throws {
        let team = try WorkerTeam(placement: Placement(.physicalFirst, workers: 2, on: try Topology.ofThisMachine()))
        let train = try LIBSVMReader(team: team).read(data).dataset.binary()
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
