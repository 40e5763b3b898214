// backup-workers: synchronous SGD by the fastest of the workers (Chen et al. 2016). The thread of each rank runs it.

public import Messaging
public import Platform

/// x_(t+1) = x_t - gamma (1/m) sum g_n(x_t) over the m workers of N whose gradients come first.
///
/// The others' gradients are thrown away, and they go on with x_(t+1): an iteration takes the m-th shortest of N computations, then
/// the exchange. A worker who is always slow is never heard: its rows do not count.
public struct BackupWorkers: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "backup-workers", summary: "the gradients of the fastest workers make a step, the others' are dropped",
        section: "Chen et al. 2016",
        settings: [
            SettingFacts("take", default: nil, "m, how many of the N workers; where it is not given, all but a tenth")
        ],
        options: Set<AlgorithmOption>.steps.union([.clock]), isRacing: true)

    private let take: Int
    private let fastest: FastestWorkers

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        let standard = run.workers - run.workers / 10
        take = try settings.integer("take", default: standard, in: 1...run.workers)
        fastest = FastestWorkers(run)
    }

    public func ranks(workers: Int) -> Int { fastest.ranks(workers: workers) }
    public var lead: UInt64? { fastest.lead }
    public var exchange: ExchangeShape { fastest.exchange }
    public func memoryBytes(rank: Int) -> Int { fastest.memoryBytes(rank: rank) }
    public func prepare(_ worker: RankWorker) throws(InputError) { try fastest.prepare(worker) }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        var count = 0
        try fastest.run(worker, over: communicator) { _, gradient in
            if count == 0 { worker.gradient.fill(with: 0) }
            worker.gradient.add(times: gradient)
            count += 1
            return count == take
        } step: { step in
            worker.descend(step.size, share: 1 / Float(take))
            count = 0
        }
    }
}
