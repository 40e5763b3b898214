// Which random numbers an encoding draws. Plain values; any thread.

/// Names the draw xi of one encoding: its random numbers are a function of (seed, rank, step) and of the element, so that threads,
/// runs and machines agree.
public struct CodecDraw: Sendable, Hashable {
    /// The run's seed.
    public var seed: UInt64
    /// The worker, or any other small label.
    public var rank: UInt32
    /// The iteration, or any number that differs between encodings of one rank.
    public var step: UInt64

    public init(seed: UInt64, rank: UInt32 = 0, step: UInt64 = 0) {
        self.seed = seed
        self.rank = rank
        self.step = step
    }
}
