// `relaxed train`: trains a model with one algorithm, or compares several on the same data.

import ArgumentParser
import Datasets
import Measurement
import Objectives
import Platform
import Reporting
import Training

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Trains on real data with pinned workers and measures how stale the gradients were.",
        discussion: """
            Several algorithms between commas are compared in one table, and --seeds repeats each. Times are training times: evaluation is left out. \
            An interrupted (Ctrl-C) or diverged run still writes its record and its model.
            """)

    @OptionGroup(title: "Data") var data: DataArguments
    @OptionGroup(title: "Data") var dense: DenseTrainingArguments
    @OptionGroup(title: "Run") var settings: RunArguments
    @OptionGroup(title: "Exchange") var exchange: ExchangeArguments
    @OptionGroup(title: "Clock") var clock: ClockArguments
    @OptionGroup var output: OutputArguments

    func run() throws {
        Interruption.endAtOnce()
        // What the data are is looked at only where the default depends on it: wrong options are refused without any.
        let opened: DataInput? = if settings.algorithm == nil { try dense.open(data.paths().train) } else { nil }
        let algorithms =
            try settings.algorithm.map { text throws(InputError) in try AlgorithmList(parsing: text) }
            ?? .standard(isDense: opened?.format.isDense == true)
        try algorithms.check(settings, exchange, clock)
        let seeds = try settings.allSeeds()
        try checkFiles(algorithms, seeds)
        if let workers = settings.workers, workers < 1 {
            throw InputError(at: "--workers", found: "\(workers)", expected: "at least 1")
        }
        // In virtual time one thread runs all workers; those that read and evaluate are as many as there are cores.
        let (placement, notices) = try settings.training.place(workers: clock.kind == .virtual ? nil : settings.workers)
        let input = if let opened { opened } else { try dense.open(data.paths().train) }
        let isDense = input.format.isDense
        if isDense { try data.checkDense(input.format) } else { try settings.checkSparse(input.format) }
        let start = try settings.modelIn.map { path throws(InputError) in try StartingModel(path, for: input) }
        let objective = isDense ? nil : try settings.training.linearObjective(like: start?.linear)
        try start?.check(objective, settings, dense)
        var jobs = try TrainingJob.plan(
            algorithms, settings, exchange, clock, objective: objective,
            hasHeldOutRows: data.data == nil || data.test != nil || dense.holdOut != nil,
            workers: settings.workers ?? placement.workers.count, seeds: seeds)

        let team = try WorkerTeam(placement: placement)
        let environment = RunEnvironment(seed: seeds[0])
        let rows = try read(input, objective, like: start, team: team)
        if let start {
            try start.check(rows)
            for index in jobs.indices { jobs[index].start(from: start) }
        }
        for job in jobs { try job.check(rows, evaluators: team.count) }
        let stop = Interruption.stopRequest()
        for notice in notices { output.note(notice) }
        if case .dense(let rows) = rows { output.note(ofCategories: rows.train) }
        let display = TrainingDisplay(
            showsTables ? RunningOutput() : nil, jobs, algorithms: algorithms.names, seeds: seeds.count)
        display.begin(rows, placement)

        var records: [RunRecord] = []
        var failure: (any Error)?
        // The first run begins even where it is to end at once, so that there is always a record and a model.
        for (index, job) in jobs.enumerated() where index == 0 || !stop.isRequested {
            var job = job
            job.compute(as: records)
            let trained = try job.run(
                on: rows, team: team, stop: stop, output: output,
                place: { ranks throws(InputError) in try settings.training.place(workers: ranks).placement },
                show: display.course(of: job, rows))
            records.append(trained.record)
            display.show(trained.record)
            // A file that cannot be written takes no other with it, least of all the record.
            do { try trained.write(settings) } catch { failure = failure ?? error }
        }
        if let json = output.json {
            let summary = seeds.count > 1 ? display.summaries : nil
            try RunRecords(records, summary: summary, isList: jobs.count > 1).write(environment, to: json)
        }
        // After the files, so that they are there even where nobody reads the tables to their end.
        display.end()
        if let failure { throw failure }
        try Interruption.endOfRuns(records, stop: stop)
    }

    /// The rows to learn from and to test on, as a model needs them that training starts from; `objective` is that of sparse rows.
    private func read(
        _ input: DataInput, _ objective: LinearObjective?, like model: StartingModel?, team: WorkerTeam
    ) throws -> TrainingRows {
        if let objective {
            return .sparse(
                try data.read(input, for: objective.loss, like: model?.linear, team: team, output: output))
        }
        let model = model?.dense
        return .dense(
            try DenseTrainingData.read(
                input, test: data.test, arguments: dense,
                objective: settings.training.outputLoss() ?? model?.network.loss, like: model,
                layers: settings.layers(like: model?.network), l2: settings.training.l2, team: team))
    }

    /// What goes to standard output has it alone.
    private var showsTables: Bool {
        output.showsTables && !settings.outputs.contains { OutputTargets.isStandardOutput($0.path) }
    }

    /// Files that settings name, as `asgd:step=table:FILE` and `trace:FILE` do: what follows a colon of a value.
    private static func files(namedIn texts: [String]) -> [String] {
        texts.flatMap { text -> [String] in
            let settings =
                text.contains("=") ? text.split(separator: ":", maxSplits: 1).last.map(String.init) ?? "" : "=" + text
            return settings.split(separator: ",").compactMap { setting in
                let value = setting.split(separator: "=", maxSplits: 1).last ?? ""
                let halves = value.split(separator: ":", maxSplits: 1)
                return halves.count == 2 ? String(halves[1]) : nil
            }
        }
    }

    /// Refuses files that cannot be written, or that would overwrite each other or what is read.
    private func checkFiles(_ algorithms: AlgorithmList, _ seeds: [UInt64]) throws(InputError) {
        try output.check()
        let isAlone = algorithms.names.count == 1
        for (option, path) in settings.outputs {
            guard let path else { continue }
            // Beside the model, what only some algorithms keep.
            let kept = AlgorithmOption(rawValue: String(option.dropFirst(2)))
            guard kept.map(algorithms.isOne) ?? isAlone else {
                throw InputError(
                    at: option, found: "--algorithm \(algorithms.names.joined(separator: ","))",
                    expected: kept.map { kept in "--algorithm " + AlgorithmList.namesOfAll { $0.options.contains(kept) }
                    }
                        ?? "one algorithm")
            }
            if seeds.count > 1 {
                throw InputError(at: option, found: "--seeds with \(seeds.count) of them", expected: "one seed")
            }
            if option == "--staleness-out" {
                try StalenessFile.check(path)
                if settings.training.staleness == "off" {
                    throw InputError(at: option, found: "it beside --staleness off", expected: "one of them")
                }
            }
            try AtomicFile.check(path, option: option)
        }
        if settings.replay != nil {
            for (option, isGiven) in [("--record-order", settings.recordOrder != nil), ("--seeds", seeds.count > 1)]
            where isGiven {
                throw InputError(at: option, found: "it beside --replay", expected: "one of them")
            }
            if !isAlone { throw InputError(at: "--replay", found: "several algorithms", expected: "one") }
        }
        let outputs = [("--json", output.json)] + settings.outputs.map { ($0.option, $0.path) }
        try OutputTargets.requireDistinct(outputs)
        try OutputTargets.requireDistinct([("--replay", settings.replay)] + outputs)
        for input in [data.data, data.test] where input != "-" {
            try OutputTargets.requireDistinct([("the data", input)] + outputs)
        }
        for input in Self.files(namedIn: algorithms.names + [clock.straggler ?? ""]) {
            try OutputTargets.requireDistinct([("an input", input)] + outputs)
        }
        // A model may be replaced by what is learned from it.
        let others = outputs.filter { $0.0 != "--model-out" }
        if settings.modelIn == "-" {
            if data.data == "-" || data.test == "-" {
                throw InputError(at: "--model-in -", found: "data from there, too", expected: "one of them in a file")
            }
        } else {
            try OutputTargets.requireDistinct([("--model-in", settings.modelIn)] + others)
        }
    }
}
