// What the workers of a run have measured, gathered by the coordinator when they are idle, and what measuring costs.

internal import Datasets
internal import Kernels
internal import Measurement
internal import Platform

extension Engine {
    /// The staleness over all `updates` so far.
    func stalenessSummary(updates: UInt64) -> StalenessSummary {
        if algorithm.isSerial {
            // Each gradient is taken at the model that it then changes.
            let recorder = StalenessRecorder()
            recorder.record(0, count: updates)
            return StalenessSummary(method: .serial, every: 1, recorders: [recorder])
        }
        let recorders = workers.map(\.staleness)
        switch recording {
        case .off: return StalenessSummary(method: .off, every: 0, recorders: recorders)
        case .sampled where algorithm == .hogwild:
            var summary = StalenessSummary(
                method: .sampled, every: samplePeriod, recorders: recorders, readSpans: workers.map(\.readSpan))
            let sampled = workers.reduce(0) { $0 + $1.sampledCoordinates }
            let lost = workers.reduce(0) { $0 + $1.lostCoordinates }
            summary.lostUpdateSamples = sampled
            summary.lostUpdateRate = sampled > 0 ? Double(lost) / Double(sampled) : nil
            return summary
        default: return StalenessSummary(method: .exact, every: 1, recorders: recorders)
        }
    }

    /// Hands over the log of all updates and forgets it.
    func takeLog() -> [UpdateLogEntry] {
        let log = workers.flatMap(\.log)
        for worker in workers { worker.log = [] }
        return log
    }
}

/// What recording staleness costs on these data with these workers: pairs of passes over some 250,000 rows, one with recording and
/// one without, in alternating order, on `scratch`, which begins as the model and is of no use afterwards.
func measureRecordingCost(
    train: SparseDataset, team: WorkerTeam, options: TrainingOptions, scratch: SharedParameters,
    stepSize: EpochStepSize, stop: StopRequest
) throws(InputError) -> MeasurementCost? {
    let pairs = 9
    var silent = options
    silent.staleness = .off
    silent.keepsUpdateLog = false
    var recording = options
    recording.keepsUpdateLog = false
    let engines = (
        on: try Engine(train: train, team: team, options: recording),
        off: try Engine(train: train, team: team, options: silent)
    )
    for engine in [engines.on, engines.off] { _ = engine.prepare(epoch: 0, team: team) }
    let parts = max(1, train.rowCount / 250_000)
    func seconds(_ engine: Engine) -> Double {
        engine.run(
            Stretch(part: 0, parts: parts, stepSize: stepSize, deadline: nil, stop: stop, halt: StopRequest()),
            model: scratch, team: team
        ) {}.seconds
    }
    _ = seconds(engines.off)
    var (with, without) = ([Double](), [Double]())
    for pair in 0..<pairs where !stop.isRequested {
        let first = seconds(pair % 2 == 0 ? engines.on : engines.off)
        let second = seconds(pair % 2 == 0 ? engines.off : engines.on)
        let (on, off) = pair % 2 == 0 ? (first, second) : (second, first)
        guard on > 0 && off > 0 else { continue }
        with.append(on)
        without.append(off)
    }
    return with.isEmpty ? nil : MeasurementCost(secondsWith: with, secondsWithout: without)
}
