// What the command asks of Training: a run of one algorithm with all its options, and what it came to. On the main thread.

import Datasets
import Measurement
import Messaging
import Objectives
import Platform
import Reporting
import Training

/// One run that is asked for.
struct TrainingJob {
    private(set) var options: TrainingOptions
    /// N.
    var workers: Int
    /// What linear models on sparse rows minimise; nil for dense rows.
    private let objective: LinearObjective?
    /// The saved model that it starts from.
    private var model: String?

    init(options: TrainingOptions, workers: Int, objective: LinearObjective?) {
        self.options = options
        self.workers = workers
        self.objective = objective
    }

    private var facts: AlgorithmFacts { options.algorithm.facts }
    /// Whether what its workers exchange is what there is to say of it.
    var isDataParallel: Bool { facts.options.contains(.clock) && facts.evaluates != .window && !facts.isSerial }
    /// Whether one worker does all updates.
    var isSerial: Bool { facts.isSerial }

    /// Throws what a run would, before one of several is in vain.
    func check(_ rows: TrainingRows, evaluators: Int) throws(InputError) {
        try TrainingRun.check(
            problem: try rows.problem(objective), workers: workers, evaluators: evaluators, options: options)
    }

    /// Starts from a model that fits the rows.
    mutating func start(from model: StartingModel) {
        self.model = model.path
        options.startParameters = model.parameters
    }

    /// Takes over what the first of several runs with minibatches as large has measured, so that what is compared computes alike.
    mutating func compute(as earlier: [RunRecord]) {
        let alike = earlier.first {
            $0.settings.batchSize == options.batchSize && $0.exchange?.computeWasMeasured == true
        }
        guard let alike else { return }
        options.clock.computeSeconds = alike.exchange?.computeSeconds
        options.clock.computeWasMeasured = true
    }

    /// The table of evaluations, which begins with that of the start.
    func courseTable(_ start: TrainingPoint, _ rows: TrainingRows) -> CourseTable {
        let batch = facts.options.contains(.batchSize) ? options.batchSize : 1
        let rowsPerUpdate =
            facts.name == GradientDescent.facts.name ? rows.rowCount : isDataParallel ? workers * batch : batch
        return CourseTable(
            start, hasTest: rows.hasTest, hasTrainLoss: options.trainLoss != .never,
            hasGradientNorm: options.gradientNorm != .never,
            updates: Double(options.epochs) * Double(rows.rowCount) / Double(max(1, rowsPerUpdate)))
    }

    /// Trains, with progress on the terminal; every evaluation is handed to `show`. `team` evaluates, and is the workers where they are
    /// as many; `place` places others.
    func run(
        on rows: TrainingRows, team: WorkerTeam, stop: StopRequest, output: OutputArguments,
        place: (Int) throws(InputError) -> Placement, show: ((TrainingPoint) -> Void)? = nil
    ) throws -> TrainedModel {
        var options = options
        // What nobody will read is not measured.
        if output.quiet && output.json == nil { options.recordingCost = .never }
        let problem = try rows.problem(objective)
        let ranks = try TrainingRun.rankCount(problem: problem, workers: workers, options: options)
        let own = try ranks.map { count throws(InputError) in try WorkerTeam(placement: place(count)) }
        let training = try TrainingRun(
            problem: problem, workers: workers, team: team, ranks: own, options: options, stop: stop)
        let result = try showingProgress(output, show) { try training.run(progress: $0) }
        return TrainedModel(result, record(result.record), of: problem, rows, team: team)
    }

    private func record(_ record: RunRecord) -> RunRecord {
        var record = record
        record.modelIn = model
        return record
    }

    private func showingProgress<Result>(
        _ output: OutputArguments, _ show: ((TrainingPoint) -> Void)?,
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
                    label: options.algorithm.description,
                    fraction: max(
                        progress.epoch / Double(max(1, progress.epochs)),
                        options.maxSeconds.map { progress.seconds / $0 } ?? 0),
                    loss: progress.loss,
                    updatesPerSecond: progress.seconds > 0 ? Double(progress.updates) / progress.seconds : nil))
        }
        line.clear()
        return result
    }
}

extension TrainingRows {
    /// What is minimised on them; `objective` is for sparse rows.
    fileprivate func problem(_ objective: LinearObjective?) throws(InputError) -> any MinibatchProblem {
        switch self {
        case .sparse(let rows):
            LinearProblem(objective: objective ?? LinearObjective(), train: rows.train, test: rows.test)
        case .dense(let rows): try DenseProblem(network: rows.network, train: rows.train, test: rows.test)
        }
    }
}

/// What a run has come to.
struct TrainedModel {
    private(set) var record: RunRecord
    private let updateLog: [UpdateLogEntry]
    private let order: RecordedOrder?
    private let computeTrace: [[Double]]
    private let parameters: [Float]
    private let problem: any MinibatchProblem
    private let rows: TrainingRows
    private let team: WorkerTeam

    fileprivate init(
        _ result: TrainingResult, _ record: RunRecord, of problem: any MinibatchProblem, _ rows: TrainingRows,
        team: WorkerTeam
    ) {
        self.record = record
        parameters = result.parameters
        self.problem = problem
        self.rows = rows
        self.team = team
        updateLog = result.updateLog
        order = result.order
        computeTrace = result.computeTrace
        if case .dense(let rows) = rows { self.record.network = rows.networkRecord }
    }

    /// Writes the files that were asked for.
    func write(_ run: RunArguments) throws {
        if let path = run.modelOut {
            switch rows {
            case .dense(let rows): try rows.model(parameters: parameters).write(to: path, option: "--model-out")
            case .sparse:
                guard let problem = problem as? LinearProblem else { preconditionFailure("no linear problem") }
                try AtomicFile.write(problem.model(parameters).libLinearText(), to: path, option: "--model-out")
            }
        }
        if let path = run.gradientOut { try FloatVectorFile.write(try gradient(), to: path, option: "--gradient-out") }
        if let path = run.recordOrder { try order?.write(to: path) }
        if let path = run.stalenessOut { try StalenessFile.write(record.staleness, to: path) }
        if let path = run.updateLog { try AtomicFile.write(logText, to: path, option: "--update-log") }
        if let path = run.computeTrace {
            let most = ComputeTrace.mostPerRank(of: computeTrace.count)
            if computeTrace.contains(where: { $0.count == most }) {
                Relaxed.say(
                    "--compute-trace \(path): the first \(most) computations of each rank, all that fit")
            }
            try AtomicFile.write(ComputeTrace.text(of: computeTrace), to: path, option: "--compute-trace")
        }
    }

    /// The gradient over all training rows, in the order of the parameters.
    private func gradient() throws(InputError) -> [Float] {
        var gradient = [Double](repeating: 0, count: problem.parameterCount)
        _ = try problem.makeEvaluator(team: team).evaluate(parameters.span, .gradient, gradient: &gradient)
        return gradient.map(Float.init)
    }

    private var logText: String {
        // Of one window as ever; of several each has its own order.
        let hasChunks = updateLog.contains { $0.chunk > 0 }
        var text = "worker,readVersion,writeVersion\(hasChunks ? ",chunk" : "")\n"
        for entry in updateLog.sorted(by: { ($0.writeVersion, $0.chunk) < ($1.writeVersion, $1.chunk) }) {
            text += "\(entry.worker),\(entry.readVersion),\(entry.writeVersion)\(hasChunks ? ",\(entry.chunk)" : "")\n"
        }
        return text
    }
}
