// csgd: SGD with compressed gradients (section 3.1.2). The thread of each rank runs it.

internal import Collectives
internal import Compression
public import Messaging
public import Platform

/// x_(t+1) = x_t - gamma v_t on every worker, where v_t is the mean gradient as compression leaves it.
///
/// v_t = Q((1/N) sum_n Q(g_n)) through servers (equation 3.2), or Q(... Q(Q(g_1) + g_2) ... + g_N) / N round the ring (equation 3.3); or the
/// codec's natural aggregation, see `CompressedCollective`.
public struct CSGD: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "csgd", summary: "compressed gradients, compressed again on the way back or at each hop",
        section: "3.1.2, eq. 3.2, 3.3",
        options: Set<AlgorithmOption>.steps.union([.collective, .codec, .errorFeedback, .allowBias, .clock]))

    private let compressed: CompressedExchange

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        let options = run.options.exchange
        compressed = try CompressedExchange(
            run, codec: "quantize:bits=4", collectives: CompressedCollective.allCases,
            hasFeedback: options.hasErrorFeedback)
        if options.hasErrorFeedback || options.allowsBias { return }
        if try !compressed.codec.makeCodec(count: run.problem.parameterCount).isUnbiased {
            throw InputError(
                at: "--codec", found: "\(compressed.codec), which is biased, for csgd",
                expected: "an unbiased one, ec-sgd, --error-feedback or --allow-bias")
        }
    }

    public func ranks(workers: Int) -> Int { compressed.collective.ranks(workers: workers) }
    public var exchange: ExchangeShape { compressed.shape() }
    public func memoryBytes(rank: Int) -> Int { compressed.memoryBytes(rank: rank) }
    public func prepare(_ worker: RankWorker) throws(InputError) { try compressed.prepare(worker) }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        try compressed.run(worker, over: communicator)
    }
}
