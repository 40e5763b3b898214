// Codecs with an aggregation of their own. The codec's one thread.

/// How the vectors of several workers are averaged by what their codec makes of them, without decoding and encoding on the way.
public enum CodecAggregation {
    /// Only as messages that are decoded before they are added up.
    case none
    /// Each worker's message goes to all, unchanged, and all add them up: of use where messages are short, as of sparse vectors.
    case gathered
    /// Workers add up floats that the codec computes, and decode the sum once.
    case sums(any SummedCodec)
}

/// A codec that is linear in the vector, at least round by round: the workers' floats are added up in place of their messages.
///
/// All workers draw alike. In each round every worker contributes, then the floats of the round become their sum over the workers; after
/// the last round all recover the mean, the same bits. An instance serves either this or `encode`.
public protocol SummedCodec: Codec {
    /// How many floats travel in each round; at least one round.
    var roundCounts: [Int] { get }
    /// Whether error feedback brings back what a worker's own contribution lacks of its vector; otherwise what the result lacks of it, for
    /// codecs whose floats of one vector say nothing of what comes out of their sum.
    var feedsBackOwnContribution: Bool { get }

    /// Writes this worker's floats of a round.
    ///
    /// Throws `notFinite`, `tooLarge` or `wrongCount`.
    ///
    /// - Parameters:
    ///   - vector: `count` floats, in every round the same.
    ///   - round: 0 at first.
    ///   - share: 1 / N.
    ///   - draw: the same on all workers and in all rounds.
    ///   - floats: those of all rounds, one after the other; those of the rounds before are sums, which may be changed.
    func contribute(
        _ vector: Span<Float>, to round: Int, share: Float, draw: CodecDraw, floats: inout MutableSpan<Float>
    ) throws(CodecError)

    /// Writes what `share` times the sums of the last round stand for over the vector.
    ///
    /// With a share of 1 it may come between a worker's last contribution and the sum, for that contribution alone, and then changes no
    /// float of that. Throws `tooLarge` or `wrongCount`.
    func recover(
        from floats: inout MutableSpan<Float>, share: Float, draw: CodecDraw, into vector: inout MutableSpan<Float>
    ) throws(CodecError)
}

extension SummedCodec {
    public var aggregation: CodecAggregation { .sums(self) }

    /// Floats of all rounds.
    public var roundFloats: Int { roundCounts.reduce(0, +) }

    /// Throws where the floats of all rounds are not as many as they must be.
    public func checkRounds(_ floats: borrowing MutableSpan<Float>) throws(CodecError) {
        guard floats.count == roundFloats else { throw .wrongCount(found: floats.count, expected: roundFloats) }
    }
}
