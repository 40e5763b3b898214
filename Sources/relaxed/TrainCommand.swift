// `relaxed train`: trains a linear model with one algorithm, or compares several on the same data.

import ArgumentParser
import Datasets
import Glibc
import Kernels
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
            Several algorithms between commas are compared in one table. Times are training times: evaluation is left out. \
            An interrupted (Ctrl-C) or diverged run still writes its record and its model.
            """)

    @OptionGroup var data: DataArguments

    @Option(help: "gd, sgd, minibatch-sgd, asgd, hogwild, or a list of them.")
    var algorithm = "hogwild"

    @Option(
        parsing: .unconditional,
        help: .init(
            "Workers of asgd and hogwild, and of gd's gradient; by default one per usable core.", valueName: "count"))
    var workers: Int?

    @OptionGroup var training: TrainingArguments

    @Option(
        help: .init("Save the model in LIBLINEAR's text format.", valueName: "file"))
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
        let algorithms = try algorithms(named: algorithm)
        let hasHeldOutRows = data.data == nil || data.test != nil
        var runs = try algorithms.map { try training.options(for: $0, hasHeldOutRows: hasHeldOutRows) }
        try output.check()
        try check(modelOut, "--model-out", needs: algorithms.count == 1, "one algorithm")
        try check(gradientOut, "--gradient-out", needs: algorithms.count == 1, "one algorithm")
        try check(updateLog, "--update-log", needs: algorithms == [.asgd], "--algorithm asgd")
        let outputs = [
            ("--json", output.json), ("--model-out", modelOut), ("--gradient-out", gradientOut),
            ("--update-log", updateLog),
        ]
        try OutputTargets.requireDistinct(outputs)
        // Nor over what is read.
        for input in [data.data, data.test] where input != "-" {
            try OutputTargets.requireDistinct([("the data", input)] + outputs)
        }
        if updateLog != nil { runs[0].keepsUpdateLog = true }
        // What goes to standard output has it alone.
        let showsTables =
            output.showsTables
            && ![modelOut, gradientOut, updateLog].contains {
                $0.map(OutputTargets.isStandardOutput) ?? false
            }

        let (placement, notices) = try training.place(workers: workers)
        for notice in notices { output.note(notice) }
        let team = try WorkerTeam(placement: placement)
        let environment = RunEnvironment(seed: training.seed)
        let (train, test, readSeconds) = try data.read(for: runs[0].objective.loss, team: team)
        let stop = Interruption.stopRequest()
        if showsTables {
            print(TrainingTables.describe(train, test: test, seconds: readSeconds, placement: placement))
            fflush(nil)
        }

        var results: [TrainingResult] = []
        // The first run begins even where it is to end at once, so that there is always a record and a model.
        for (index, options) in runs.enumerated() where index == 0 || !stop.isRequested {
            let result = try trainOnce(options, train: train, test: test, team: team, stop: stop, output: output)
            results.append(result)
            if let modelOut { try AtomicFile.write(result.model.libLinearText(), to: modelOut, option: "--model-out") }
            if let gradientOut {
                let gradient = try gradient(of: options.objective, at: result.model, on: train, team: team)
                try FloatVectorFile.write(gradient, to: gradientOut, option: "--gradient-out")
            }
            if let updateLog { try AtomicFile.write(logText(result.updateLog), to: updateLog, option: "--update-log") }
        }

        let records = results.map(\.record)
        if let json = output.json {
            if algorithms.count == 1, let record = records.first {
                try JSONOutput.write(HeadedRecord(environment: environment, body: record), to: json)
            } else {
                try JSONOutput.write(HeadedRecord(environment: environment, body: RunList(runs: records)), to: json)
            }
        }
        // After the files, so that they are there even where nobody reads the tables to their end.
        if showsTables {
            if algorithms.count == 1, let record = records.first {
                print(
                    TrainingTables.course(of: record), TrainingTables.summary(of: record), separator: "\n",
                    terminator: "")
            } else {
                print(TrainingTables.comparison(of: records), terminator: "")
            }
        }
        try Interruption.endOfRuns(records, stop: stop)
    }

    private func check(_ path: String?, _ option: String, needs condition: Bool, _ expected: String) throws(InputError)
    {
        guard let path else { return }
        if !condition { throw InputError(at: option, found: "--algorithm \(algorithm)", expected: expected) }
        try AtomicFile.check(path, option: option)
    }

    /// The gradient over all training rows, its coordinates in the order of the parameters: the weights, then the intercept.
    private func gradient(
        of objective: LinearObjective, at model: LinearModel, on train: SparseDataset, team: WorkerTeam
    ) throws(InputError) -> [Float] {
        let parameters = try SharedParameters(model)
        var gradient = [Double](repeating: 0, count: parameters.count)
        _ = try LinearEvaluator(data: train, objective: objective, features: model.weights.count)
            .evaluate(parameters, team: team, gradient: &gradient)
        return gradient.map(Float.init)
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

/// One run with progress on the terminal.
func trainOnce(
    _ options: TrainingOptions, train: SparseDataset, test: SparseDataset?, team: WorkerTeam, stop: StopRequest,
    output: OutputArguments
) throws(InputError) -> TrainingResult {
    let trainer = try Trainer(train: train, test: test, team: team, options: options, stop: stop)
    var line = ProgressLine(isQuiet: output.quiet)
    let result = try trainer.run { progress in
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
