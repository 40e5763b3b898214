// What the order of a run belongs to: it is repeated on the same data with the same options alone. The coordinator.

internal import Datasets
internal import Messaging
internal import Objectives
internal import Platform

extension RecordedOrder {
    /// Of a run's log, with an entry for each gradient.
    init(
        _ log: [UpdateLogEntry], _ algorithm: any ReplayableAlgorithm, _ plan: RunPlan, _ stepSize: StepSize,
        evaluations: [UInt64]
    ) throws(InputError) {
        let group = algorithm.gradientsPerUpdate
        var sorted = log.sorted { ($0.writeVersion, $0.part) < ($1.writeVersion, $1.part) }
        // What was collected for an update that the run did not come to.
        sorted.removeLast(sorted.count % group)
        precondition(
            sorted.enumerated().allSatisfy {
                $0.element.writeVersion == UInt64($0.offset / group) && $0.element.part == $0.offset % group
            }, "updates are missing")
        self.init(
            facts: try Self.facts(of: plan, algorithm, stepSize),
            updates: sorted.map {
                Update(
                    worker: UInt32($0.worker), minibatch: $0.minibatch,
                    tau: UInt32(clamping: $0.writeVersion - $0.readVersion),
                    stepSize: $0.stepSize)
            }, evaluations: evaluations)
    }

    /// All that the model depends on, and how often it was evaluated.
    private static func facts(
        of plan: RunPlan, _ algorithm: any ReplayableAlgorithm, _ stepSize: StepSize
    ) throws(InputError) -> [Fact] {
        let (options, summary) = (plan.options, plan.problem.summary)
        let isSparse = plan.problem is LinearProblem && !options.clock.kind.isModel
        let start = try plan.startParameters()
        let startSum = unsafe start.withUnsafeBytes { unsafe Checksum.of($0) }
        let table = algorithm.delayed.tableChecksum
        return [
            Fact(key: "algorithm", value: options.algorithm.description),
            Fact(key: "stepTable", value: table.map { String($0, radix: 16) } ?? "none"),
            Fact(key: "workers", value: "\(plan.workers)"),
            Fact(key: groupKey, value: "\(algorithm.gradientsPerUpdate)"),
            Fact(key: underWayKey, value: "\(algorithm.underWay)"),
            Fact(key: "seed", value: "\(options.seed)"),
            Fact(key: "batchSize", value: "\(options.batchSize)"),
            Fact(key: "order", value: options.order.rawValue),
            Fact(key: "objective", value: summary.objective),
            Fact(key: "l2", value: "\(summary.l2)"),
            Fact(key: "intercept", value: "\(summary.intercept)"),
            Fact(key: "clipGradient", value: options.stepRule.clipNorm.map { "\($0)" } ?? "none"),
            Fact(key: "rows", value: "\(plan.problem.rowCount)"),
            Fact(key: "parameters", value: "\(plan.problem.parameterCount)"),
            Fact(key: "data", value: String(plan.problem.dataChecksum, radix: 16)),
            Fact(key: "start", value: String(startSum, radix: 16)),
            Fact(key: "gradients", value: isSparse ? "coordinates" : "vectors"),
            Fact(key: "stepSize", value: stepSize.description),
            Fact(key: "epochs", value: "\(options.epochs)"),
            // Where it stops, and of which evaluation the model is kept.
            Fact(key: "earlyStop", value: options.patience.map { "\($0)" } ?? "none"),
            Fact(key: "evaluationsPerEpoch", value: "\(options.evaluationsPerEpoch)"),
        ]
    }

    /// What may differ in a replay: evaluations move nobody.
    private static let free: Set = ["evaluationsPerEpoch"]

    /// Throws where the run is another than that which was recorded.
    func check(_ plan: RunPlan, _ stepSize: StepSize) throws(InputError) {
        guard let algorithm = try plan.options.algorithm.make(for: plan) as? any ReplayableAlgorithm else {
            preconditionFailure("a replay of \(plan.options.algorithm)")
        }
        let own = try Self.facts(of: plan, algorithm, stepSize)
        for (index, fact) in own.enumerated() where !Self.free.contains(fact.key) {
            let recorded = index < facts.count && facts[index].key == fact.key ? facts[index].value : "nothing"
            if recorded != fact.value {
                throw InputError(
                    at: "--replay", found: "a run with \(fact.key) \(fact.value)",
                    expected: "that of the file, \(fact.key) \(recorded)")
            }
        }
    }

    /// Whether a run with these options is evaluated where the recorded one was.
    func evaluates(_ options: TrainingOptions) -> Bool {
        func value(_ key: String) -> String? { facts.first { $0.key == key }?.value }
        return value("epochs") == "\(options.epochs)"
            && value("evaluationsPerEpoch") == "\(options.evaluationsPerEpoch)"
    }
}
