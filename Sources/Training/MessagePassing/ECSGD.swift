// ec-sgd: error-compensated SGD (section 3.3). The thread of each rank runs it.

internal import Collectives
public import Messaging
public import Platform

/// As csgd, and every place that compresses adds what its last message lost, delta_(t-1), and keeps what this one loses (equations 3.8 to
/// 3.12): so the iterates follow SGD without compression (Lemma 3.4.1), whatever the codec's bias.
public struct ECSGD: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "ec-sgd", summary: "as csgd, where each compression adds what the last one at its place lost",
        section: "3.3, eq. 3.8 to 3.12", options: Set<AlgorithmOption>.steps.union([.collective, .codec, .clock]))

    private let compressed: CompressedExchange

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        compressed = try CompressedExchange(
            run, codec: "sign", collectives: [.multiServer, .parameterServer, .natural],
            insteadOfOthers: "; csgd with --error-feedback takes any", hasFeedback: true)
    }

    public func ranks(workers: Int) -> Int { compressed.collective.ranks(workers: workers) }
    public var exchange: ExchangeShape { compressed.shape() }
    public func memoryBytes(rank: Int) -> Int { compressed.memoryBytes(rank: rank) }
    public func prepare(_ worker: RankWorker) throws(InputError) { try compressed.prepare(worker) }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        try compressed.run(worker, over: communicator)
    }
}
