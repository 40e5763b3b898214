// What the server of an algorithm does with a gradient, so that a replay does the same. The coordinator asks, and workers under the lock.

internal import Messaging
internal import Platform

/// An algorithm whose updates are atomic and come in one order, which can be recorded and repeated.
protocol ReplayableAlgorithm: ServerAlgorithm {
    /// How long steps are, given what is known of the delay.
    var delayed: DelayedStep { get }
    /// Whether all updates are of one window: with several each has an order of its own, and the read of one worker falls between those.
    var hasOneOrder: Bool { get }
    /// Gradients of a worker that may be under way.
    var underWay: Int { get }

    /// The server's part: takes g, which was computed at `read`, into x.
    func apply(_ g: Vector, of read: Vector, to x: Vector, aside: Vector, _ stepSize: Float, tau: UInt64)
}

extension ReplayableAlgorithm {
    var delayed: DelayedStep { .constant }
    var hasOneOrder: Bool { true }
    var underWay: Int { 1 }

    func apply(_ g: Vector, of read: Vector, to x: Vector, aside: Vector, _ stepSize: Float, tau: UInt64) {
        x.descend(delayed.size(stepSize, tau: tau), along: g)
    }
}

extension MessageAlgorithm {
    /// Throws where the order of the updates is to be recorded or repeated, and there is no one order.
    func checkOrder(_ options: TrainingOptions) throws(InputError) {
        guard options.recordsOrder || options.replay != nil else { return }
        if let algorithm = self as? any ReplayableAlgorithm, algorithm.hasOneOrder { return }
        throw InputError(
            at: options.replay == nil ? "--record-order" : "--replay", found: "--algorithm \(options.algorithm)",
            expected: "an algorithm with one server whose updates are atomic")
    }
}
