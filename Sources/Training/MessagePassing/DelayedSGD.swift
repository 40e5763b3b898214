// delayed-sgd: SGD whose gradients are as stale as they are told to be (section 4.2, apart from luck). The thread of its one rank runs it.

internal import Datasets
public import Messaging
public import Platform

/// x_(t+1) = x_t - gamma g(x_(t - tau_t)), exact: what asgd does with these delays, by one worker who keeps its past models.
///
/// Before step tau_t there is no model so old, and the delay is t. A penalty is that of the past model, as the rest of the gradient is.
public struct DelayedSGD: MessageAlgorithm {
    public static let facts = AlgorithmFacts(
        name: "delayed-sgd", summary: "one worker steps along gradients that are as stale as a law says",
        section: "4.2, eq. 4.1",
        settings: [
            SettingFacts(
                "law", default: "constant:8",
                "tau_t: `constant:TAU`, `uniform:LEAST-MOST`, `geometric:RATIO`, `cyclic:PERIOD` or `trace:FILE`")
        ],
        options: [.batchSize, .clipGradient, .warmUp, .updateLog, .computeTrace, .clock], isSerial: true,
        automaticStep: .forRows, batchSize: 1, order: .blocks, stepSize: StepSize(nil, decay: 0.3))

    private let law: DelayLaw
    private let plan: RunPlan

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        law = try DelayLaw(parsing: settings.take("law") ?? "constant:8", at: settings.place)
        plan = run
    }

    /// Nothing travels; staleness is recorded, or it is not known.
    public var exchange: ExchangeShape {
        var shape = ExchangeShape()
        shape.isAsynchronous = true
        return shape
    }

    /// Models that are kept, the newest among them.
    private var history: Int {
        1 + min(law.largest, plan.options.epochs.multiplied(by: FabricRunner.stepsPerEpoch(self, plan)))
    }

    public func memoryBytes(rank: Int) -> Int {
        Vector.byteCount(of: plan.problem.parameterCount).multiplied(by: history)
    }

    public func prepare(_ worker: RankWorker) throws(InputError) {
        for _ in 0..<history { worker.kept.append(try Vector(count: worker.x.count)) }
    }

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let models = worker.kept
        func model(_ t: UInt64) -> Vector { models[Int(t % UInt64(models.count))] }
        while let step = try worker.nextStep() {
            let t = step.t
            let read = t - min(t, UInt64(law.delay(t, seed: plan.options.seed)))
            model(t).copy(from: worker.x)
            if read < t { worker.x.copy(from: model(read)) }
            try worker.computeGradient()
            if read < t { worker.x.copy(from: model(t)) }
            worker.descend(step.size)
            worker.recordUpdate(read: read, t: t)
        }
    }
}
