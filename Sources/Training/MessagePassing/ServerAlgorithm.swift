// What algorithms have in common whose workers meet at one server, each in its own time. The coordinator asks it.

internal import Datasets
internal import Messaging
public import Platform
public import SwitchModel

/// An algorithm on the window of the parameters, which it evaluates.
///
/// Under the native clock the window is in shared memory behind a lock; under the others a rank of its own has it, which is passive.
public protocol ServerAlgorithm: MessageAlgorithm {
    /// The run that it was made for.
    var plan: RunPlan { get }
}

extension AlgorithmFacts {
    /// With what all of them have in common: steps of one worker each, along single rows where nobody says otherwise.
    public static func server(
        name: String, summary: String, section: String, settings: [SettingFacts] = [],
        options: Set<AlgorithmOption> = []
    ) -> AlgorithmFacts {
        AlgorithmFacts(
            name: name, summary: summary, section: section, settings: settings,
            options: options.union([.batchSize, .clipGradient, .warmUp, .updateLog, .computeTrace, .clock]),
            evaluates: .window, isRacing: true, automaticStep: .forRows, batchSize: 1, order: .blocks,
            stepSize: StepSize(nil, decay: 0.3))
    }
}

extension ServerAlgorithm {
    var isNative: Bool { !plan.options.clock.kind.isModel }

    public func ranks(workers: Int) -> Int { isNative ? workers : workers + 1 }
    public var lead: UInt64? { nil }
    public var exchange: ExchangeShape { shape() }

    /// Models that are pulled and gradients that are pushed; `pattern` where they take its time.
    public func shape(_ pattern: Pattern? = nil, mayDrop: Bool = false) -> ExchangeShape {
        var shape = ExchangeShape(name: "server", pattern: pattern, bytes: 4 * plan.problem.parameterCount)
        shape.isAsynchronous = true
        shape.mayDrop = mayDrop
        return shape
    }

    /// In shared memory sparse rows have sparse updates.
    var sparseProblem: LinearProblem? { isNative ? plan.problem as? LinearProblem : nil }

    public func memoryBytes(rank: Int) -> Int {
        sparseProblem.map { SparseSteps.memoryBytes($0, plan, rank: rank) } ?? 0
    }

    public func prepare(_ worker: RankWorker) throws(InputError) {
        if let problem = sparseProblem {
            worker.sparse = try SparseSteps(problem, plan, worker.sampler, rank: worker.rank)
        }
    }
}
