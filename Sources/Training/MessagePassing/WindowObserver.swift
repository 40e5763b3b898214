// What one worker writes down of its updates of one window. Whoever merges the worker's updates there writes, the coordinator reads in
// pauses.

internal import Measurement
internal import Platform

/// One worker's staleness at one window, and which of its updates were this worker's.
final class WindowObserver: Sendable {
    let staleness = StalenessRecorder()
    /// Nil where nobody puts the order of all updates together.
    let trace: UpdateTrace?

    /// With room for `capacity` updates of a segment; 0 for no trace.
    init(capacity: Int) throws(InputError) {
        trace = capacity > 0 ? try UpdateTrace(capacity: capacity) : nil
    }

    /// How many updates of a segment of `steps` updates each worker has room for at each window.
    static func capacity(steps: Int, workers: Int, windows: Int) -> Int {
        guard workers <= UpdateOrder.mostWorkers else { return 0 }
        return min(steps + 2 * workers + 64, UpdateOrder.mostBytes / 8 / (workers * windows))
    }
}
