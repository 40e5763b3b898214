// dc-asgd: asynchronous SGD that corrects gradients for their delay (Zheng et al. 2017). The thread of each worker runs it.

public import Messaging
public import Platform
internal import SwitchModel

/// asgd along g + lambda g g (x_now - x_read), element by element: the gradient moved from where it was taken to where the model is, with
/// g g in place of the second derivative.
///
/// With `adaptive=yes` lambda is divided, in each element, by the root of the moving mean of g g (decay 0.95) plus 1e-7, which the server
/// keeps. Only g travels: the server remembers what each worker has read. Gradients are whole vectors, of sparse rows, too.
public struct DelayCompensatedASGD: ReplayableAlgorithm {
    public static let facts = AlgorithmFacts.server(
        name: "dc-asgd", summary: "as asgd, where each gradient is moved to where the model is by now",
        section: "4; Zheng et al. 2017",
        settings: [
            SettingFacts("lambda", default: "2", "by how much"),
            SettingFacts("adaptive", default: "no", "`yes` divides lambda by the root of the mean square of g"),
            DelayedStep.setting,
        ], options: [.recordOrder])

    private enum Adaptive: String, CaseIterable {
        case no, yes
    }

    private let lambda: Float
    private let isAdaptive: Bool
    let delayed: DelayedStep
    public let plan: RunPlan

    public init(_ settings: inout NamedSettings, for run: RunPlan) throws(InputError) {
        lambda = try settings.positiveFloat("lambda") ?? 2
        isAdaptive = try settings.choice("adaptive", Adaptive.self) == .yes
        delayed = try DelayedStep(&settings, workers: run.workers)
        plan = run
    }

    public var exchange: ExchangeShape { shape(.asgd) }
    /// The mean squares.
    public var floatsAside: Int { isAdaptive ? plan.problem.parameterCount : 0 }
    public func memoryBytes(rank: Int) -> Int { 0 }
    public func prepare(_ worker: RankWorker) throws(InputError) {}

    public func run(_ worker: RankWorker, over communicator: Communicator) throws {
        let server = communicator.window(.parameters, on: worker.server)
        while let step = try worker.nextStep() {
            let read = try server.pull(into: worker.x)
            try worker.computeGradient()
            let t = try server.push(worker.gradient) { x, g, t in
                apply(g, of: worker.x, to: x, aside: server.aside, step.size, tau: t - read)
            }
            worker.recordUpdate(read: read, t: t)
        }
    }

    func apply(_ g: Vector, of read: Vector, to x: Vector, aside: Vector, _ stepSize: Float, tau: UInt64) {
        let size = delayed.size(stepSize, tau: tau)
        if isAdaptive {
            x.descend(size, along: g, from: read, lambda: lambda, meanSquare: aside, decay: 0.95)
        } else {
            x.descend(size, along: g, from: read, lambda: lambda)
        }
    }
}
