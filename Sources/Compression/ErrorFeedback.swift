// Error feedback around any codec (section 3.3). One thread per instance: it holds that worker's residual.

internal import Kernels
public import Platform

/// Compresses gradients and adds what one message lost to the next: v_t = g_t + delta_(t-1), delta_t = v_t - Q(v_t) (eq. 3.8, 3.9).
///
/// Lemma 3.4.1 needs gamma delta to pass from one iteration to the next unchanged, so that where step sizes change the residual is
/// rescaled: v_t = g_t + (gamma_(t-1) / gamma_t) delta_(t-1). Then x_t less gamma_(t-1) times the mean residual takes exactly the steps of
/// SGD without compression.
///
/// The residual stays bounded where Q contracts, E|Q(v) - v|^2 <= alpha |v|^2 with alpha below 1, as top-k and sign do. With a codec
/// whose alpha is larger, such as stochastic quantization to few bits in large buckets, it may grow without end; unbiased codecs need no
/// feedback.
public final class ErrorFeedback {
    /// The codec inside, whose `count` must not change; it, or another of its configuration, decodes the messages.
    public var codec: any Codec { place.codec }
    private let place: FeedbackCodec
    private let memory: FeedbackMemory

    /// Starts with a residual of zero. Throws where memory for it is refused.
    ///
    /// With `isFused` a codec that can do all in fewer passes does so; the bits are the same.
    public init(_ codec: any Codec, isFused: Bool = true) throws(InputError) {
        place = FeedbackCodec(codec, isFused: isFused)
        memory = try FeedbackMemory(floatCounts: [place.floatCount])
    }

    /// Encodes v_t = g_t + (gamma_(t-1) / gamma_t) delta_(t-1), keeps delta_t = v_t - Q(v_t), and returns the number of bytes written.
    ///
    /// Throws what the codec's `encode` throws, `notFinite` with the index and the value of v_t; then the residual is zero, as after `reset`.
    ///
    /// - Parameters:
    ///   - gradient: g_t, `codec.count` floats.
    ///   - stepSize: gamma_t, above zero; any constant where step sizes do not change.
    ///   - draw: where random numbers come from.
    ///   - bytes: at least `codec.maximumEncodedBytes`.
    public func encode(
        _ gradient: Span<Float>, stepSize: Double = 1, draw: CodecDraw, into bytes: inout MutableRawSpan
    ) throws(CodecError) -> Int {
        memory.begin(stepSize: stepSize)
        do throws(CodecError) {
            return try memory.encode(gradient, at: 0, by: place, draw: draw, into: &bytes)
        } catch {
            reset()
            throw error
        }
    }

    /// delta_t: what the messages so far lack, `codec.count` floats.
    public func withResidual<Result>(_ body: (Span<Float>) throws -> Result) rethrows -> Result {
        try memory.withResidual(at: 0, by: place, body)
    }

    /// Forgets the residual and the step size.
    public func reset() { memory.reset() }
}
