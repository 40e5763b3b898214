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
///   - feedback: nil, or what error feedback keeps: as many floats u as x has, then a scale for each bucket. They stand for the residual
///     r = u - scale * sign(u), so that nothing is gone over again once a scale is known: v = x + factor * r is encoded, and v and its
///     scales are left.
public func wideEncodeSigns(
    _ x: UnsafePointer<Float>, count: Int, bucket: Int, l2: Bool, feedback: UnsafeMutablePointer<Float>?,
    factor: Float, into out: UnsafeMutableRawPointer
) -> Int {
    guard let feedback = unsafe feedback else {
        return unsafe encodeBuckets(x, count, bucket, l2, UnsafeMutablePointer(mutating: x), .nothing, factor, out)
    }
    return unsafe factor == 1
        ? encodeBuckets(x, count, bucket, l2, feedback, .residual, factor, out)
        : encodeBuckets(x, count, bucket, l2, feedback, .scaledResidual, factor, out)
}

/// What is added to x.
private enum Added { case nothing, residual, scaledResidual }

/// Leaves the residual in the `count` floats that error feedback keeps, and scales of zero behind them, which stand for the same.
public func wideSettleSigns(_ feedback: UnsafeMutablePointer<Float>, count: Int, bucket: Int) {
    var scale = unsafe feedback + count
    var start = 0
    while start < count {
        unsafe subtractSigns(feedback + start, count &- start < bucket ? count &- start : bucket, scale.pointee)
        unsafe scale.pointee = 0
        unsafe scale += 1
        start &+= bucket
    }
}

@inline(__always)
private func encodeBuckets(
    _ x: UnsafePointer<Float>, _ count: Int, _ bucket: Int, _ l2: Bool, _ feedback: UnsafeMutablePointer<Float>,
    _ added: Added, _ factor: Float, _ out: UnsafeMutableRawPointer
) -> Int {
    var out = unsafe out
    var kept = unsafe feedback + count
    var start = 0
    while start < count {
        let size = count &- start < bucket ? count &- start : bucket
        let addend = unsafe Addend(added: added, scale: added == .nothing ? 0 : kept.pointee, factor: factor)
        let scale = unsafe encodeBucket(x + start, size, l2, feedback + start, addend, out)
        guard scale >= 0 else { return start }
        if added != .nothing {
            unsafe kept.pointee = scale
            unsafe kept += 1
        }
        unsafe out += 4 &+ (size &+ 7) &>> 3
        start &+= size
    }
    return -1
}

/// What error feedback adds: factor * (u - scale * sign(u)).
private struct Addend {
    let added: Added
    let scale, factor: Float
}

/// Returns the scale; -1 where something is not finite.
@inline(__always)
private func encodeBucket(
    _ x: UnsafePointer<Float>, _ count: Int, _ l2: Bool, _ feedback: UnsafeMutablePointer<Float>, _ addend: Addend,
    _ out: UnsafeMutableRawPointer
) -> Float {
    var total = 0.0
    var start = 0
    while start < count {
        let size = count &- start < 512 ? count &- start : 512
        let v = unsafe UnsafePointer(feedback + start)
        let sum = unsafe packSigns(x + start, size, feedback + start, addend, out + (4 &+ start &>> 3))
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

/// Packs the bits of x < 0, or of v = x and the addend, which is left in `feedback`; returns the sum of |x|, or of |v|.
@inline(__always)
private func packSigns(
    _ x: UnsafePointer<Float>, _ count: Int, _ feedback: UnsafeMutablePointer<Float>, _ addend: Addend,
    _ out: UnsafeMutableRawPointer
) -> Float {
    let fused = addend.added != .nothing
    let scale = unsafe unsafeBitCast(Floats(repeating: addend.scale), to: Words.self)
    let factor = Floats(repeating: addend.factor)
    var sum0 = Floats()
    var sum1 = Floats()
    @inline(__always) func take(_ i: Int, _ sum: inout Floats) -> Words {
        var v = unsafe load(x + i)
        if fused {
            v = unsafe relaxed_fma16(lessSigns(load(feedback + i), scale), factor, v)
            // The sign bit is to tell. A sum of two floats is -0.0 only where both are, and a residual never is; a negative product
            // may vanish, though, and then zero added makes -0.0 a 0.0.
            if addend.added == .scaledResidual { v = v + Floats() }
            unsafe storeFloats(v, to: feedback + i)
        }
        let word = unsafe unsafeBitCast(v, to: Words.self)
        sum = unsafe sum + unsafeBitCast(word & 0x7FFF_FFFF, to: Floats.self)
        return fused ? word : relaxed_below16(v, Floats())
    }
    var i = 0
    while i &+ 64 <= count {
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
            let kept = unsafe feedback[i]
            v = v.addingProduct(kept - (kept < 0 ? -addend.scale : addend.scale), addend.factor) + 0
            unsafe feedback[i] = v
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

/// u - scale * sign(u); u is not -0.0.
@inline(__always) private func lessSigns(_ u: Floats, _ scale: Words) -> Floats {
    let signed = unsafe unsafeBitCast(u, to: Words.self) & 0x8000_0000 | scale
    return unsafe u - unsafeBitCast(signed, to: Floats.self)
}

/// u - scale * sign(u) in place of u.
@inline(__always) private func subtractSigns(_ u: UnsafeMutablePointer<Float>, _ count: Int, _ scale: Float) {
    let word = unsafe unsafeBitCast(Floats(repeating: scale), to: Words.self)
    var i = 0
    while i &+ 16 <= count {
        unsafe storeFloats(lessSigns(load(u + i), word), to: u + i)
        i &+= 16
    }
    while i < count {
        unsafe u[i] -= u[i] < 0 ? -scale : scale
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
