// The residuals of all places at which one rank compresses. One thread per instance.

internal import Kernels
public import Platform

/// A codec as error feedback uses it.
public struct FeedbackCodec {
    public let codec: any Codec
    let fused: (any FusedFeedbackCodec)?

    /// Of this codec; `isFused` says whether one that can do all in fewer passes does so, with the same bits.
    public init(_ codec: any Codec, isFused: Bool = true) {
        self.codec = codec
        fused = isFused ? codec as? any FusedFeedbackCodec : nil
    }

    /// Floats that stand for a residual of the codec, at least its `count`.
    public var floatCount: Int { fused?.feedbackCount ?? codec.count }
}

/// Several residuals in one buffer, for the places at which one rank compresses: see `ErrorFeedback`, which has one of them.
///
/// All places encode once in an iteration, with one step size.
public final class FeedbackMemory {
    private let memory: PageBuffer<Float>
    /// Where each residual begins, and the last ends.
    private let starts: [Int]
    /// gamma_(t-1); nil before the first iteration and after `reset`.
    private var previousStepSize: Double?
    /// gamma_(t-1) / gamma_t.
    private var scale: Float = 1

    /// Residuals of zero, of so many floats each (`FeedbackCodec.floatCount`). Throws where memory is refused.
    public init(floatCounts: [Int]) throws(InputError) {
        var starts = [0]
        starts.reserveCapacity(floatCounts.count + 1)
        var end = 0
        for count in floatCounts {
            // Long ones begin with a cache line.
            if count >= 1_024 { end = (end + 15) & ~15 }
            starts[starts.count - 1] = end
            end += count
            starts.append(end)
        }
        self.starts = starts
        memory = try PageBuffer(count: end, hugePages: true)
    }

    /// Bytes that the residuals take.
    public var memoryBytes: Int { memory.byteCount + 8 * starts.count }

    /// Begins an iteration with step size gamma_t, above zero.
    public func begin(stepSize: Double) {
        precondition(stepSize > 0 && stepSize.isFinite, "a step size of \(stepSize)")
        scale = Float((previousStepSize ?? stepSize) / stepSize)
        previousStepSize = stepSize
    }

    /// Encodes v_t = g_t + (gamma_(t-1) / gamma_t) delta_(t-1) of one place, keeps delta_t = v_t - Q(v_t) there, and returns the number of
    /// bytes written; once between two `begin`.
    ///
    /// Throws what the codec's `encode` throws, `notFinite` with the index and the value of v_t; then the place's residual is zero.
    public func encode(
        _ gradient: Span<Float>, at place: Int, by codec: FeedbackCodec, draw: CodecDraw,
        into bytes: inout MutableRawSpan
    ) throws(CodecError) -> Int {
        let (start, count) = unsafe floats(of: place, codec)
        do throws(CodecError) {
            var residual = unsafe MutableSpan(_unsafeStart: start, count: count)
            if let fused = codec.fused {
                return try fused.encode(gradient, feedback: &residual, scale: scale, draw: draw, into: &bytes)
            }
            guard gradient.count == count else { throw .wrongCount(found: gradient.count, expected: count) }
            // v_t, and then delta_t, in place.
            unsafe gradient.withUnsafeBufferPointer { gradient in
                guard let gradient = gradient.baseAddress else { return }
                unsafe addScaled(to: start, scale: scale, gradient, count: count)
            }
            let length = try codec.codec.encode(residual.span, draw: draw, into: &bytes)
            try codec.codec.decode(bytes.bytes.extracting(first: length), adding: -1, to: &residual)
            return length
        } catch {
            unsafe start.update(repeating: 0, count: count)
            throw error
        }
    }

    /// delta_t of one place: what its messages so far lack, `codec.count` floats.
    public func withResidual<Result>(
        at place: Int, by codec: FeedbackCodec, _ body: (Span<Float>) throws -> Result
    ) rethrows -> Result {
        let (start, count) = unsafe floats(of: place, codec)
        if let fused = codec.fused {
            var whole = unsafe MutableSpan(_unsafeStart: start, count: count)
            fused.settle(&whole)
        }
        return try unsafe body(Span(_unsafeStart: UnsafePointer(start), count: codec.codec.count))
    }

    /// Forgets the residuals and the step size.
    public func reset() {
        unsafe memory.pointer.update(repeating: 0, count: memory.count)
        previousStepSize = nil
    }

    private func floats(of place: Int, _ codec: FeedbackCodec) -> (start: UnsafeMutablePointer<Float>, count: Int) {
        let count = codec.floatCount
        precondition(
            count <= starts[place + 1] - starts[place],
            "feedback of \(starts[place + 1] - starts[place]) floats for \(codec.codec.count)")
        return unsafe (memory.pointer + starts[place], count)
    }
}
