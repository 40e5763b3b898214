// ringmaster-asgd: asynchronous SGD that leaves out gradients which are too stale (arXiv 2501.16168). The thread of each worker runs it.

public import Messaging
public import Platform

/// asgd whose server drops a gradient of tau >= R, and the worker reads again: every update has tau < R, however slow a worker is.
///
/// A gradient that is dropped is no update and no sample; the record has how many there were. Epochs count rows that went into the model.
public struct RingmasterASGD: ReplayableAlgorithm {
    public static let facts = AlgorithmFacts.server(
        name: "ringmaster-asgd", summary: "as asgd, where gradients that are too stale are dropped",
        section: "4; Maranjyan et al. 2025",
        settings: [
            SettingFacts("bound", default: "N", "R, the least staleness at which a gradient is dropped"),
            DelayedStep.setting,
        ], options: [.recordOrder])

    private let bound: UInt64
    let delayed: DelayedStep
    public let plan: RunPlan

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        bound = UInt64(
            try settings.integer(
                "bound", default: run.workers, in: 1...1_000_000_000, orWord: "N", meaning: run.workers))
        delayed = try DelayedStep(&settings, workers: run.workers)
        plan = run
    }

    public var exchange: ExchangeShape { shape(mayDrop: true) }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let server = communicator.window(.parameters, on: worker.server)
        if let sparse = worker.sparse { return try run(worker, sparse, over: server) }
        while let step = try worker.nextStep() {
            let read = try server.pull(into: worker.x)
            try worker.computeGradient()
            let offered = try server.offer(worker.gradient) { x, g, t in
                if t - read >= bound { return false }
                x.descend(delayed.size(step.size, tau: t - read), along: g)
                return true
            }
            record(offered, read: read, by: worker)
        }
    }

    /// The same coordinate by coordinate: see `ASGD`.
    private func run(_ worker: RankWorker, _ sparse: SparseSteps, over server: Window) throws {
        let sampler = worker.sampler
        sparse.chooseNext(sampler)
        var read = try server.pull(floats: sparse.coordinateCount) { x in
            sparse.bind(to: x)
            sparse.readNext()
        }
        while let step = try worker.nextStep() {
            sparse.advance()
            worker.note(finite: sparse.computeDerivatives())
            sparse.chooseNext(sampler)
            let offered = try server.offer(byteCount: 4 * sparse.coordinateCount) { _, t in
                let isTaken = t - read < bound
                if isTaken { sparse.descend(delayed.size(step.size, tau: t - read)) }
                sparse.readNext()
                return isTaken
            }
            record(offered, read: read, by: worker)
            read = offered.isUpdate ? offered.t + 1 : offered.t
        }
    }

    private func record(_ offered: (t: UInt64, isUpdate: Bool), read: UInt64, by worker: RankWorker) {
        if offered.isUpdate { worker.recordUpdate(read: read, t: offered.t) } else { worker.recordDropped() }
    }
}
