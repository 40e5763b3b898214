// hierarchical-averaging: groups of workers average their models often, all workers now and then. The thread of each rank runs it.

import RelaxedSGD

/// x_n = x_n - gamma g_n(x_n) on worker n. After every `period` steps x_n becomes the mean over its group, after every `rounds`-th of these
/// the mean over all workers (hierarchical local SGD, Lin, Stich, Patel and Jaggi 2020).
struct HierarchicalAveraging: MessageAlgorithm {
    static let facts = AlgorithmFacts(
        name: "hierarchical-averaging", summary: "groups average their models often, all workers now and then",
        section: "Lin et al. 2020",
        settings: [
            SettingFacts("group", default: "2", "workers of a group, a divisor of N"),
            SettingFacts("period", default: "1", "steps from one average to the next"),
            SettingFacts("rounds", default: "4", "averages, of which the last is over all workers"),
        ], options: Set<AlgorithmOption>.steps.union([.collective, .clock]), evaluates: .mean)

    private let (group, period, rounds): (Int, Int, Int)
    private let collective: AllReduceAlgorithm
    private let d: Int

    init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        group = try settings.integer("group", default: 2, in: 1...1_000_000)
        period = try settings.integer("period", default: 1, in: 1...1_000_000)
        rounds = try settings.integer("rounds", default: 4, in: 1...1_000_000)
        guard run.workers.isMultiple(of: group) else {
            throw InputError(
                at: settings.place, found: "group=\(group) for \(run.workers) workers", expected: "a divisor of them")
        }
        collective = try run.collective(of: [.ring, .recursiveDoubling], default: .ring)
        d = run.problem.parameterCount
    }

    /// What one rank knows its group knows after the next average, and all after the next average of all.
    var lead: UInt64? { UInt64(period * rounds) }
    var exchange: ExchangeShape { ExchangeShape(name: "groups, \(collective.rawValue)", bytes: 4 * d) }
    func memoryBytes(rank: Int) -> Int { Vector.byteCount(of: d) }

    func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let first = worker.rank / group * group
        let neighbours = (first..<first + group).filter { $0 != worker.rank }
        let sum = try Vector(count: d)
        while let step = try worker.nextStep() {
            let (alone, apart) = (Int(step.t) % period, Int(step.t) % (period * rounds))
            try worker.computeGradient()
            worker.descend(step.size)
            worker.recordStaleness(UInt64((group - 1) * alone + (worker.workers - group) * apart))
            guard alone == period - 1 else { continue }
            if apart == period * rounds - 1 {
                try communicator.allReduce(worker.x, by: collective)
                worker.x.scale(by: 1 / Float(worker.workers))
            } else {
                sum.copy(from: worker.x)
                try communicator.exchange(worker.x, with: neighbours) { _, theirs in sum.add(times: theirs) }
                sum.scale(by: 1 / Float(group))
                worker.x.copy(from: sum)
            }
        }
    }
}
