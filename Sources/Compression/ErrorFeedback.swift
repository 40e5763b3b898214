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
    public let codec: any Codec
    private let fused: (any FusedFeedbackCodec)?
    /// delta_t, or what stands for it where the codec is fused.
    private let memory: PageBuffer<Float>
    /// gamma_(t-1); nil before the first iteration and after `reset`.
    private var previousStepSize: Double?

    /// Starts with a residual of zero. Throws where memory for it is refused.
    ///
    /// With `isFused` a codec that can do all in fewer passes does so; the bits are the same.
    public init(_ codec: any Codec, isFused: Bool = true) throws(InputError) {
        self.codec = codec
        fused = isFused ? codec as? any FusedFeedbackCodec : nil
        memory = try PageBuffer(count: fused?.feedbackCount ?? codec.count, hugePages: true)
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
        precondition(stepSize > 0 && stepSize.isFinite, "a step size of \(stepSize)")
        precondition(
            memory.count == fused?.feedbackCount ?? codec.count, "feedback of \(memory.count) floats for \(codec.count)"
        )
        let scale = Float((previousStepSize ?? stepSize) / stepSize)
        previousStepSize = stepSize
        do throws(CodecError) {
            var residual = unsafe MutableSpan(_unsafeStart: memory.pointer, count: memory.count)
            if let fused {
                return try fused.encode(gradient, feedback: &residual, scale: scale, draw: draw, into: &bytes)
            }
            guard gradient.count == codec.count else {
                throw .wrongCount(found: gradient.count, expected: codec.count)
            }
            // v_t, and then delta_t, in place.
            unsafe gradient.withUnsafeBufferPointer { gradient in
                guard let gradient = gradient.baseAddress else { return }
                unsafe addScaled(to: memory.pointer, scale: scale, gradient, count: codec.count)
            }
            let length = try codec.encode(residual.span, draw: draw, into: &bytes)
            try codec.decode(bytes.bytes.extracting(first: length), adding: -1, to: &residual)
            return length
        } catch {
            reset()
            throw error
        }
    }

    /// delta_t: what the messages so far lack, `codec.count` floats.
    public func withResidual<Result>(_ body: (Span<Float>) throws -> Result) rethrows -> Result {
        if let fused {
            var whole = unsafe MutableSpan(_unsafeStart: memory.pointer, count: memory.count)
            fused.settle(&whole)
        }
        return try unsafe body(Span(_unsafeStart: UnsafePointer(memory.pointer), count: codec.count))
    }

    /// Forgets the residual and the step size.
    public func reset() {
        unsafe memory.pointer.update(repeating: 0, count: memory.count)
        previousStepSize = nil
    }
}
