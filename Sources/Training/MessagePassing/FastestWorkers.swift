// Iterations that do not wait for all workers: what backup-workers and gradient-coding share. The thread of each rank runs it.

internal import Collectives
internal import Messaging
internal import Platform
internal import SwitchModel

/// N workers compute at x_t, and the server, rank N, makes x_(t+1) of what comes first. All workers then have x_(t+1), and whoever still
/// computes gives up: on a clock of the model as soon as it arrives, under the native one where its gradient is there.
///
/// What comes of an older iteration is thrown away. Under the native and the wall clock a worker who has not read the last
/// `Communicator.messagesUnderWay` models is waited for, which is what mailboxes hold.
struct FastestWorkers {
    private let plan: RunPlan

    init(_ plan: RunPlan) { self.plan = plan }

    func ranks(workers: Int) -> Int { workers + 1 }

    /// A rank sends its word of the end at once. When that is on the server, and back, others are at most as many steps ahead as models are
    /// under way, and two.
    var lead: UInt64 { UInt64(Communicator.messagesUnderWay + 4) }

    var exchange: ExchangeShape {
        ExchangeShape(
            name: "fastest-workers", pattern: .parameterServer,
            bytes: Communicator.numberedBytes(of: plan.problem.parameterCount))
    }

    /// Models that the workers read while the server makes the next one.
    private static var modelCount: Int { Communicator.messagesUnderWay + 1 }

    /// With `vectors` that the server keeps besides.
    func memoryBytes(rank: Int, serverVectors vectors: Int = 0) -> Int {
        let d = plan.problem.parameterCount
        // Copies of gradients under way, of which the virtual clock has its own; rank 0 stands for the server, too.
        let copies =
            plan.options.clock.kind.isVirtual
            ? 0
            : Communicator.messagesUnderWay * PageBuffer<UInt8>.byteCount(of: Communicator.numberedBytes(of: d))
        return copies + (rank == 0 ? Vector.byteCount(of: d).multiplied(by: Self.modelCount + vectors) : 0)
    }

    /// Lays out what the server keeps; `vectors` are the last of `worker.kept`.
    func prepare(_ worker: RankWorker, serverVectors vectors: Int = 0) throws(InputError) {
        guard worker.isServer else { return }
        for _ in 0..<Self.modelCount + vectors { worker.kept.append(try Vector(count: worker.x.count)) }
    }

    /// `accept` is given each gradient at x_t and says whether no more are needed; `step` then takes the step.
    func run(
        _ worker: RankWorker, over communicator: Communicator,
        accept: (_ worker: Int, _ gradient: Span<Float>) -> Bool, step: (RankWorker.Step) -> Void
    ) throws {
        if worker.isServer {
            try serve(worker, over: communicator, accept, step)
        } else {
            try work(worker, over: communicator)
        }
    }

    private func serve(
        _ server: RankWorker, over communicator: Communicator,
        _ accept: (_ worker: Int, _ gradient: Span<Float>) -> Bool, _ take: (RankWorker.Step) -> Void
    ) throws {
        let workers = Array(0..<server.workers)
        var lent = [[Communicator.Posted]](repeating: [], count: Self.modelCount)
        while let step = try server.nextStep() {
            var isEnough = false
            while !isEnough {
                isEnough = try communicator.receiveNumbered(count: server.x.count, from: workers) { n, t, gradient in
                    t == step.t && accept(n, gradient)
                }
            }
            take(step)
            // Before workers have the new model, so that few of a worker's messages are ever unread, and it does not wait to send.
            try communicator.discard(from: workers)
            let slot = Int(step.t % UInt64(Self.modelCount))
            for message in lent[slot] { try communicator.complete(message) }
            server.kept[slot].copy(from: server.x)
            lent[slot] = []
            for n in workers { lent[slot].append(try communicator.post(server.kept[slot], to: n)) }
        }
        try communicator.completeAll()
    }

    private func work(_ worker: RankWorker, over communicator: Communicator) throws {
        /// What the server has been told of the end, or has told.
        var told = UInt64.max
        // Model by model, so that there is one for every step: that after the last is the last that the server sends.
        while let step = try worker.nextStep() {
            if communicator.endsBefore < told {
                // A word of no iteration: nobody waits for this worker's gradient.
                try communicator.send(worker.gradient, number: .max, to: worker.server)
            }
            if try communicator.tryReceive(into: worker.x, from: worker.server) {
                worker.skipGradient()
            } else {
                if try worker.computeGradient(untilMessageFrom: worker.server) {
                    try communicator.send(worker.gradient, number: step.t, to: worker.server)
                }
                try communicator.receive(into: worker.x, from: worker.server)
            }
            told = communicator.endsBefore
        }
    }
}
