// Runs of algorithms on one vector in shared memory, segment by segment. The coordinator's thread; the workers run the loops.

internal import Datasets
internal import Kernels
internal import Measurement
internal import Objectives
internal import Platform

/// Workers who meet in one vector.
final class SharedRunner: Runner {
    private let plan: RunPlan
    private let problem: LinearProblem
    private let team: WorkerTeam
    private let stepSize: StepSize
    private let stop: StopRequest
    let model: SharedParameters
    private let kept: SharedParameters
    let trainEvaluator: LinearEvaluator
    let testEvaluator: LinearEvaluator?
    private let work: Work
    /// The layout that was asked for, of hogwild, and what was found to be best.
    var hogwild: (algorithm: Hogwild, choice: LayoutChoice)?
    private var layout: RunRecord.Layout?

    /// Who makes the updates.
    enum Work {
        /// The coordinator, of gd.
        case descent(Descent)
        case inPlace(Engine)
    }

    /// gd and what it keeps.
    final class Descent {
        let algorithm: GradientDescent
        var gradient: [Double]
        /// What rounding has taken from the model.
        var lost: [Float]

        init(_ algorithm: GradientDescent, parameters: Int) {
            self.algorithm = algorithm
            gradient = [Double](repeating: 0, count: parameters)
            lost = [Float](repeating: 0, count: parameters)
        }
    }

    init(
        _ algorithm: any SharedAlgorithm, _ plan: RunPlan, _ stepSize: StepSize, team: WorkerTeam, stop: StopRequest
    ) throws(InputError) {
        guard let problem = plan.problem as? LinearProblem else { preconditionFailure("\(plan.problem)") }
        self.plan = plan
        self.problem = problem
        self.team = team
        self.stepSize = stepSize
        self.stop = stop
        let parameters = problem.parameterCount
        model = try SharedParameters(count: parameters)
        kept = try SharedParameters(count: parameters)
        model.interleave(overNodes: team.placement.replicaNodes)
        if plan.options.startParameters != nil {
            for (j, x) in try plan.startParameters().enumerated() { model[j] = x }
        }
        func evaluator(_ data: SparseDataset) throws(InputError) -> LinearEvaluator {
            try LinearEvaluator(data: data, objective: problem.objective, features: problem.train.featureCount)
        }
        trainEvaluator = try evaluator(problem.train)
        testEvaluator = if let test = problem.test { try evaluator(test) } else { nil }
        switch algorithm {
        case let algorithm as GradientDescent: work = .descent(Descent(algorithm, parameters: parameters))
        case let algorithm as any InPlaceAlgorithm:
            work = .inPlace(try Engine(algorithm, on: problem, team: team, options: plan.options))
        default: preconditionFailure("\(algorithm) has no loop")
        }
        hogwild = try (algorithm as? Hogwild).map { algorithm throws(InputError) in
            let caches = try LayoutChoice.caches(for: algorithm.layout)
            return (
                algorithm,
                LayoutChoice(algorithm.layout, plan, problem, workers: team.placement.workers, caches: caches)
            )
        }
    }

    /// Of an algorithm whose workers change the model in place.
    var engine: Engine? { if case .inPlace(let engine) = work { engine } else { nil } }

    func segmentsPerEpoch(evaluations: Int) -> Int { engine.map { min(evaluations, $0.mostSegments) } ?? 1 }

    func train(
        segment: Int, of count: Int, _ course: inout TrainingCourse, _ progress: (TrainingProgress) -> Void
    ) throws -> SegmentEnd {
        let (epoch, index) = segment.quotientAndRemainder(dividingBy: count)
        let gamma = stepSize.during(epoch: epoch)
        switch work {
        case .descent(let descent):
            let start = monotonicNanoseconds()
            let finite = try descent.algorithm.step(
                trainEvaluator, team, model: model, gradient: &descent.gradient, lost: &descent.lost,
                stepSize: gamma.value(course.updates))
            course.seconds += Double(monotonicNanoseconds() - start) / 1e9
            course.updates += 1
            course.epochs += 1
            return segmentEnd(finite, course)
        case .inPlace(let engine):
            if index == 0 {
                let preparation = engine.prepare(epoch: epoch, team: team)
                course.orderSeconds += preparation
                course.seconds += preparation
            }
            if hogwild != nil && layout == nil { layout = try chooseLayout(engine, gamma) }
            let begin = course.seconds
            let start = monotonicNanoseconds()
            let deadline = plan.options.maxSeconds.map { monotonicNanoseconds(in: $0 - begin) }
            func note(_ seconds: Double) {
                course.seconds = begin + seconds
                course.epochs = Double(engine.rowsDone) / Double(max(1, problem.rowCount))
                course.updates = engine.updates
            }
            let (seconds, finite) = engine.run(
                Segment(
                    index: index, count: count, stepSize: gamma, deadline: deadline, stop: stop, halt: StopRequest()),
                model: model, team: team
            ) {
                note(Double(monotonicNanoseconds() - start) / 1e9)
                progress(course.progress)
            }
            note(seconds)
            return segmentEnd(finite, course)
        }
    }

    /// Settles how many copies of the model there are, with a trial where that is open, which leaves the model as it was at the start. Outside
    /// of all seconds of training.
    func chooseLayout(_ engine: Engine, _ stepSize: EpochStepSize) throws(InputError) -> RunRecord.Layout {
        guard let hogwild else { preconditionFailure("a layout for another algorithm than hogwild") }
        let choice = hogwild.choice
        let isOpen = hogwild.algorithm.layout == .auto
        var found = RunRecord.Layout(name: "shared", reason: choice.reason)
        let fewestRows = engine.workers.map(\.schedule.partition.rowCount).min()!
        let rowStep = Double(stepSize.value(0)) / Double(engine.workers[0].fullBatch)
        let perRow = LayoutChoice.rowSeconds(problem.train)
        var candidates: [(layout: HogwildLayout, plan: ReplicaPlan, period: MergePeriod)] = []
        for (layout, plan) in choice.candidates {
            let members = plan.copies.map(\.members.count).filter { $0 > 0 }.min() ?? 1
            let period = try MergePeriod(problem, replicas: plan.replicas, rows: fewestRows * members)
            let rows = period.rows(stepSize: rowStep)
            let merging = LayoutChoice.mergeSeconds(problem.train, rows: rows) / (Double(rows) * perRow)
            if !isOpen || merging < LayoutChoice.mostMerging { candidates.append((layout, plan, period)) }
        }
        var best = candidates.isEmpty ? nil : 0
        if isOpen && !candidates.isEmpty {
            let trial = LayoutTrial(engine: engine, problem: problem, team: team, stop: stop)
            let result = try trial.run(candidates.map { ($0.plan, $0.period) }, stepSize: stepSize, on: model)
            // What was kept first is the start.
            model.copy(from: kept)
            best = result.best
            found.trialSeconds = result.seconds
            let names = ["shared"] + candidates.map(\.layout.rawValue)
            found.trial = zip(names, result.rates).map { .init(layout: $0, rowsPerSecond: $1) }
        } else if isOpen && !choice.candidates.isEmpty {
            found.reason =
                (found.reason ?? "") + "; replicas would have to merge so often that it took most of the time"
        }
        if let best {
            let (layout, plan, period) = candidates[best]
            let replicas = try Replicas(plan, of: model, recordsStaleness: engine.recording != .off)
            engine.use(replicas, rows: hogwild.algorithm.mergeRows, period: period, team: team)
            found.name = layout.rawValue
            found.replicas = plan.replicas
        }
        return found
    }

    private func segmentEnd(_ finite: Bool, _ course: TrainingCourse) -> SegmentEnd {
        if !finite { return .notFinite }
        return stop.isRequested || course.seconds >= plan.options.maxSeconds ?? .infinity ? .over : .goesOn
    }

    func keep() { kept.copy(from: model) }

    var hasChanged: Bool {
        let start = plan.options.startParameters
        return (0..<model.count).contains { model[$0] != start?[$0] ?? 0 }
    }

    func figures(_ wanted: EvaluationFigures, ofKept: Bool) throws(InputError) -> ModelFigures {
        let model = ofKept ? kept : model
        var found = ModelFigures(penalty: trainEvaluator.penalty(model))
        if wanted.contains(.gradient) {
            found.gradientNormSquared = try trainEvaluator.gradientNormSquared(of: model, team: team)
        }
        if wanted.contains(.training) {
            found.train = trainEvaluator.evaluate(
                model, team: team, withAUC: testEvaluator == nil && wanted.contains(.auc),
                onSample: wanted.contains(.sample))
        }
        if wanted.contains(.heldOut) {
            found.test = testEvaluator?.evaluate(model, team: team, withAUC: wanted.contains(.auc))
        }
        return found
    }

    func finish(_ course: TrainingCourse, _ status: RunStatus) throws -> RunnerResult {
        let options = plan.options
        model.copy(from: kept)
        var staleness = engine?.stalenessSummary(updates: course.updates) ?? .serial(updates: course.updates)
        if let engine, engine.replicas == nil, status != .diverged && status != .interrupted && course.seconds > 0 {
            let measurement = RecordingCostMeasurement(
                algorithm: engine.algorithm, problem: problem, team: team, options: options, stop: stop)
            staleness.measurementCost = try measurement.run(
                on: model, stepSize: stepSize.during(epoch: 0),
                rowsPerSecond: Double(engine.rowsDone) / course.seconds, seconds: course.seconds)
        }
        let workers = engine?.workers.count ?? team.count
        if let parts = engine?.workers.compactMap(\.replica), !parts.isEmpty {
            layout?.note(
                rowsBetweenMerges: parts.map(\.rowsBetween), merges: parts.map(\.merges),
                ticks: parts.map { (merging: $0.ticksMerging, training: $0.ticksTraining) })
        }
        let rows = UInt64(problem.rowCount)
        return RunnerResult(
            parameters: Array(kept.values),
            placement: (team.placement.policy.description, team.placement.workers.prefix(workers).map(\.cpu)),
            workers: workers, batchSize: engine?.batchSize ?? problem.rowCount,
            samples: engine?.rowsDone ?? course.updates * rows,
            isDeterministic: !options.algorithm.facts.isRacing || team.count == 1, hasExactTime: false,
            staleness: staleness, layout: layout, updateLog: [])
    }
}
