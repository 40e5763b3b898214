// `relaxed train`: trains a linear model with one algorithm, or compares several on the same data.

import ArgumentParser
import Datasets
import Glibc
import Kernels
import Measurement
import Messaging
import Objectives
import Platform
import Reporting
import Training

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Trains on real data with pinned workers and measures how stale the gradients were.",
        discussion: """
            Several algorithms between commas are compared in one table. Times are training times: evaluation is left out. \
            An interrupted (Ctrl-C) or diverged run still writes its record and its model.
            """)

    @OptionGroup var data: DataArguments
    @OptionGroup var dense: DenseTrainingArguments

    @Option(
        help: .init(
            "\(names(of: Algorithm.self)), or a list of them; by default hogwild, for dense rows gradient-aggregation.",
            valueName: "names"))
    var algorithm: String?

    @Option(
        parsing: .unconditional,
        help: .init("N, the workers of all but sgd; by default one per usable core.", valueName: "count"))
    var workers: Int?

    @OptionGroup var training: TrainingArguments
    @OptionGroup(title: "Data-parallel SGD") var synchronous: SynchronousArguments

    @Option(
        help: .init(
            "Save the model: in LIBLINEAR's text format, or of dense rows as safetensors.", valueName: "file"))
    var modelOut: String?

    @Option(
        help: .init(
            "Write the gradient of the training objective at the model kept: float32, little-endian, one per parameter.",
            valueName: "file"))
    var gradientOut: String?

    @Option(
        help: .init(
            "Write every update of asgd as a line: worker, version read, version written.", valueName: "file"))
    var updateLog: String?

    @OptionGroup var output: OutputArguments

    func run() throws {
        Interruption.endAtOnce()
        // What the data are is looked at only where the default depends on it: wrong options are refused without any.
        let opened: DataInput? = if algorithm == nil { try dense.open(data.paths().train) } else { nil }
        let standard: Algorithm = opened?.format.isDense == true ? .gradientAggregation : .hogwild
        let algorithms = try algorithms(named: algorithm ?? standard.rawValue)
        try synchronous.check(for: algorithms)
        try checkFiles(algorithms)
        if let workers, workers < 1 {
            throw InputError(at: "--workers", found: "\(workers)", expected: "at least 1")
        }
        // In virtual time one thread runs all workers; those that read and evaluate are as many as there are cores.
        let (placement, notices) = try training.place(workers: synchronous.clock == "virtual" ? nil : workers)
        let input = if let opened { opened } else { try dense.open(data.paths().train) }
        if input.format.isDense { try data.checkDense(input.format) }
        let plan = try plan(algorithms, isDense: input.format.isDense, workers: workers ?? placement.workers.count)

        let team = try WorkerTeam(placement: placement)
        let environment = RunEnvironment(seed: training.seed)
        let rows: TrainingRows =
            input.format.isDense
            ? .dense(
                try DenseTrainingData.read(
                    input, test: data.test, objective: try training.outputLoss(), l2: training.l2, arguments: dense,
                    team: team))
            : .sparse(try data.read(input, for: try training.linearObjective().loss, team: team, output: output))
        for run in plan {
            guard let workers = run.dataParallelWorkers else { continue }
            try SynchronousTrainer.check(
                problem: try rows.problem(run.options.objective), workers: workers, evaluators: team.count,
                options: run.options)
        }
        let stop = Interruption.stopRequest()
        for notice in notices { output.note(notice) }
        if case .dense(let rows) = rows { output.note(ofCategories: rows.train) }
        let running = showsTables ? RunningOutput() : nil
        running?.show(rows.description(placement: placement) + "\n")
        let isComparison = algorithms.count > 1
        let kind: ComparisonTable.Kind = plan.allSatisfy { $0.dataParallelWorkers != nil } ? .synchronous : .shared
        var comparison: (cells: ComparisonTable, lines: RunningTable)?

        var records: [RunRecord] = []
        // The first run begins even where it is to end at once, so that there is always a record and a model.
        for (index, run) in plan.enumerated() where index == 0 || !stop.isRequested {
            var run = run
            // Measured once, so that what is compared computes alike.
            if let first = records.first?.synchronous, first.computeWasMeasured {
                run.options.synchronous.computeSeconds = first.computeSeconds
                run.options.synchronous.computeWasMeasured = true
            }
            let trained = try train(
                run, on: rows, team: team, stop: stop, showing: isComparison ? nil : running)
            let record = trained.record
            records.append(record)
            if isComparison, let running {
                if comparison == nil {
                    let table = ComparisonTable(kind, first: record, names: algorithms.map(\.rawValue))
                    comparison = (table, RunningTable(table.columns))
                    running.show(RunningTable(table.columns).header)
                }
                if let comparison { running.show(comparison.lines.line(comparison.cells.cells(record))) }
            }
            if let modelOut { try trained.writeModel(modelOut) }
            if let gradientOut {
                try FloatVectorFile.write(try trained.gradient(), to: gradientOut, option: "--gradient-out")
            }
            if let updateLog { try AtomicFile.write(logText(trained.updateLog), to: updateLog, option: "--update-log") }
        }

        if let json = output.json {
            if algorithms.count == 1, let record = records.first {
                try JSONOutput.write(HeadedRecord(environment: environment, body: record), to: json)
            } else {
                try JSONOutput.write(HeadedRecord(environment: environment, body: RunList(runs: records)), to: json)
            }
        }
        // After the files, so that they are there even where nobody reads the tables to their end.
        if let running, let first = records.first {
            let exchanged = records.filter { $0.synchronous != nil }
            if !isComparison {
                running.show("\n" + TrainingTables.summary(of: first))
            } else if kind == .synchronous {
                running.show(TrainingTables.clock(of: first))
            } else if !exchanged.isEmpty {
                running.show("\n" + TrainingTables.synchronousComparison(of: exchanged))
            }
            running.end()
        }
        try Interruption.endOfRuns(records, stop: stop)
    }

    /// What goes to standard output has it alone.
    private var showsTables: Bool {
        output.showsTables
            && ![modelOut, gradientOut, updateLog].contains { $0.map(OutputTargets.isStandardOutput) ?? false }
    }

    /// Refuses files that cannot be written, or that would overwrite each other or what is read.
    private func checkFiles(_ algorithms: [Algorithm]) throws(InputError) {
        try output.check()
        try check(modelOut, "--model-out", needs: algorithms.count == 1, "one algorithm")
        try check(gradientOut, "--gradient-out", needs: algorithms.count == 1, "one algorithm")
        try check(updateLog, "--update-log", needs: algorithms == [.asgd], "--algorithm asgd")
        let outputs = [
            ("--json", output.json), ("--model-out", modelOut), ("--gradient-out", gradientOut),
            ("--update-log", updateLog),
        ]
        try OutputTargets.requireDistinct(outputs)
        for input in [data.data, data.test] where input != "-" {
            try OutputTargets.requireDistinct([("the data", input)] + outputs)
        }
    }

    /// One run, by the trainer for its kind of algorithm.
    private struct Run {
        var options: TrainingOptions
        /// N of an algorithm of chapters 2 and 3; nil for the others.
        let dataParallelWorkers: Int?
    }

    /// The runs that are asked for.
    ///
    /// minibatch-sgd is the serial reference of data-parallel SGD where it stands beside that, where the rows are dense, or where
    /// momentum and the like are asked for; alone it takes the samples of one worker.
    private func plan(_ algorithms: [Algorithm], isDense: Bool, workers: Int) throws(InputError) -> [Run] {
        let hasHeldOutRows = data.data == nil || data.test != nil || dense.holdOut != nil
        let hasPeers = algorithms.contains { $0.isSynchronous && $0 != .minibatchSGD }
        let objective: LinearObjective? = if isDense { nil } else { try training.linearObjective() }
        var runs: [Run] = []
        for algorithm in algorithms {
            let isDataParallel =
                algorithm.isSynchronous
                && (algorithm != .minibatchSGD || hasPeers || isDense || synchronous.isGiven)
            if isDense && !isDataParallel {
                throw InputError(
                    at: "--algorithm", found: "\(algorithm.rawValue) on dense rows",
                    expected: names(of: Algorithm.self, where: \.isSynchronous))
            }
            var options = try training.options(
                for: algorithm, hasHeldOutRows: hasHeldOutRows, isDataParallel: isDataParallel, isDense: isDense)
            if let objective { options.objective = objective }
            options.keepsUpdateLog = updateLog != nil
            let count = algorithm == .minibatchSGD && !hasPeers ? 1 : workers
            if isDataParallel {
                options.synchronous = try synchronous.options(for: algorithm, workers: count, seed: training.seed)
                try options.check()
            }
            runs.append(Run(options: options, dataParallelWorkers: isDataParallel ? count : nil))
        }
        return runs
    }

    /// Trains; `running` is where a line for each evaluation goes.
    private func train(
        _ run: Run, on rows: TrainingRows, team: WorkerTeam, stop: StopRequest, showing running: RunningOutput?
    ) throws -> TrainedModel {
        let options = run.options
        let rowsPerUpdate =
            run.dataParallelWorkers.map { $0 * options.batchSize }
            ?? (options.algorithm == .gd ? rows.rowCount : options.algorithm == .sgd ? 1 : options.batchSize)
        var table: CourseTable?
        let show = running.map { running in
            { (point: TrainingPoint) in
                if table == nil {
                    let updates = Double(options.epochs) * Double(rows.rowCount) / Double(max(1, rowsPerUpdate))
                    let made = CourseTable(point, hasTest: rows.hasTest, options: options, updates: updates)
                    running.show(made.header)
                    table = made
                }
                if let table { running.show(table.line(point)) }
            }
        }
        if let workers = run.dataParallelWorkers {
            let problem = try rows.problem(options.objective)
            let ranks = options.algorithm.ranks(workers: workers, options: options.synchronous)
            let own: WorkerTeam? =
                if options.synchronous.clock.isVirtual { nil } else if ranks == team.count { team } else {
                    try WorkerTeam(placement: try training.place(workers: ranks).placement)
                }
            let trainer = try SynchronousTrainer(
                problem: problem, workers: workers, ranks: own, evaluators: team, options: options, stop: stop)
            let result = try showingProgress(of: options, output, show) { try trainer.run(progress: $0) }
            return TrainedModel(result, of: problem, from: rows, team: team)
        }
        guard case .sparse(let sparse) = rows else { preconditionFailure("dense rows for \(options.algorithm)") }
        let result = try trainOnce(
            options, train: sparse.train, test: sparse.test, team: team, stop: stop, output: output, show)
        return TrainedModel(result, options.objective, on: sparse.train, team: team)
    }

    private func check(_ path: String?, _ option: String, needs condition: Bool, _ expected: String) throws(InputError)
    {
        guard let path else { return }
        if !condition {
            throw InputError(at: option, found: "--algorithm \(algorithm ?? "hogwild")", expected: expected)
        }
        try AtomicFile.check(path, option: option)
    }

    private func logText(_ log: [UpdateLogEntry]) -> String {
        var text = "worker,readVersion,writeVersion\n"
        for entry in log.sorted(by: { $0.writeVersion < $1.writeVersion }) {
            text += "\(entry.worker),\(entry.readVersion),\(entry.writeVersion)\n"
        }
        return text
    }
}

/// Several records in one object.
struct RunList: Encodable {
    let runs: [RunRecord]
}

/// One run on sparse rows, with progress on the terminal.
func trainOnce(
    _ options: TrainingOptions, train: SparseDataset, test: SparseDataset?, team: WorkerTeam, stop: StopRequest,
    output: OutputArguments, _ show: ((TrainingPoint) -> Void)? = nil
) throws -> TrainingResult {
    var options = options
    // What nobody will read is not measured.
    if output.quiet && output.json == nil { options.recordingCost = .never }
    let trainer = try Trainer(train: train, test: test, team: team, options: options, stop: stop)
    return try showingProgress(of: options, output, show) { try trainer.run(progress: $0) }
}

/// Runs `body`, which says how far it is, and shows that on the terminal; every evaluation is handed to `show`.
func showingProgress<Result>(
    of options: TrainingOptions, _ output: OutputArguments, _ show: ((TrainingPoint) -> Void)?,
    _ body: ((TrainingProgress) -> Void) throws -> Result
) rethrows -> Result {
    var line = ProgressLine(isQuiet: output.quiet)
    let result = try body { progress in
        if let show, let point = progress.point {
            line.clear()
            show(point)
        }
        line.update(
            ProgressLine.State(
                label: options.algorithm.rawValue,
                fraction: max(
                    progress.epoch / Double(max(1, progress.epochs)),
                    options.maxSeconds.map { progress.seconds / $0 } ?? 0),
                loss: progress.loss,
                updatesPerSecond: progress.seconds > 0 ? Double(progress.updates) / progress.seconds : nil))
    }
    line.clear()
    return result
}
