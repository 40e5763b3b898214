// gradient-coding: the exact gradient of all workers without the slowest (Tandon et al. 2017). The thread of each rank runs it.

public import Messaging
public import Platform

/// x_(t+1) = x_t - gamma (1/N) sum_n g_n(x_t), as of data-parallel SGD, whichever k of the N workers are late or dead.
///
/// Every worker computes the minibatches of k + 1 partitions, which takes it k + 1 times as long, and sends a sum of them. Where k + 1
/// divides N the same ones are the work of groups of k + 1 workers, of which one is enough. Otherwise that is so of as many groups as leave
/// at least k + 1 of the others, c, whose sums are such that those of any c - k of them give the whole (`GradientCode`). Where float32 does
/// not hold those to 10^-5, which is so of longer cycles, each of the c computes all their c minibatches, and one of them is enough.
public struct GradientCoding: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "gradient-coding",
        summary: "workers compute each other's gradients, too, so that all of them are known without the slowest",
        section: "Tandon et al. 2017",
        settings: [SettingFacts("tolerate", default: "1", "k, how many of the N workers may be late, below N")],
        options: Set<AlgorithmOption>.steps.union([.clock]), isRacing: true)

    private let tolerated: Int
    private let plan: RunPlan
    private let fastest: FastestWorkers
    private let code: GradientCode

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        // One worker alone has none to spare.
        tolerated = try settings.integer("tolerate", default: min(1, run.workers - 1), in: 0...run.workers - 1)
        plan = run
        fastest = FastestWorkers(run)
        code = GradientCode(workers: run.workers, tolerated: tolerated)
    }

    public func ranks(workers: Int) -> Int { fastest.ranks(workers: workers) }
    public var lead: UInt64? { fastest.lead }
    public var exchange: ExchangeShape { fastest.exchange }

    public func partitions(rank: Int, of ranks: Int, workers: Int) -> [Int] {
        rank < workers ? code.partitions(of: rank) : []
    }

    /// Sums of the cyclic code that wait for the last.
    private var waiting: Int { max(0, code.cyclic - tolerated) }

    public func memoryBytes(rank: Int) -> Int {
        let sum = tolerated > 0 ? Vector.byteCount(of: plan.problem.parameterCount) : 0
        let sampler = RowSampler.memoryBytes(
            plan.options.order, rowCount: plan.problem.rowCount, workers: plan.workers,
            batchSize: plan.options.batchSize)
        // Rank 0 stands for the server, too.
        let decoding = rank == 0 ? GradientCode.memoryBytes(workers: plan.workers, tolerated: tolerated) : 0
        return fastest.memoryBytes(rank: rank, serverVectors: waiting) + sum
            + sampler.multiplied(by: code.partitions(of: min(rank, plan.workers - 1)).count - 1)
            + decoding
    }

    public func prepare(_ worker: RankWorker) throws(InputError) {
        if worker.isServer { worker.code = code } else { worker.coefficients = code.coefficients(of: worker.rank) }
        try fastest.prepare(worker, serverVectors: waiting)
    }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let sum = worker.gradient
        let share = 1 / Float(plan.workers)
        let sums = worker.kept.suffix(waiting)
        /// Groups of whom one has come, and whose the sums are that wait.
        var (groups, owners): (Set<Int>, [Int]) = ([], [])
        try fastest.run(worker, over: communicator) { n, gradient in
            if groups.isEmpty && owners.isEmpty { sum.fill(with: 0) }
            if n < code.repeated {
                if groups.insert(code.group(of: n)).inserted { sum.add(times: gradient) }
            } else if owners.count < waiting {
                let own = sums[sums.startIndex + owners.count]
                own.fill(with: 0)
                own.add(times: gradient)
                owners.append(n)
            }
            return groups.count == code.groups && owners.count == waiting
        } step: { step in
            let order = owners.indices.sorted { owners[$0] < owners[$1] }
            if !owners.isEmpty {
                guard let numbers = code.decoding(of: order.map { owners[$0] }) else {
                    preconditionFailure("workers \(owners) of \(plan.workers) are not enough")
                }
                for (i, number) in zip(order, numbers) { sum.add(Float(number), times: sums[sums.startIndex + i]) }
            }
            worker.descend(step.size, share: share)
            (groups, owners) = ([], [])
        }
    }
}
