// ssp: asynchronous SGD whose workers are never far apart (Ho et al. 2013). The thread of each worker runs it.

public import Messaging
public import Platform

/// asgd in which a worker that has made c updates reads only while every other has made at least c - s.
///
/// Between its read and its update another worker makes at most 2 s + 1, so that tau is at most (2 s + 1)(N - 1) whoever is slow. With s = 0
/// all compute at the same clock, as in bulk-synchronous steps: a read has all updates of the clocks before, and may have some of the
/// clock itself. A worker whose part in the run has ended is not waited for.
public struct SSP: ReplayableAlgorithm {
    public static let facts = AlgorithmFacts.server(
        name: "ssp", summary: "as asgd, where nobody reads while he is too many updates ahead of the slowest",
        section: "4; Ho et al. 2013",
        settings: [SettingFacts("bound", default: "4", "s, updates by which one may be ahead"), DelayedStep.setting],
        options: [.recordOrder])

    private let bound: UInt64
    let delayed: DelayedStep
    public let plan: RunPlan

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        bound = UInt64(try settings.integer("bound", default: 4, in: 0...1_000_000_000))
        delayed = try DelayedStep(&settings, workers: run.workers)
        plan = run
    }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let server = communicator.window(.parameters, on: worker.server)
        var clock: UInt64 = 0  // c
        func mayRead(_ state: WindowState) -> Bool {
            clock <= bound || state.fewestUpdates(by: 0..<worker.workers) >= clock - bound
        }
        if let sparse = worker.sparse {
            sparse.chooseNext(worker.sampler)
            while let step = try worker.nextStep() {
                let read = try server.pull(floats: sparse.coordinateCount, when: mayRead) { x in
                    sparse.bind(to: x)
                    sparse.readNext()
                }
                sparse.advance()
                worker.note(finite: sparse.computeDerivatives())
                let byteCount = 4 * sparse.coordinateCount
                sparse.chooseNext(worker.sampler)
                let t = try server.push(byteCount: byteCount) { _, t in
                    sparse.descend(delayed.size(step.size, tau: t - read))
                }
                worker.recordUpdate(read: read, t: t)
                clock += 1
            }
            return
        }
        while let step = try worker.nextStep() {
            let read = try server.pull(into: worker.x, when: mayRead)
            try worker.computeGradient()
            let t = try server.push(worker.gradient) { x, g, t in
                x.descend(delayed.size(step.size, tau: t - read), along: g)
            }
            worker.recordUpdate(read: read, t: t)
            clock += 1
        }
    }
}
