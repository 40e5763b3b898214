// serial-reference: the serial twin of data-parallel SGD (section 1.2.3 with batches of N B rows). The thread of its one rank runs it.

public import Messaging
public import Platform

/// x_(t+1) = x_t - gamma (1/N) sum_n g_n(x_t), where one worker computes the gradients of all N, on the rows that they would take.
public struct SerialReference: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "serial-reference", summary: "what N data-parallel workers do, done by one of them alone",
        section: "1.2.3", options: Set<AlgorithmOption>.steps.union([.clock]))

    public init(_ settings: inout NamedSettings, for run: RunPlan) {}

    public func ranks(workers: Int) -> Int { 1 }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        while let step = try worker.nextStep() {
            try worker.computeGradient()
            worker.descend(step.size, share: 1 / Float(worker.workers))
        }
    }
}
