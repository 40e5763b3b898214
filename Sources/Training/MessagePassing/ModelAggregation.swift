// model-aggregation: every worker steps alone, then the models are averaged (section 2.1.2, second implementation). The thread of
// each rank runs it.

internal import Collectives
public import Messaging
public import Platform

/// x_(t+1/2) = x_t - gamma g_n(x_t) on worker n, then x_(t+1) = (1/N) sum_n x_(t+1/2) on every worker, the sum by any collective.
///
/// With momentum each worker keeps the velocity of its own gradients; their mean is that of the mean gradient.
public struct ModelAggregation: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "model-aggregation", summary: "every worker takes its step, and the models are averaged",
        section: "2.1.2, second", options: Set<AlgorithmOption>.steps.union([.collective, .clock]))

    private let collective: AllReduceAlgorithm
    private let plan: RunPlan

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        plan = run
        collective = try run.allReduce()
    }

    public func ranks(workers: Int) -> Int { collective.ranks(workers: workers) }
    public var exchange: ExchangeShape { plan.shape(of: collective) }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            if !worker.isServer { worker.descend(step.size) }
            try communicator.allReduce(worker.x, by: collective)
            worker.x.scale(by: 1 / Float(worker.workers))
        }
    }
}
