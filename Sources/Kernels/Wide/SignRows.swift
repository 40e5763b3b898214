// One bit per float and a scale per bucket, and back. One thread each on memory that is its own meanwhile.
//
// A sum has thirty-two lanes, folded by halves: enough additions under way at once, and the same order on every machine. Blocks of 512
// are summed in float, the blocks of a longer bucket in double.

internal import CPlatformShims

/// Encodes a vector in buckets of `bucket` floats, a multiple of 8: for each its scale as a float32, then its bits of x < 0.
///
/// Returns the start of the first bucket that holds something not finite, or -1.
///
/// - Parameters:
///   - l2: the scale is the l2 norm rather than the mean of |x|.
///   - residual: nil, or r for error feedback: then v = x + feedback * r is encoded and r = v - Q(v) is left; in the bucket that holds
///     something not finite r = v.
public func wideEncodeSigns(
    _ x: UnsafePointer<Float>, count: Int, bucket: Int, l2: Bool, residual: UnsafeMutablePointer<Float>?,
    feedback: Float, into out: UnsafeMutableRawPointer
) -> Int {
    unsafe residual == nil
        ? encodeBuckets(x, count, bucket, l2, UnsafeMutablePointer(mutating: x), false, feedback, out)
        : encodeBuckets(x, count, bucket, l2, residual!, true, feedback, out)
}

@inline(__always)
private func encodeBuckets(
    _ x: UnsafePointer<Float>, _ count: Int, _ bucket: Int, _ l2: Bool, _ residual: UnsafeMutablePointer<Float>,
    _ fused: Bool, _ feedback: Float, _ out: UnsafeMutableRawPointer
) -> Int {
    var out = unsafe out
    var start = 0
    // The residual of a bucket follows when the next one is encoded, so that nothing waits for a scale.
    var (pending, pendingCount, pendingScale) = unsafe (residual, 0, Float(0))
    while start < count {
        let size = count &- start < bucket ? count &- start : bucket
        let scale = unsafe encodeBucket(x + start, size, l2, residual + start, fused, feedback, out)
        if fused {
            unsafe subtractSigns(pending, pendingCount, pendingScale)
            unsafe (pending, pendingCount, pendingScale) = (residual + start, size, scale)
        }
        guard scale >= 0 else { return start }
        unsafe out += 4 &+ (size &+ 7) &>> 3
        start &+= size
    }
    if fused { unsafe subtractSigns(pending, pendingCount, pendingScale) }
    return -1
}

/// Returns the scale; -1 where something is not finite.
@inline(__always)
private func encodeBucket(
    _ x: UnsafePointer<Float>, _ count: Int, _ l2: Bool, _ residual: UnsafeMutablePointer<Float>, _ fused: Bool,
    _ feedback: Float, _ out: UnsafeMutableRawPointer
) -> Float {
    var total = 0.0
    var start = 0
    while start < count {
        let size = count &- start < 512 ? count &- start : 512
        let v = unsafe UnsafePointer(residual + start)
        let sum = unsafe packSigns(x + start, size, residual + start, fused, feedback, out + (4 &+ start &>> 3))
        if l2 {
            total += unsafe squares(v, count: size)
        } else {
            // Finite floats may have an infinite sum.
            total += sum < .infinity ? Double(sum) : unsafe magnitudes(v, size)
        }
        start &+= size
    }
    guard total < .infinity else { return -1 }
    var scale = Float(l2 ? total.squareRoot() : total / Double(count))
    if scale == .infinity { scale = .greatestFiniteMagnitude }
    unsafe out.storeBytes(of: scale, as: Float.self)
    return scale
}

/// Packs the bits of x < 0, or of v = x + feedback * residual, which is left in the residual; returns the sum of |x|.
@inline(__always)
private func packSigns(
    _ x: UnsafePointer<Float>, _ count: Int, _ residual: UnsafeMutablePointer<Float>, _ fused: Bool, _ feedback: Float,
    _ out: UnsafeMutableRawPointer
) -> Float {
    let factor = Floats(repeating: feedback)
    var sum0 = Floats()
    var sum1 = Floats()
    @inline(__always) func take(_ i: Int, _ sum: inout Floats) -> Words {
        var v = unsafe load(x + i)
        if fused {
            // Adding zero makes -0.0 a 0.0, whose sign bit then tells.
            v = unsafe relaxed_fma16(load(residual + i), factor, load(x + i)) + Floats()
            unsafe storeFloats(v, to: residual + i)
        }
        let word = unsafe unsafeBitCast(v, to: Words.self)
        sum = unsafe sum + unsafeBitCast(word & 0x7FFF_FFFF, to: Floats.self)
        return fused ? word : relaxed_below16(v, Floats())
    }
    var i = 0
    while i &+ 64 <= count {
        if fused {
            unsafe prefetchGroup(x + i)
            unsafe prefetchGroup(residual + i)
        }
        let bits = relaxed_top_bits64(take(i, &sum0), take(i &+ 16, &sum1), take(i &+ 32, &sum0), take(i &+ 48, &sum1))
        unsafe out.storeBytes(of: bits, toByteOffset: i &>> 3, as: UInt64.self)
        i &+= 64
    }
    let eight = (sum0 + sum1).lowHalf + (sum0 + sum1).highHalf
    let four = eight.lowHalf + eight.highHalf
    var sum = (four.x + four.z) + (four.y + four.w)
    var byte: UInt8 = 0
    while i < count {
        var v = unsafe x[i]
        if fused {
            v = unsafe v.addingProduct(residual[i], feedback)
            unsafe residual[i] = v
        }
        sum += v.magnitude
        if v < 0 { byte |= 1 &<< UInt8(truncatingIfNeeded: i & 7) }
        if i & 7 == 7 || i == count &- 1 {
            unsafe out.storeBytes(of: byte, toByteOffset: i &>> 3, as: UInt8.self)
            byte = 0
        }
        i &+= 1
    }
    return sum
}

@inline(__always) private func prefetchGroup(_ x: UnsafePointer<Float>) {
    unsafe relaxed_prefetch(x + prefetchDistance)
    unsafe relaxed_prefetch(x + (prefetchDistance &+ 16))
    unsafe relaxed_prefetch(x + (prefetchDistance &+ 32))
    unsafe relaxed_prefetch(x + (prefetchDistance &+ 48))
}

/// v - Q(v) in place of v.
@inline(__always) private func subtractSigns(_ v: UnsafeMutablePointer<Float>, _ count: Int, _ scale: Float) {
    let plus = unsafe unsafeBitCast(Floats(repeating: scale), to: Words.self)
    @inline(__always) func row(_ v: UnsafeMutablePointer<Float>) {
        let value = unsafe load(v)
        let signed = unsafe unsafeBitCast(value, to: Words.self) & 0x8000_0000 | plus
        unsafe storeFloats(value - unsafeBitCast(signed, to: Floats.self), to: v)
    }
    var i = 0
    while i &+ 64 <= count {
        unsafe row(v + i)
        unsafe row(v + (i &+ 16))
        unsafe row(v + (i &+ 32))
        unsafe row(v + (i &+ 48))
        i &+= 64
    }
    while i < count {
        unsafe v[i] -= v[i] < 0 ? -scale : scale
        i &+= 1
    }
}

/// The sum of the squares of `count` floats in double, which does not overflow where the floats do not.
@inline(never) private func squares(_ x: UnsafePointer<Float>, count: Int) -> Double {
    var (a, b) = (SIMD8<Double>(), SIMD8<Double>())
    var i = 0
    while i &+ 16 <= count {
        let v = unsafe load(x + i)
        let (low, high) = (relaxed_low_doubles(v), relaxed_high_doubles(v))
        a = a + low * low
        b = b + high * high
        i &+= 16
    }
    var sum = total(a + b)
    while i < count {
        let value = unsafe Double(x[i])
        sum += value * value
        i &+= 1
    }
    return sum
}

@inline(never) private func magnitudes(_ x: UnsafePointer<Float>, _ count: Int) -> Double {
    var sum = 0.0
    var i = 0
    while i < count {
        unsafe sum += Double(x[i].magnitude)
        i &+= 1
    }
    return sum
}

/// Decodes buckets: y = Q(x), or y += scale * Q(x) where `adding`.
///
/// Returns the place in `from` of the first byte that no encoder writes, or -1.
///
/// - Parameter streaming: store past the caches; `y` is then a multiple of 16 bytes, and `relaxed_store_fence` comes after.
public func wideDecodeSigns(
    _ from: UnsafeRawPointer, count: Int, bucket: Int, streaming: Bool, adding: Bool, scale: Float,
    into y: UnsafeMutablePointer<Float>
) -> Int {
    let sink = Sink(streaming: streaming, adding: adding)
    var at = 0
    var start = 0
    while start < count {
        let size = count &- start < bucket ? count &- start : bucket
        let magnitude = unsafe from.loadUnaligned(fromByteOffset: at, as: UInt32.self)
        guard magnitude < 0x7F80_0000 else { return at }
        let plus = Float(bitPattern: magnitude)
        let bits = unsafe from + (at &+ 4)
        at &+= 4 &+ (size &+ 7) &>> 3
        if size & 7 != 0 {
            guard unsafe (from + (at &- 1)).load(as: UInt8.self) &>> UInt8(truncatingIfNeeded: size & 7) == 0 else {
                return at &- 1
            }
        }
        switch sink {
        case .store: unsafe unpackSigns(bits, size, plus, .store, scale, y + start)
        case .stream: unsafe unpackSigns(bits, size, plus, .stream, scale, y + start)
        case .add: unsafe unpackSigns(bits, size, plus, .add, scale, y + start)
        }
        start &+= size
    }
    return -1
}

@inline(__always)
private func unpackSigns(
    _ bits: UnsafeRawPointer, _ count: Int, _ magnitude: Float, _ sink: Sink, _ scale: Float,
    _ y: UnsafeMutablePointer<Float>
) {
    let plus = Floats(repeating: magnitude)
    let minus = Floats(repeating: -magnitude)
    let factor = Floats(repeating: scale)
    var i = 0
    while i &+ 16 <= count {
        let word = unsafe bits.loadUnaligned(fromByteOffset: i &>> 3, as: UInt16.self)
        unsafe sink.put(relaxed_choose16(UInt32(word), minus, plus), at: y + i, scale: factor)
        i &+= 16
    }
    while i < count {
        let byte = unsafe bits.load(fromByteOffset: i &>> 3, as: UInt8.self)
        let value = byte &>> UInt8(truncatingIfNeeded: i & 7) & 1 == 0 ? magnitude : -magnitude
        unsafe y[i] = sink == .add ? y[i].addingProduct(value, scale) : value
        i &+= 1
    }
}
