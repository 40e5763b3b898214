// `relaxed staleness`: how stale gradients are, by algorithm and number of workers.

import ArgumentParser
import Datasets
import Glibc
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

    @OptionGroup var data: DataArguments

    @Option(help: "asgd, hogwild, or a list of algorithms.")
    var algorithm = "asgd,hogwild"

    @Option(
        help: .init("Numbers of workers, such as 1,2,4,8; by default 1, 2, 4, … up to all cores.", valueName: "counts"))
    var workers: String?

    @OptionGroup var training: TrainingArguments

    @OptionGroup var output: OutputArguments

    func run() throws {
        Interruption.endAtOnce()
        let algorithms = try algorithms(named: algorithm)
        let hasHeldOutRows = data.data == nil || data.test != nil
        if let other = algorithms.first(where: { $0.isSynchronous && $0 != .minibatchSGD }) {
            throw InputError(
                at: "--algorithm", found: "\(other.rawValue), whose staleness is 0",
                expected: names(of: Algorithm.self) { !$0.isSynchronous || $0 == .minibatchSGD })
        }
        let objective = try training.linearObjective()
        let runs = try algorithms.map { algorithm throws(InputError) in
            var options = try training.options(for: algorithm, hasHeldOutRows: hasHeldOutRows)
            options.objective = objective
            return options
        }
        try output.check()
        if training.staleness == "off" {
            throw InputError(at: "--staleness", found: "\"off\"", expected: "sampled or exact")
        }
        let (all, _) = try training.place(workers: nil)
        let counts = try workers.map(Self.counts) ?? Self.powersOfTwo(upTo: all.workers.count)
        let places = try counts.map { count throws(InputError) in try training.place(workers: count) }

        let environment = RunEnvironment(seed: training.seed)
        let input = try DataInput(data.paths().train)
        if input.format.isDense {
            throw InputError(
                at: input.path, found: "dense rows, as \(input.format.rawValue)", expected: "sparse ones, as libsvm")
        }
        let rows = try data.read(input, for: objective.loss, team: WorkerTeam(placement: all), output: output)
        let stop = Interruption.stopRequest()
        let running = output.showsTables ? RunningOutput() : nil
        running?.show(TrainingRows.sparse(rows).description(placement: all) + "\n")

        var records: [RunRecord] = []
        for (placement, notices) in places where records.isEmpty || !stop.isRequested {
            for notice in notices { output.note(notice) }
            let team = try WorkerTeam(placement: placement)
            // A serial algorithm runs once: the number of workers changes nothing of it.
            let isFirst = placement.workers.count == counts[0]
            for options in runs
            where records.isEmpty || !stop.isRequested && (isFirst || !options.algorithm.isSerial) {
                let record = try trainOnce(
                    options, train: rows.train, test: rows.test, team: team, stop: stop, output: output
                ).record
                records.append(record)
                let workers = record.settings.workers
                running?.show(
                    "\(record.settings.algorithm), \(workers) \(workers == 1 ? "worker" : "workers")\n"
                        + TrainingTables.staleness(of: record) + "\n")
            }
        }

        if let json = output.json {
            try JSONOutput.write(HeadedRecord(environment: environment, body: RunList(runs: records)), to: json)
        }
        // After the file, so that it is there even where nobody reads the tables to their end.
        running?.show(TrainingTables.comparison(of: records))
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
