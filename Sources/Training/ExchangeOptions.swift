// What algorithms that exchange messages are asked to do beyond what every run is. Pure values; any thread.

public import Collectives
public import Compression
public import Messaging
internal import Platform
internal import SwitchModel

/// What travels, and how.
public struct ExchangeOptions: Sendable {
    /// How vectors are exchanged, by the name of a collective or of how compressed vectors are averaged; nil for what suits the algorithm
    /// and the clock.
    public var collective: String?
    /// Q; nil for the algorithm's own.
    public var codec: CodecConfiguration?
    /// Whether every place that compresses keeps what it lost and adds it to what it compresses next; ec-sgd always does.
    public var hasErrorFeedback = false
    /// Whether csgd takes a codec that is biased, for which nothing of section 3.2 holds.
    public var allowsBias = false
    /// Whether sparse gradients travel with all their zeros.
    public var sendsZeros = false

    public init() {}
}

/// How a worker steps along a gradient.
public struct StepRule: Sendable {
    /// mu of the heavy ball or of Nesterov's method, in 0..<1.
    public var momentum = 0.0
    public var isNesterov = false
    /// Adds so much of x to the gradient, intercepts and biases included; at least 0.
    public var weightDecay = 0.0
    /// The largest norm of a worker's minibatch gradient: a longer one is shortened to it; nil for none.
    public var clipNorm: Double?
    /// Epochs in which the step size grows linearly from 0 to its schedule; at least 0.
    public var warmUpEpochs = 0.0

    public init() {}

    /// Whether it is the plain step.
    public var isPlain: Bool { momentum == 0 && weightDecay == 0 && clipNorm == nil && warmUpEpochs == 0 }
}

/// What time means (DESIGN, three clocks).
public struct ClockOptions: Sendable {
    public var kind: FabricClock = .native
    /// What a worker takes for one minibatch on a clock of the model; nil to measure it on this machine before the run.
    public var computeSeconds: Double?
    /// Whether `computeSeconds` is what an earlier run has measured.
    public var computeWasMeasured = false
    public var straggler: Straggler = .none
    /// What coding takes on a clock of the model.
    public var codecTime: CodecTime = .none

    public init() {}

    /// Of a computation, a latency, a megabyte or its coding: beyond it sums are no times any more.
    private static let longestSeconds = 1e9

    /// Throws where a time is so long that sums of such are none.
    func checkTimes() throws(InputError) {
        let cost = kind.cost
        let coding: Double = if case .perMegabyte(let seconds) = codecTime { seconds } else { 0 }
        for (option, seconds) in [
            ("--compute", computeSeconds ?? 0), ("--latency", cost?.latencySeconds ?? 0),
            ("--transfer-per-mb", cost?.secondsPerMegabyte ?? 0), ("--codec-time", coding),
        ] where !(0...Self.longestSeconds).contains(seconds) {
            throw InputError(at: option, found: "\(seconds)", expected: "seconds, 0 to 1e9")
        }
    }

    private static let longestWaitSeconds = 3_600.0

    /// Throws where an iteration of N workers would sit through more than an hour on the wall clock, on average, which nobody means. Of
    /// messages without a pattern only the latency is known beforehand.
    func checkWait(_ shape: ExchangeShape, workers: Int) throws(InputError) {
        guard case .wall(let cost) = kind else { return }
        let compute = (straggler.isTrace ? 1 : computeSeconds ?? 0) * straggler.meanFactor * Double(workers)
        let exchange =
            workers == 1
            ? 0
            : (shape.pattern?.closedForm(
                workers: workers, megabytes: shape.varies ? 0 : Double(shape.bytes) / 1e6, over: cost
            ).seconds ?? 0) / Double(shape.period)
        let (place, seconds, what) =
            exchange > compute
            ? (cost.latencySeconds > 0 ? "--latency" : "--bandwidth", exchange, "messages")
            : (straggler.meanFactor > 1 || straggler.isTrace ? "--straggler" : "--compute", compute, "computation")
        guard seconds > Self.longestWaitSeconds else { return }
        throw InputError(
            at: place, found: "\(seconds) seconds of \(what) an iteration on the wall clock, for \(workers) workers",
            expected: "at most an hour in all, or --clock virtual")
    }
}

extension FabricClock {
    /// What the switch takes; nil where nothing is modelled.
    var cost: NetworkCost? {
        switch self {
        case .native: nil
        case .wall(let cost), .virtual(let cost): cost
        }
    }

    /// `native`, `wall` or `virtual`.
    var name: String {
        switch self {
        case .native: "native"
        case .wall: "wall"
        case .virtual: "virtual"
        }
    }
}
