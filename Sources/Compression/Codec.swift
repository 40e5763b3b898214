// What every codec of chapter 3.1 promises: buffer to buffer, no allocation per call, and an honest statement of size and error.
// One instance belongs to one thread at a time: it holds the workspace of its calls.

/// A compression Q(.; xi) of vectors of a fixed number of floats, with the encoded form that travels (section 3.1.1).
public protocol Codec: AnyObject {
    /// The codec in the words of the command line with every setting filled in, such as `quantize:bits=4,bucket=512`.
    var name: String { get }
    /// Number of floats of a vector, d; at least 0.
    var count: Int { get }
    /// Bytes of the encoded form, header included: the exact size of every message where `hasFixedSize`, otherwise the largest.
    var maximumEncodedBytes: Int { get }
    /// Whether every message is `maximumEncodedBytes` long; otherwise `encode` says how long each is.
    var hasFixedSize: Bool { get }
    /// Whether E Q(y) = y for every y, the expectation being over draws.
    var isUnbiased: Bool { get }
    /// Whether `encode` looks at every element and so refuses whatever is not finite; some codecs only read what they draw.
    var checksEveryElement: Bool { get }
    /// Whether what `encode` writes depends on what this instance encoded before; otherwise one instance serves any number of vectors.
    var hasMemory: Bool { get }
    /// Bytes of the workspace that the instance keeps.
    var memoryBytes: Int { get }
    /// What becomes of the workers' vectors in an average by the collective `natural`.
    var aggregation: CodecAggregation { get }
    /// A bound on alpha in E|Q(y) - y|^2 <= alpha |y|^2 for every y of this length (Remark 3.4.1); nil where there is none.
    var relativeErrorBound: Double? { get }
    /// A bound on E|Q(y) - y|^2 for this y; nil where none is known. Not for hot loops.
    func errorBound(for vector: Span<Float>) -> Double?

    /// Encodes a vector of `count` floats and returns the number of bytes written, at most `maximumEncodedBytes`.
    ///
    /// The same vector and draw give the same bytes on every machine, unless the codec `hasMemory`. Throws `notFinite` with the first
    /// index, `tooLarge` where a sum that the codec needs is no float, and `wrongCount` or `bufferTooSmall`; what `bytes` then holds is
    /// undefined.
    func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError) -> Int
    /// Writes Q(y) over all of `vector`.
    ///
    /// Throws a `CodecError` for bytes that no encoder of this configuration wrote; it then reads and writes only inside its
    /// buffers, and what `vector` holds is undefined.
    func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError)
    /// vector += scale * Q(y), in one pass where it pays: what aggregation does.
    func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError)
}

/// A codec that compresses vector + scale * residual in one pass, in which it leaves the new residual as well (eq. 3.8, 3.9).
///
/// `ErrorFeedback` calls it, with memory of `feedbackCount` floats that stands for a residual: where all is zero behind the first `count`
/// floats, for these; otherwise for whatever the codec takes it for, which may be cheaper to leave than the residual. Messages are to be
/// those that `encode` and `decode` would make of v, bit by bit, and residuals equal.
public protocol FusedFeedbackCodec: Codec {
    /// Floats of the memory for feedback, at least `count`.
    var feedbackCount: Int { get }
    /// With v = vector + scale * residual, of one rounding (`vector.addingProduct(residual, scale)`): encodes v and leaves memory that
    /// stands for v - Q(v), as `decode(_:adding:to:)` with -1 makes it of v.
    ///
    /// Throws what `encode(_:draw:into:)` throws, `wrongCount` for a memory of another size, and `notFinite` with the index and the value
    /// of v; what the memory then holds is undefined.
    func encode(
        _ vector: Span<Float>, feedback memory: inout MutableSpan<Float>, scale: Float, draw: CodecDraw,
        into bytes: inout MutableRawSpan
    ) throws(CodecError) -> Int
    /// Leaves the residual itself in the first `count` floats of the memory and zeros behind it. May come between any two calls, and
    /// changes nothing of what they give.
    func settle(_ memory: inout MutableSpan<Float>)
}

extension FusedFeedbackCodec {
    public var feedbackCount: Int { count }
    public func settle(_ memory: inout MutableSpan<Float>) {}

    /// Throws where the memory for feedback does not have the size that the codec needs.
    public func checkFeedback(_ memory: borrowing MutableSpan<Float>) throws(CodecError) {
        guard memory.count == feedbackCount else { throw .wrongCount(found: memory.count, expected: feedbackCount) }
    }
}

extension Codec {
    public var checksEveryElement: Bool { true }
    public var hasMemory: Bool { false }
    public var memoryBytes: Int { 0 }
    public var aggregation: CodecAggregation { .none }

    /// The bound that follows from `relativeErrorBound`.
    public func errorBound(for vector: Span<Float>) -> Double? {
        guard let relativeErrorBound else { return nil }
        var squares = 0.0
        for i in vector.indices { squares += Double(vector[i]) * Double(vector[i]) }
        return relativeErrorBound * squares
    }

    /// Throws where a vector or the buffer for its encoded form does not have the size that the codec needs.
    public func check(_ vector: Span<Float>, _ bytes: borrowing MutableRawSpan) throws(CodecError) {
        guard vector.count == count else { throw .wrongCount(found: vector.count, expected: count) }
        guard bytes.byteCount >= maximumEncodedBytes else {
            throw .bufferTooSmall(found: bytes.byteCount, expected: maximumEncodedBytes)
        }
    }

    /// Throws where the vector to decode into does not have the codec's size.
    public func check(_ vector: borrowing MutableSpan<Float>) throws(CodecError) {
        guard vector.count == count else { throw .wrongCount(found: vector.count, expected: count) }
    }
}
