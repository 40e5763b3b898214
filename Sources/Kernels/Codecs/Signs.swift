// The sign kernels in the width that the processor has. Any thread, on memory that is its own meanwhile.

internal import CPlatformShims
public import Platform

#if arch(x86_64)
    internal import KernelsAVX512
#endif

/// Signs of floats, one bit each, with a scale per bucket.
public enum Signs {
    /// Encodes a vector in buckets of `bucket` floats, a multiple of 8: for each its scale as a float32, then its bits of x < 0.
    ///
    /// Returns the start of the first bucket that holds something not finite, if any.
    ///
    /// - Parameters:
    ///   - l2: the scale is the l2 norm rather than the mean of |x|.
    ///   - feedback: nil, or what error feedback keeps: as many floats u as x has, then a scale for each bucket. They stand for the residual
    ///     r = u - scale * sign(u): v = x + factor * r is encoded, and v and its scales are left; v as far as it is finite.
    public static func encode(
        _ x: UnsafePointer<Float>, count: Int, bucket: Int, l2: Bool, feedback: UnsafeMutablePointer<Float>?,
        factor: Float, into out: UnsafeMutableRawPointer, instructions: InstructionSet
    ) -> Int? {
        var bad = 0
        #if arch(x86_64)
            if instructions == .avx512 {
                bad = unsafe KernelsAVX512.wideEncodeSigns(
                    x, count: count, bucket: bucket, l2: l2, feedback: feedback, factor: factor, into: out)
                return bad < 0 ? nil : bad
            }
        #endif
        bad = unsafe wideEncodeSigns(
            x, count: count, bucket: bucket, l2: l2, feedback: feedback, factor: factor, into: out)
        return bad < 0 ? nil : bad
    }

    /// Leaves the residual in the `count` floats that error feedback keeps, and scales of zero behind them, which stand for the same.
    public static func settle(
        _ feedback: UnsafeMutablePointer<Float>, count: Int, bucket: Int, instructions: InstructionSet
    ) {
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideSettleSigns(feedback, count: count, bucket: bucket)
            }
        #endif
        unsafe wideSettleSigns(feedback, count: count, bucket: bucket)
    }

    /// Writes Q(x) over `count` floats, or adds scale * Q(x) to them; returns the first byte that no encoder writes, if any.
    ///
    /// Large vectors are stored past the caches.
    public static func decode(
        _ bytes: UnsafeRawPointer, count: Int, bucket: Int, adding: Bool, scale: Float,
        into y: UnsafeMutablePointer<Float>, instructions: InstructionSet
    ) -> Int? {
        let streaming = !adding && count >= StreamingStore.leastCount && UInt(bitPattern: y) % 16 == 0
        defer { if streaming { relaxed_store_fence() } }
        var bad = 0
        #if arch(x86_64)
            if instructions == .avx512 {
                bad = unsafe KernelsAVX512.wideDecodeSigns(
                    bytes, count: count, bucket: bucket, streaming: streaming, adding: adding, scale: scale, into: y)
                return bad < 0 ? nil : bad
            }
        #endif
        bad = unsafe wideDecodeSigns(
            bytes, count: count, bucket: bucket, streaming: streaming, adding: adding, scale: scale, into: y)
        return bad < 0 ? nil : bad
    }
}
