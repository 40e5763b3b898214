// What the workers of a run have measured, gathered by the coordinator when they are idle.

internal import Measurement
internal import Platform

extension StalenessSummary {
    /// Of updates each of whose gradients is taken at the model that it then changes.
    static func serial(updates: UInt64) -> StalenessSummary {
        let recorder = StalenessRecorder()
        recorder.record(0, count: updates)
        return StalenessSummary(method: .serial, every: 1, recorders: [recorder])
    }
}

extension Engine {
    /// The staleness over all `updates` so far.
    func stalenessSummary(updates: UInt64) -> StalenessSummary {
        if workers.count == 1 { return .serial(updates: updates) }
        let recorders = workers.map { $0.replica?.staleness ?? $0.staleness }
        if recording == .off { return StalenessSummary(method: .off, every: 0, recorders: recorders) }
        guard let observation else {
            var summary = StalenessSummary(method: .exact, every: 1, recorders: recorders)
            if replicas != nil { summary.delayedBy = workers.compactMap { $0.replica?.delayedBy } }
            return summary
        }

        var summary = StalenessSummary(
            method: observation.every == 1 ? .exact : .sampled, every: observation.every, recorders: recorders,
            readSpans: workers.map(\.readSpan))
        summary.overTime = overTime.summary
        summary.clock = StampClock.best.source.rawValue
        summary.delayedBy = workers.map(\.merged.delayedBy)
        let updateTicks = workers.reduce(0) { $0 + $1.merged.updateTicks }
        if updateTicks > 0 {
            summary.shareReadToWrite = workers.reduce(0) { $0 + $1.merged.inFlightTicks } / updateTicks
        }
        let workTicks = workers.reduce(0) { $0 + $1.merged.workTicks }
        if workTicks > 0 { summary.shareTogether = workers.reduce(0) { $0 + $1.merged.togetherTicks } / workTicks }
        let sampled = workers.reduce(0) { $0 + $1.sampledCoordinates }
        let lost = workers.reduce(0) { $0 + $1.lostCoordinates }
        summary.lostUpdateSamples = sampled
        summary.lostUpdateRate = sampled > 0 ? Double(lost) / Double(sampled) : nil
        return summary
    }
}
