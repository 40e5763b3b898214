// dsgd: decentralized SGD (section 5.1). The thread of each rank runs it.

internal import Collectives
public import Messaging
public import Platform
internal import SwitchModel

/// Every worker steps alone, then mixes its model with its neighbours': X_(t+1) = (X_t - gamma G(X_t)) W (equation 5.2).
///
/// On the ring every worker sends its model to its right and to its left neighbour, and W has 1/3 for itself and for each of them. With
/// N = 2 both are the same one, which counts twice, as the book's "mod N" has it. A step costs 2 t_latency + 2 t_transfer.
public struct DSGD: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "dsgd", summary: "every worker steps alone, then takes the mean of its own and its neighbours' models",
        section: "5.1, eq. 5.2",
        settings: [SettingFacts("topology", default: "ring", "who are neighbours: `ring`, one to each side")],
        options: Set<AlgorithmOption>.steps.union([.clock]), evaluates: .mean)

    /// Who are neighbours.
    private enum Graph: String, CaseIterable { case ring }

    private let plan: RunPlan

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        _ = try settings.choice("topology", Graph.self, default: .ring)
        plan = run
    }

    /// A rank knows of another's end once as many steps have passed as lie between them on the ring.
    public var lead: UInt64? { UInt64(max(1, plan.workers / 2)) }

    public var exchange: ExchangeShape {
        .plain("ring-exchange", .ringExchange, elements: plan.problem.parameterCount, workers: plan.workers)
    }

    public func memoryBytes(rank: Int) -> Int { PageBuffer<Float>.byteCount(of: plan.problem.parameterCount) }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let (n, count) = (communicator.rank, communicator.count)
        let neighbours = count == 1 ? [] : [(n + 1) % count, (n + count - 1) % count]
        let weight = 1 / Float(1 + neighbours.count)
        let mixed = try Vector(count: worker.x.count)
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            worker.descend(step.size)
            mixed.fill(with: 0)
            mixed.add(weight, times: worker.x)
            try communicator.exchange(worker.x, with: neighbours) { _, theirs in mixed.add(weight, times: theirs) }
            worker.x.copy(from: mixed)
        }
    }
}
