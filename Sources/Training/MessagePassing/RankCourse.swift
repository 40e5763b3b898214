// The course of a run as all ranks see it: how many steps, where it stands still, and what a step's size is. Read by all ranks.

internal import Messaging
internal import Platform
internal import Synchronization

/// What `RankWorker.nextStep` goes by. Steps are iterations, or where the parameters are a window its versions.
final class RankCourse: Sendable {
    /// Steps of an epoch.
    let stepsPerEpoch: Int
    let epochs: Int
    /// Segments of an epoch.
    let segments: Int
    private let stepSize: StepSize
    /// Steps in which the step size grows to its schedule.
    private let warmUp: Double
    /// What a minibatch takes on a clock of the model.
    let computeSeconds: Double?
    /// The user's limit, in seconds of training.
    let secondsLimit: Double?
    /// The user's wish to end.
    let stop: StopRequest
    let isVirtual: Bool
    let evaluates: EvaluatedParameters
    /// See `MessageAlgorithm.lead`.
    let lead: UInt64?
    /// N.
    let workers: Int
    /// Steps made, as rank 0 sees it; for display.
    let done = PaddedCounter()
    /// How many workers have come to the end of each segment, until all have.
    private let arrived = Locked<[Int: Int]>([:])
    /// Segments at whose ends the run has stood still.
    private let evaluated = Atomic(0)
    private let seconds = Locked(0.0)

    init(
        stepsPerEpoch: Int, segments: Int, stepSize: StepSize, computeSeconds: Double?, lead: UInt64?, workers: Int,
        options: TrainingOptions, evaluates: EvaluatedParameters, stop: StopRequest
    ) {
        self.stepsPerEpoch = stepsPerEpoch
        self.segments = segments
        self.stepSize = stepSize
        self.computeSeconds = computeSeconds
        self.lead = lead
        self.workers = workers
        self.evaluates = evaluates
        self.stop = stop
        epochs = options.epochs
        warmUp = options.stepRule.warmUpEpochs * Double(stepsPerEpoch)
        secondsLimit = options.maxSeconds
        isVirtual = options.clock.kind.isVirtual
    }

    /// The first step after segment `segment`, counted from 0 at the beginning of the run.
    func end(ofSegment segment: Int) -> UInt64 {
        let (epoch, part) = segment.quotientAndRemainder(dividingBy: segments)
        return UInt64(epoch * stepsPerEpoch + stepsPerEpoch * (part + 1) / segments)
    }

    var segmentCount: Int { epochs * segments }

    /// Whether the run ends where the last segment does: under the virtual clock what others do after that instant is none of it.
    var isCutShort: Bool { isVirtual && evaluates == .window }

    // Relaxed: who goes on after a pause has acquired what the coordinator did in it.
    func note(evaluated segments: Int) { evaluated.store(segments, ordering: .relaxed) }

    /// Whether the run has stood still at the end of `segment` while this rank waited for others: natively all stand still for each.
    func hasPassed(endOf segment: Int) -> Bool { !isVirtual && segment < evaluated.load(ordering: .relaxed) }

    /// Notes that a worker has come to the end of `segment`; how many have.
    func arrivals(atEndOf segment: Int) -> Int {
        arrived.withLock { arrived in
            let count = arrived[segment, default: 0] + 1
            arrived[segment] = count == workers ? nil : count
            return count
        }
    }

    /// Seconds of training until the ranks stood still last, or their end.
    var reachedSeconds: Double { seconds.withLock { $0 } }

    func note(reached: Double) { seconds.withLock { $0 = max($0, reached) } }

    /// The schedule of the epoch in which step t is, and the first step after it.
    func schedule(at t: UInt64) -> (EpochStepSize, end: UInt64) {
        let epoch = min(epochs - 1, Int(t) / stepsPerEpoch)
        return (stepSize.during(epoch: epoch), UInt64((epoch + 1) * stepsPerEpoch))
    }

    /// gamma of step t; in iterations never 0 nor infinite: by quotients of step sizes residuals are rescaled.
    func stepSize(_ t: UInt64, _ schedule: EpochStepSize) -> Float {
        let share = warmUp > 1 ? min(1, (Double(t) + 1) / warmUp) : 1
        let size = schedule.value(t) * Float(share)
        return evaluates == .window ? size : min(max(size, .leastNormalMagnitude), .greatestFiniteMagnitude)
    }
}
