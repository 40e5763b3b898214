// rennala-sgd: minibatches of whatever gradients come first (Tyurin and Richtarik 2023). The thread of each worker runs it.

public import Messaging
public import Platform

/// The server collects B gradients taken at its current x, whoever sends them, then steps along their mean; gradients of an older x are
/// dropped, and the worker reads again. tau is 0.
///
/// An update takes B gradients: an epoch is as many of them as all rows fill. What is dropped, and what is collected when the run ends, is in
/// no update and no sample. Gradients travel and are summed as whole vectors, of sparse rows, too.
public struct RennalaSGD: ReplayableAlgorithm {
    public static let facts = AlgorithmFacts.server(
        name: "rennala-sgd",
        summary: "the server steps along the first gradients taken at its point, and drops older ones",
        section: "4; Tyurin and Richtarik 2023",
        settings: [SettingFacts("batch", default: "N", "B, gradients of a step")], options: [.recordOrder])

    private let batch: Int
    public let plan: RunPlan

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        // As a float it is exact.
        batch = try settings.integer(
            "batch", default: run.workers, in: 1...1 << 24, orWord: "N", meaning: run.workers)
        plan = run
    }

    public var exchange: ExchangeShape { shape(mayDrop: true) }
    public var gradientsPerUpdate: Int { batch }
    /// The sum, and how many are in it.
    public var floatsAside: Int { plan.problem.parameterCount + 1 }
    public func memoryBytes(rank: Int) -> Int { 0 }
    public func prepare(_ worker: RankWorker) throws(InputError) {}

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let server = communicator.window(.parameters, on: worker.server)
        var part = 0
        while let step = try worker.nextStep() {
            let read = try server.pull(into: worker.x)
            try worker.computeGradient()
            let offered = try server.offer(worker.gradient) { x, g, t in
                if t != read { return false }
                part = Int(server.aside[x.count])
                apply(g, of: worker.x, to: x, aside: server.aside, step.size, tau: 0)
                return part == batch - 1
            }
            if offered.t == read {
                worker.recordUpdate(read: read, t: offered.t, part: part)
            } else {
                worker.recordDropped()
            }
        }
    }

    /// Collects g, and steps where it is the last of B.
    func apply(_ g: Vector, of read: Vector, to x: Vector, aside sum: Vector, _ stepSize: Float, tau: UInt64) {
        let d = x.count
        sum.add(times: g, in: 0..<d)
        sum[d] += 1
        if sum[d] < Float(batch) { return }
        x.add(-stepSize / Float(batch), times: sum, in: 0..<d)
        sum.fill(with: 0)
    }
}
