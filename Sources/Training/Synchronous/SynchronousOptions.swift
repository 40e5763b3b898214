// What data-parallel SGD is asked to do beyond what every run is. Pure values; any thread.

public import Collectives
public import Compression
public import Messaging
internal import Platform
internal import SwitchModel

/// Settings of the synchronous algorithms.
public struct SynchronousOptions: Sendable {
    /// How gradients or models are summed: gradient-aggregation and model-aggregation take any, global-replica `multiServer` or
    /// `parameterServer`.
    public var collective: AllReduceAlgorithm = .ring
    /// How compressed gradients are averaged, for csgd and ec-sgd.
    public var layout: CompressedLayout = .multiServer
    /// Q, for csgd and ec-sgd.
    public var codec: CodecConfiguration?
    /// Whether every place that compresses keeps what it lost and adds it to what it compresses next; ec-sgd always does.
    public var hasErrorFeedback = false
    /// Whether csgd takes a codec that is biased, for which nothing of section 3.2 holds.
    public var allowsBias = false
    /// Whether sparse gradients travel with all their zeros.
    public var sendsZeros = false

    /// mu of the heavy ball or of Nesterov's method, in 0..<1.
    public var momentum = 0.0
    public var isNesterov = false
    /// Adds so much of x to the gradient, intercepts and biases included; at least 0.
    public var weightDecay = 0.0
    /// The largest norm of a worker's minibatch gradient: a longer one is shortened to it; nil for none.
    public var clipNorm: Double?
    /// Epochs in which the step size grows linearly from 0 to its schedule; at least 0.
    public var warmUpEpochs = 0.0

    public var clock: FabricClock = .native
    /// What a worker takes for one minibatch on a model clock; nil to measure it on this machine before the run.
    public var computeSeconds: Double?
    /// Whether `computeSeconds` is what an earlier run has measured.
    public var computeWasMeasured = false
    public var straggler: Straggler = .none
    /// What coding takes on a model clock.
    public var codecTime: CodecTime = .none

    public init() {}

    /// Throws where an iteration of N workers would sit through more than an hour on the wall clock, on average, which nobody means. Of compressed messages only the latency is known beforehand.
    func checkWait(_ algorithm: Algorithm, workers: Int, parameters: Int) throws(InputError) {
        guard case .wall(let cost) = clock else { return }
        let compute = (computeSeconds ?? 0) * straggler.meanFactor * Double(workers)
        let pattern: Pattern? =
            algorithm == .minibatchSGD ? nil : algorithm.compresses ? layout.pattern : collective.pattern
        let megabytes = algorithm.compresses ? 0 : 4e-6 * Double(parameters)
        let exchange =
            workers == 1 ? 0 : pattern?.closedForm(workers: workers, megabytes: megabytes, over: cost).seconds ?? 0
        let (place, seconds, what) =
            exchange > compute
            ? (cost.latencySeconds > 0 ? "--latency" : "--bandwidth", exchange, "messages")
            : (straggler.meanFactor > 1 ? "--straggler" : "--compute", compute, "computation")
        guard seconds > Self.longestWaitSeconds else { return }
        throw InputError(
            at: place, found: "\(seconds) seconds of \(what) an iteration on the wall clock, for \(workers) workers",
            expected: "at most an hour in all, or --clock virtual")
    }

    private static let longestWaitSeconds = 3_600.0
    /// Of a computation, a latency, a megabyte or its coding: beyond it sums are no times any more.
    private static let longestSeconds = 1e9

    /// Throws where a time is so long that sums of such are none.
    func checkTimes() throws(InputError) {
        let cost: NetworkCost? =
            switch clock {
            case .native: nil
            case .wall(let cost), .virtual(let cost): cost
            }
        let coding: Double = if case .perMegabyte(let seconds) = codecTime { seconds } else { 0 }
        for (option, seconds) in [
            ("--compute", computeSeconds ?? 0), ("--latency", cost?.latencySeconds ?? 0),
            ("--transfer-per-mb", cost?.secondsPerMegabyte ?? 0), ("--codec-time", coding),
        ] where !(0...Self.longestSeconds).contains(seconds) {
            throw InputError(at: option, found: "\(seconds)", expected: "seconds, 0 to 1e9")
        }
    }
}

extension Algorithm {
    /// Whether it compresses gradients.
    public var compresses: Bool { self == .csgd || self == .ecSGD }

    /// Whether it is data-parallel SGD of chapters 2 and 3, or its serial reference.
    public var isSynchronous: Bool {
        switch self {
        case .minibatchSGD, .gradientAggregation, .modelAggregation, .globalReplica, .csgd, .ecSGD: true
        case .gd, .sgd, .asgd, .hogwild: false
        }
    }

    /// How many ranks N workers need under `options`: one more where there is a dedicated server, one alone for the serial reference.
    public func ranks(workers: Int, options: SynchronousOptions) -> Int {
        switch self {
        case .minibatchSGD: 1
        case .csgd, .ecSGD: options.layout.ranks(workers: workers)
        default: options.collective.ranks(workers: workers)
        }
    }
}
