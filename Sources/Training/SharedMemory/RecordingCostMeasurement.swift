// What recording staleness costs. The coordinator's thread, after a run and outside its seconds.

internal import Datasets
internal import Kernels
internal import Measurement
internal import Platform

/// Pairs of passes, one with recording and one without, on a scratch model.
struct RecordingCostMeasurement {
    /// Shorter passes drown in what the clock and the wake-ups take.
    private static let secondsPerPass = 0.02
    private static let fewestPairs = 9
    private static let mostSeconds = 4.0

    let algorithm: any InPlaceAlgorithm
    let problem: LinearProblem
    let team: WorkerTeam
    let options: TrainingOptions
    let stop: StopRequest

    /// Measures until the share is known well enough; nil where the run was too short for that, a signal came, or there is nothing to
    /// measure. `scratch` begins as the model and is of no use afterwards.
    ///
    /// - Parameter rowsPerSecond: of the run, whose training took `seconds`.
    func run(
        on scratch: SharedParameters, stepSize: EpochStepSize, rowsPerSecond: Double, seconds: Double
    ) throws(InputError) -> MeasurementCost? {
        guard !options.algorithm.facts.isSerial && team.count > 1, options.staleness != .off, problem.rowCount > 0
        else { return nil }
        let budget: Double
        switch options.recordingCost {
        case .never: return nil
        case .whereCheap: budget = seconds / 20
        case .always: budget = Self.mostSeconds
        }
        guard budget >= 2 * Double(Self.fewestPairs + 1) * Self.secondsPerPass else { return nil }
        let rowsPerPass = max(1, rowsPerSecond * Self.secondsPerPass)
        let parts = max(1, Int(Double(problem.rowCount) / rowsPerPass))
        let passes = max(1, Int((rowsPerPass / Double(problem.rowCount)).rounded(.up)))
        let (on, off) = (try engine(options.staleness), try engine(.off))
        func pass(_ engine: Engine) -> Double {
            (0..<passes).reduce(0) { sum, _ in
                sum
                    + engine.run(
                        Segment(
                            index: 0, count: parts, stepSize: stepSize, deadline: nil, stop: stop, halt: StopRequest()),
                        model: scratch, team: team
                    ) {}.seconds
            }
        }
        let end = monotonicNanoseconds() + UInt64(budget * 1e9)
        _ = (pass(off), pass(on))
        var (with, without) = ([Double](), [Double]())
        while !stop.isRequested && monotonicNanoseconds() < end {
            let isFirst = with.count % 2 == 0
            let first = pass(isFirst ? on : off)
            let second = pass(isFirst ? off : on)
            // A pass that a signal has cut short tells nothing.
            guard !stop.isRequested && first > 0 && second > 0 else { break }
            with.append(isFirst ? first : second)
            without.append(isFirst ? second : first)
            if with.count >= Self.fewestPairs {
                let cost = MeasurementCost(secondsWith: with, secondsWithout: without)
                if cost.standardError <= 0.005 { return cost }
            }
        }
        guard !stop.isRequested, with.count >= Self.fewestPairs else { return nil }
        let cost = MeasurementCost(secondsWith: with, secondsWithout: without)
        return cost.isTelling || options.recordingCost == .always ? cost : nil
    }

    private func engine(_ recording: StalenessRecording) throws(InputError) -> Engine {
        var options = options
        options.staleness = recording
        let engine = try Engine(algorithm, on: problem, team: team, options: options)
        _ = engine.prepare(epoch: 0, team: team)
        return engine
    }
}
