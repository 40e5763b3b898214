// A part of an epoch of data-parallel SGD, as all ranks see it. Made by the coordinator, read by the workers.

internal import Platform
internal import Synchronization

/// Which iterations to run, with what steps, and when to end before.
final class SynchronousStretch: Sendable {
    /// t, counted from the beginning of the run.
    let iterations: Range<UInt64>
    private let schedule: EpochStepSize
    /// Iterations in which the step size grows to its schedule.
    private let warmUp: Double
    /// What a minibatch takes on a model clock.
    let computeSeconds: Double?
    /// Until the user's limit.
    let secondsLeft: Double?
    /// The user's wish to end.
    let stop: StopRequest
    /// No rank begins this iteration.
    let end: PaddedCounter
    /// Iterations that rank 0 has ended, for display.
    let done: PaddedCounter

    init(
        iterations: Range<UInt64>, schedule: EpochStepSize, warmUp: Double, computeSeconds: Double?,
        secondsLeft: Double?, stop: StopRequest
    ) {
        self.iterations = iterations
        self.schedule = schedule
        self.warmUp = warmUp
        self.computeSeconds = computeSeconds
        self.secondsLeft = secondsLeft
        self.stop = stop
        end = PaddedCounter()
        done = PaddedCounter()
        end.value.store(iterations.upperBound, ordering: .relaxed)
        done.value.store(iterations.lowerBound, ordering: .relaxed)
    }

    /// gamma of iteration t, never 0 nor infinite: by quotients of step sizes residuals are rescaled.
    func stepSize(_ t: UInt64) -> Float {
        let share = min(1, (Double(t) + 1) / max(warmUp, 1))
        return min(max(schedule.value(t) * Float(share), .leastNormalMagnitude), .greatestFiniteMagnitude)
    }

    /// The iterations that were run.
    var reached: UInt64 { min(end.value.load(ordering: .relaxed), iterations.upperBound) }
}
