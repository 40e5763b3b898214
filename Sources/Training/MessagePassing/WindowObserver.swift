// What one worker writes down of its updates of one window. Whoever merges the worker's updates there writes, the coordinator reads in
// pauses.

internal import Measurement
internal import Platform

/// One worker's staleness at one window, and which of its updates were this worker's.
final class WindowObserver: @unchecked Sendable {
    // Sendable: written under the window's lock or by the rank that runs, and read in pauses.

    let staleness = StalenessRecorder()
    /// Nil where nobody puts the order of all updates together.
    let trace: UpdateTrace?

    /// On a clock of the model: from all its reads to their updates.
    private(set) var secondsUnderWay = 0.0

    func note(secondsUnderWay seconds: Double) { secondsUnderWay += seconds }

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
