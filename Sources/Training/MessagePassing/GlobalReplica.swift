// global-replica: the model lives on servers, which workers pull from and push gradients to (section 2.1.2, third implementation).
// The thread of each rank runs it.

internal import Collectives
public import Messaging
public import Platform
internal import SwitchModel

/// x_(t+1) = x_t - gamma (1/N) sum_n g_n(x_t) on the servers, one chunk of the model each, or all on one; then workers pull.
///
/// Gradients go in and the model comes out, so that sparse gradients make only the first half cheaper.
public struct GlobalReplica: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "global-replica",
        summary: "gradients go to servers, each with a chunk of the model, and the model comes back",
        section: "2.1.2, third",
        options: Set<AlgorithmOption>.steps.union([.collective, .denseMessages, .clock]))

    private let collective: AllReduceAlgorithm
    private let compressed: CompressedExchange?
    private let plan: RunPlan

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        plan = run
        collective = try run.collective(of: [.multiServer, .parameterServer], default: .multiServer)
        compressed = CompressedExchange(ofSparse: run, collective.rawValue)
    }

    private var hasOneServer: Bool { collective == .parameterServer }

    public func ranks(workers: Int) -> Int { collective.ranks(workers: workers) }
    public func memoryBytes(rank: Int) -> Int { compressed?.memoryBytes(rank: rank) ?? 0 }
    public func prepare(_ worker: RankWorker) throws(InputError) { try compressed?.prepare(worker) }

    public var exchange: ExchangeShape {
        let plain = plan.shape(of: collective)
        guard let compressed else { return plain }
        let pull = PatternPrograms(
            hasOneServer ? .parameterServer : .multiServer, workers: plan.workers,
            partition: VectorPartition(
                elements: plan.problem.parameterCount, count: hasOneServer ? 1 : plan.workers)
        ).pull
        return compressed.shape(isPush: true, then: [pull])
    }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let own = hasOneServer ? nil : worker.x.chunk(worker.rank, of: worker.workers)
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            let gradient = unsafe worker.gradient.floats
            if let average = worker.average {
                try unsafe average.reduceToServers(
                    gradient, step: step.t, stepSize: Double(step.size), over: communicator)
            } else if hasOneServer {
                try unsafe communicator.parameterServerReduce(gradient)
            } else {
                try unsafe communicator.multiServerReduceScatter(gradient)
            }
            // The velocity stays where the model is.
            if !hasOneServer || worker.isServer {
                worker.descend(step.size, share: worker.average == nil ? 1 / Float(worker.workers) : 1, in: own)
            }
            if hasOneServer {
                try unsafe communicator.parameterServerBroadcast(worker.x.floats)
            } else {
                try unsafe communicator.multiServerAllGather(worker.x.floats)
            }
        }
    }
}
