// asgd: asynchronous SGD with a server, whose updates are atomic (section 4.1). The thread of each worker runs it.

public import Messaging
public import Platform
internal import SwitchModel

/// Workers pull the model from a server and push gradients to it, each in its own time: x_(t+1) = x_t - gamma g(x_D(t)).
///
/// Under the native clock the server is a window in shared memory behind a lock; under the others it is a rank of its own, which is passive.
/// Reads are of one version and no update is lost, so that tau = t - D(t) is exact; N busy workers see about N - 1.
public struct ASGD: ReplayableAlgorithm {
    public static let facts = AlgorithmFacts.server(
        name: "asgd", summary: "workers pull the model from a server and push gradients to it, each in its own time",
        section: "4.1", settings: ModelServers.settings + [DelayedStep.setting], options: [.recordOrder])

    let delayed: DelayedStep
    public let plan: RunPlan
    let layout: ModelServers

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        delayed = try DelayedStep(&settings, workers: run.workers)
        plan = run
        layout = try ModelServers(&settings)
    }

    var hasOneOrder: Bool { layout.windowCount == 1 }
    var underWay: Int { layout.pipelined }

    public func ranks(workers: Int) -> Int { isNative ? workers : workers + layout.servers }
    public func chunks(parameters: Int) -> [ModelChunk] { layout.chunks(parameters: parameters) }

    public var exchange: ExchangeShape {
        var shape = shape(.asgd)
        shape.servers = layout.loads(parameters: plan.problem.parameterCount)
        return shape
    }

    public func memoryBytes(rank: Int) -> Int {
        sparseProblem.map {
            SparseSteps.memoryBytes($0, plan, rank: rank, chunks: layout.windowCount, pipelined: layout.pipelined)
        }
            ?? (layout.isPlain || rank >= plan.workers
                ? 0 : layout.pipelined.multiplied(by: Vector.byteCount(of: plan.problem.parameterCount)))
    }

    public func prepare(_ worker: RankWorker) throws(InputError) {
        if let problem = sparseProblem {
            worker.sparse = try SparseSteps(
                problem, plan, worker.sampler, rank: worker.rank, chunks: worker.chunks, pipelined: layout.pipelined)
        }
    }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        if !layout.isPlain {
            if let sparse = worker.sparse { return try runOnServers(worker, sparse, over: communicator) }
            return try runOnServers(worker, over: communicator)
        }
        let server = communicator.window(.parameters, on: worker.server)
        if let sparse = worker.sparse { return try run(worker, sparse, over: server) }
        while let step = try worker.nextStep() {
            let read = try server.pull(into: worker.x)  // D(t)
            try worker.computeGradient()  // outside every lock
            let t = try server.push(worker.gradient) { x, g, t in
                x.descend(delayed.size(step.size, tau: t - read), along: g)
            }
            worker.recordUpdate(read: read, t: t)
        }
    }

    /// The same where an update concerns a few coordinates only: they alone are pulled and pushed, and the answer to a push brings those of
    /// the next rows, so that the lock is taken once an update.
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
            let wait = worker.beginWait()
            let t = try server.push(byteCount: 4 * sparse.coordinateCount) { _, t in
                worker.endWait(wait)
                sparse.descend(delayed.size(step.size, tau: t - read))
                sparse.readNext()
            }
            worker.recordUpdate(read: read, t: t)
            read = t + 1
        }
    }
}
