// gradient-aggregation: every worker has a replica of the model; the gradients are summed (section 2.1.2, first implementation).
// The thread of each rank runs it.

internal import Collectives
public import Messaging
public import Platform

/// x_(t+1) = x_t - gamma (1/N) sum_n g_n(x_t) on every worker, the sum by any collective. Replicas stay equal bit for bit.
public struct GradientAggregation: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "gradient-aggregation", summary: "gradients are summed; every worker has the model and takes the step",
        section: "2.1.2, first",
        options: Set<AlgorithmOption>.steps.union([.collective, .denseMessages, .clock]))

    private let collective: AllReduceAlgorithm
    /// Sparse gradients without their zeros; nil where plain vectors travel.
    private let compressed: CompressedExchange?
    private let plan: RunPlan

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        plan = run
        collective = try run.allReduce()
        compressed = CompressedExchange(ofSparse: run, collective.rawValue)
    }

    public func ranks(workers: Int) -> Int { collective.ranks(workers: workers) }
    public var exchange: ExchangeShape { compressed?.shape() ?? plan.shape(of: collective) }
    public func memoryBytes(rank: Int) -> Int { compressed?.memoryBytes(rank: rank) ?? 0 }
    public func prepare(_ worker: RankWorker) throws(InputError) { try compressed?.prepare(worker) }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            if let average = worker.average {
                try unsafe average.average(
                    worker.gradient.floats, step: step.t, stepSize: Double(step.size), over: communicator)
                worker.descend(step.size)
            } else {
                try communicator.allReduce(worker.gradient, by: collective)
                worker.descend(step.size, share: 1 / Float(worker.workers))
            }
        }
    }
}
