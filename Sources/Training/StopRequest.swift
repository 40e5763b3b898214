// How a run is told to end at the next safe point. Set by a signal handler or any thread, read by all workers.

internal import Synchronization

/// A flag that only ever goes up.
public final class StopRequest: Sendable {
    private let flag = Atomic<Bool>(false)

    public init() {}

    /// Asks the run to end. Safe in a signal handler: one store. Relaxed: the flag publishes nothing else.
    public func request() { flag.store(true, ordering: .relaxed) }

    /// Whether somebody has asked. Relaxed: seeing it a little later is as good.
    public var isRequested: Bool { flag.load(ordering: .relaxed) }
}
