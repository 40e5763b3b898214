// Who draws random words. Pure values; any thread.

/// The one list of what random words are drawn for: each has streams of its own, whatever seeds, ranks and steps the others use.
public enum RandomConsumer: UInt64, CaseIterable, Sendable {
    /// In which order a worker visits its rows.
    case rowOrder = 1
    /// How long a computation takes.
    case straggler
    /// The seed of each place that compresses.
    case codecSite
    /// What a codec rounds up, keeps, or projects on.
    case codec
    /// Where training starts.
    case modelStart
    /// Which coordinate of a sampled update is watched.
    case stalenessSample
    /// Which way small shares of a penalty are rounded.
    case rounding
    /// Made-up data of benchmarks and tests.
    case madeUpData
    /// How stale the gradients of delayed-sgd are.
    case delay
    /// Which edges a random graph has.
    case graph

    /// The Philox key of a seed: number `rawValue` of the SplitMix64 sequence (Steele et al. 2014) that begins at the scrambled seed.
    ///
    /// Each step of it is a bijection, so that under one seed no two consumers have one key, nor two seeds for one consumer.
    @inlinable public func key(seed: UInt64) -> SIMD2<UInt32> {
        let z = Self.scrambled(Self.scrambled(seed) &+ rawValue &* 0x9E37_79B9_7F4A_7C15)
        return SIMD2(UInt32(truncatingIfNeeded: z), UInt32(truncatingIfNeeded: z &>> 32))
    }

    /// SplitMix64's bijection of 64 bits.
    @inlinable static func scrambled(_ word: UInt64) -> UInt64 {
        var z = (word ^ (word &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z &>> 31)
    }
}
