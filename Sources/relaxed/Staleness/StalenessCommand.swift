// `relaxed staleness`: how stale gradients are, by algorithm and number of workers.

import ArgumentParser
import Datasets
import Measurement
import Objectives
import Platform
import Reporting
import Training

struct StalenessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "staleness",
        abstract: "Measures staleness distributions over numbers of workers and algorithms.",
        discussion: "More workers than cores are allowed: they then take turns, and staleness shows it.")

    @OptionGroup(title: "Data") var data: DataArguments

    @OptionGroup(title: "Run") var settings: SweepRunArguments
    @OptionGroup var output: OutputArguments

    func run() throws {
        Interruption.endAtOnce()
        let training = settings.training
        let jobs = try TrainingJob.plan(
            AlgorithmList(parsing: settings.algorithm), training, hasHeldOutRows: data.data == nil || data.test != nil)
        try output.check()
        let (all, _) = try training.place(workers: nil)
        let counts = try settings.workers.map(Self.counts) ?? Self.powersOfTwo(upTo: all.workers.count)
        let places = try counts.map { count throws(InputError) in try training.place(workers: count) }

        let environment = RunEnvironment(seed: training.firstSeed)
        let input = try DataInput(data.paths().train)
        if input.format.isDense {
            throw InputError(
                at: input.path, found: "dense rows, as \(input.format.rawValue)", expected: "sparse ones, as libsvm")
        }
        let rows = try data.read(
            input, for: training.linearObjective().loss, team: WorkerTeam(placement: all), output: output)
        let stop = Interruption.stopRequest()
        let running = output.showsTables ? RunningOutput() : nil
        let allRows = TrainingRows.sparse(rows)
        running?.show(allRows.description(placement: all) + "\n")

        var records: [RunRecord] = []
        for (placement, notices) in places where records.isEmpty || !stop.isRequested {
            for notice in notices { output.note(notice) }
            let team = try WorkerTeam(placement: placement)
            // A serial algorithm runs once: the number of workers changes nothing of it.
            let isFirst = placement.workers.count == counts[0]
            for var job in jobs where records.isEmpty || !stop.isRequested && (isFirst || !job.isSerial) {
                job.workers = placement.workers.count
                let record = try job.run(
                    on: allRows, team: team, stop: stop, output: output,
                    place: { ranks throws(InputError) in try training.place(workers: ranks).placement }
                ).record
                records.append(record)
                let workers = record.settings.workers
                running?.show(
                    "\(record.settings.algorithm), \(workers) \(workers == 1 ? "worker" : "workers")\n"
                        + TrainingTables.staleness(of: record) + "\n")
            }
        }

        if let json = output.json {
            try RunRecords(records, isList: true).write(environment, to: json)
        }
        // After the file, so that it is there even where nobody reads the tables to their end.
        running?.show(ComparisonTable(.shared, first: records[0]).rendered(records))
        running?.end()
        try Interruption.endOfRuns(records, stop: stop)
    }

    private static func counts(_ text: String) throws(InputError) -> [Int] {
        var counts: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let count = Int(part), count >= 1 else {
                throw InputError(at: "--workers", found: "\"\(text)\"", expected: "numbers from 1, such as 1,2,4")
            }
            counts.append(count)
        }
        return counts
    }

    private static func powersOfTwo(upTo most: Int) -> [Int] {
        var counts = Array(sequence(first: 1) { $0 * 2 <= most ? $0 * 2 : nil })
        if counts[counts.count - 1] != most { counts.append(most) }
        return counts
    }
}

/// What is swept, and how each run is.
struct SweepRunArguments: ParsableArguments {
    @Option(help: "asgd, hogwild, or a list of algorithms.")
    var algorithm = "asgd,hogwild:layout=shared"

    @Option(
        help: .init("Numbers of workers, such as 1,2,4,8; by default 1, 2, 4, … up to all cores.", valueName: "counts"))
    var workers: String?

    @OptionGroup var training: TrainingArguments
}
