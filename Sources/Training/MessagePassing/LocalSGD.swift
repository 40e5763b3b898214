// local-sgd: workers make H steps alone, then average their models (section 6.4). The thread of each rank runs it.

internal import Collectives
public import Messaging
public import Platform

/// x_n = x_n - gamma g_n(x_n) on worker n; after every H-th step each x_n becomes (1/N) sum_n x_n, by any collective
/// (local SGD, Stich 2019). H = 1 is model aggregation; with H beyond the last step only the result is an average.
///
/// What is evaluated and kept is the mean of the workers' models as they are, at an average and between two. The theory
/// follows it; every step of every worker is in it, so that a run that ends between two averages loses none; and it
/// sends nothing. One worker's model would follow its own rows alone and jump at every average, and that of the last
/// average can be H - 1 steps old.
///
/// With momentum each worker keeps the velocity of its own gradients across averages, too: only models travel.
public struct LocalSGD: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "local-sgd", summary: "every worker makes some steps alone, then the models are averaged",
        section: "6.4; Stich 2019",
        settings: [SettingFacts("period", default: "8", "H, steps from one average to the next")],
        options: Set<AlgorithmOption>.steps.union([.collective, .clock]), evaluates: .mean)

    private let period: Int
    private let collective: AllReduceAlgorithm
    private let plan: RunPlan

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        period = try settings.integer("period", default: 8, in: 1...1_000_000)
        collective = try run.allReduce()
        plan = run
    }

    public func ranks(workers: Int) -> Int { collective.ranks(workers: workers) }
    /// What one rank knows all know after the next average, so that a run that is interrupted goes on for H steps.
    public var lead: UInt64? { UInt64(period) }
    public var exchange: ExchangeShape {
        var shape = plan.shape(of: collective)
        shape.period = period
        return shape
    }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        while let step = try worker.nextStep() {
            let alone = step.t % UInt64(period)
            try worker.computeGradient()
            if !worker.isServer {
                worker.descend(step.size)
                worker.recordStaleness(UInt64(worker.workers - 1) * alone)
            }
            guard alone == UInt64(period - 1) else { continue }
            try communicator.allReduce(worker.x, by: collective)
            worker.x.scale(by: 1 / Float(worker.workers))
        }
    }
}
