// Choosing floats by magnitude: counting and collecting those at or above a threshold. Magnitudes are compared as the lower 31 bits of
// the float, whose order is the same; infinities and NaNs come out largest. One thread each on memory that is its own meanwhile.

internal import CPlatformShims

/// Writes how many of `count` floats have a magnitude of at least each of seven thresholds, which are below 2^31.
public func wideCountMagnitudes(
    _ x: UnsafePointer<Float>, count: Int, thresholds: UnsafePointer<UInt32>, into counts: UnsafeMutablePointer<Int>
) {
    let (t0, t1, t2, t3) = unsafe (
        below(thresholds[0]), below(thresholds[1]), below(thresholds[2]), below(thresholds[3])
    )
    let (t4, t5, t6) = unsafe (below(thresholds[4]), below(thresholds[5]), below(thresholds[6]))
    // A comparison that holds is -1.
    var (c0, c1, c2, c3, c4, c5, c6) = (Words(), Words(), Words(), Words(), Words(), Words(), Words())
    var i = 0
    while i &+ 16 <= count {
        let m = unsafe magnitudes(x + i)
        c0 = c0 &- relaxed_above16(m, t0)
        c1 = c1 &- relaxed_above16(m, t1)
        c2 = c2 &- relaxed_above16(m, t2)
        c3 = c3 &- relaxed_above16(m, t3)
        c4 = c4 &- relaxed_above16(m, t4)
        c5 = c5 &- relaxed_above16(m, t5)
        c6 = c6 &- relaxed_above16(m, t6)
        i &+= 16
    }
    unsafe counts[0] = total(c0)
    unsafe counts[1] = total(c1)
    unsafe counts[2] = total(c2)
    unsafe counts[3] = total(c3)
    unsafe counts[4] = total(c4)
    unsafe counts[5] = total(c5)
    unsafe counts[6] = total(c6)
    while i < count {
        let magnitude = unsafe x[i].bitPattern & 0x7FFF_FFFF
        var k = 0
        while k < 7 {
            if unsafe magnitude >= thresholds[k] { unsafe counts[k] = counts[k] &+ 1 }
            k &+= 1
        }
        i &+= 1
    }
}

/// The threshold as what a magnitude must exceed: there is one comparison of integers.
@inline(__always) private func below(_ threshold: UInt32) -> Words { Words(repeating: threshold &- 1) }

@inline(__always) private func magnitudes(_ x: UnsafePointer<Float>) -> Words {
    unsafe unsafeBitCast(load(x), to: Words.self) & 0x7FFF_FFFF
}

@inline(__always) private func total(_ counts: Words) -> Int {
    var sum = 0
    var lane = 0
    while lane < 16 {
        sum &+= Int(counts[lane])
        lane &+= 1
    }
    return sum
}

/// Appends those of `count` floats whose magnitude is at least `threshold`, below 2^31, with their places, which start at `first`.
///
/// Returns how many, or -1 where more than `capacity` - 64 would be. Writes up to 64 elements beyond those that it counts.
public func wideCollectMagnitudes(
    _ x: UnsafePointer<Float>, count: Int, threshold: UInt32, first: UInt16, capacity: Int,
    places: UnsafeMutablePointer<UInt16>, values: UnsafeMutablePointer<Float>
) -> Int {
    let least = below(threshold)
    var found = 0
    var i = 0
    @inline(__always) func row(_ from: UnsafePointer<Float>) -> Words {
        unsafe relaxed_above16(magnitudes(from), least)
    }
    while i &+ 64 <= count {
        let from = unsafe x + i
        let mask = unsafe relaxed_top_bits64(row(from), row(from + 16), row(from + 32), row(from + 48))
        guard found &+ 64 <= capacity else { return -1 }
        let place = first &+ UInt16(truncatingIfNeeded: i)
        unsafe append(mask, from, place, places, values, &found)
        i &+= 64
    }
    guard found &+ 64 <= capacity else { return -1 }
    while i < count {
        if unsafe x[i].bitPattern & 0x7FFF_FFFF >= threshold {
            unsafe places[found] = first &+ UInt16(truncatingIfNeeded: i)
            unsafe values[found] = x[i]
            found &+= 1
        }
        i &+= 1
    }
    return found
}

/// Appends the elements of sixty-four whose bits are set.
@inline(__always)
private func append(
    _ mask: UInt64, _ from: UnsafePointer<Float>, _ first: UInt16, _ places: UnsafeMutablePointer<UInt16>,
    _ values: UnsafeMutablePointer<Float>, _ found: inout Int
) {
    var mask = mask
    @inline(__always) func take() {
        let place = mask.trailingZeroBitCount & 63
        unsafe places[found] = first &+ UInt16(truncatingIfNeeded: place)
        unsafe values[found] = from[place]
    }
    // Few pass as a rule: two are taken without a branch, which would be mispredicted, and count for nothing where they are not there.
    take()
    found &+= mask == 0 ? 0 : 1
    mask &= mask &- 1
    take()
    found &+= mask == 0 ? 0 : 1
    mask &= mask &- 1
    while mask != 0 {
        take()
        found &+= 1
        mask &= mask &- 1
    }
}

/// Of `count` floats x appends each with the probability |x| / scale, or 1 where that is more, with its place, which starts at `first`.
/// Returns how many. Writes up to 64 elements beyond those that it counts.
///
/// - Parameters:
///   - draw: base and key of a `DrawBits`; a float takes 32 bits.
///   - block: the first block to draw from.
public func wideSampleMagnitudes(
    _ x: UnsafePointer<Float>, count: Int, scale: Float, draw: UnsafePointer<UInt64>, block: UInt64, first: UInt16,
    places: UnsafeMutablePointer<UInt16>, values: UnsafeMutablePointer<Float>
) -> Int {
    var drawn = unsafe DrawnWords(draw, block: block)
    let certain = Floats(repeating: scale)
    let unit = Floats(repeating: scale * 0x1p-31)
    var found = 0
    var i = 0
    @inline(__always) func row(_ from: UnsafePointer<Float>) -> Words {
        let magnitude = unsafe unsafeBitCast(magnitudes(from), to: Floats.self)
        let limit = relaxed_float_of16(relaxed_shift_right16(drawn.next(), 1)) * unit
        return relaxed_below16(limit, magnitude) | relaxed_at_least16(magnitude, certain)
    }
    while i &+ 64 <= count {
        let from = unsafe x + i
        let mask = unsafe relaxed_top_bits64(row(from), row(from + 16), row(from + 32), row(from + 48))
        let place = first &+ UInt16(truncatingIfNeeded: i)
        unsafe append(mask, from, place, places, values, &found)
        i &+= 64
    }
    while i < count {
        let limits = relaxed_float_of16(relaxed_shift_right16(drawn.next(), 1)) * unit
        var lane = 0
        while lane < 16 && i < count {
            let magnitude = unsafe x[i].magnitude
            if limits[lane] < magnitude || magnitude >= scale {
                unsafe places[found] = first &+ UInt16(truncatingIfNeeded: i)
                unsafe values[found] = x[i]
                found &+= 1
            }
            lane &+= 1
            i &+= 1
        }
    }
    return found
}

/// How many of `count` floats have at least the magnitude `threshold`, and at `sum` the sum of the magnitudes of the others, in double.
public func wideSumSmaller(
    _ x: UnsafePointer<Float>, count: Int, threshold: Float, sum: UnsafeMutablePointer<Double>
) -> Int {
    let limit = Floats(repeating: threshold)
    var large = Words()
    var (a, b) = (SIMD8<Double>(), SIMD8<Double>())
    var i = 0
    while i &+ 16 <= count {
        let m = unsafe magnitudes(x + i)
        let isLarge = unsafe relaxed_at_least16(unsafeBitCast(m, to: Floats.self), limit)
        let small = unsafe unsafeBitCast(m & ~isLarge, to: Floats.self)
        large = large &- isLarge
        a = a + relaxed_low_doubles(small)
        b = b + relaxed_high_doubles(small)
        i &+= 16
    }
    var found = total(large)
    var rest = total(a + b)
    while i < count {
        let magnitude = unsafe x[i].magnitude
        if magnitude >= threshold { found &+= 1 } else { rest += Double(magnitude) }
        i &+= 1
    }
    unsafe sum.pointee = rest
    return found
}

/// Leaves v = x + factor * r in u and does with v what `wideCollectMagnitudes` does, where there is room for all; r is u, but 0 where its
/// magnitude is at least `chosen`, which is at most 2^31.
///
/// - Parameter masks: space for a word for each 64 floats: what passed is appended eight words later, when its stores are done and its
///   comparisons known, and a branch mispredicted then costs less.
public func wideCollectSums(
    _ x: UnsafePointer<Float>, feedback u: UnsafeMutablePointer<Float>, factor: Float, chosen: UInt32, count: Int,
    threshold: UInt32, first: UInt16, masks: UnsafeMutablePointer<UInt64>, places: UnsafeMutablePointer<UInt16>,
    values: UnsafeMutablePointer<Float>
) -> Int {
    let adder = Adder(factor: factor, chosen: chosen)
    let least = below(threshold)
    let lag = 512
    var found = 0
    var i = 0
    @inline(__always) func row(_ i: Int) -> Words {
        unsafe relaxed_above16(bits(of: adder.add(x + i, u + i)) & 0x7FFF_FFFF, least)
    }
    @inline(__always) func take(_ i: Int) {
        unsafe append(
            masks[i &>> 6], UnsafePointer(u + i), first &+ UInt16(truncatingIfNeeded: i), places, values, &found)
    }
    while i &+ 64 <= count {
        unsafe masks[i &>> 6] = relaxed_top_bits64(row(i), row(i &+ 16), row(i &+ 32), row(i &+ 48))
        if i >= lag { take(i &- lag) }
        i &+= 64
    }
    var rest = i < lag ? 0 : i &- lag
    while rest < i {
        take(rest)
        rest &+= 64
    }
    while i < count {
        if unsafe adder.addOne(x + i, u + i).bitPattern & 0x7FFF_FFFF >= threshold {
            unsafe places[found] = first &+ UInt16(truncatingIfNeeded: i)
            unsafe values[found] = u[i]
            found &+= 1
        }
        i &+= 1
    }
    return found
}

/// Leaves v = x + factor * r in u; r is u, but 0 where its magnitude is at least `chosen`, which is at most 2^31.
public func wideAddFeedback(
    _ x: UnsafePointer<Float>, feedback u: UnsafeMutablePointer<Float>, factor: Float, chosen: UInt32, count: Int
) {
    let adder = Adder(factor: factor, chosen: chosen)
    var i = 0
    while i &+ 16 <= count {
        _ = unsafe adder.add(x + i, u + i)
        i &+= 16
    }
    while i < count {
        _ = unsafe adder.addOne(x + i, u + i)
        i &+= 1
    }
}

/// u = 0 where its magnitude is at least `chosen`, which is at most 2^31.
public func wideClearMagnitudes(_ u: UnsafeMutablePointer<Float>, count: Int, chosen: UInt32) {
    let limit = below(chosen)
    var i = 0
    while i &+ 16 <= count {
        unsafe storeFloats(floats(of: bits(of: load(u + i)) & ~relaxed_above16(magnitudes(u + i), limit)), to: u + i)
        i &+= 16
    }
    while i < count {
        if unsafe u[i].bitPattern & 0x7FFF_FFFF >= chosen { unsafe u[i] = 0 }
        i &+= 1
    }
}

/// Adds factor * u to x but where u was chosen.
private struct Adder {
    let factor: Float
    let chosen: UInt32

    @inline(__always) func add(_ x: UnsafePointer<Float>, _ u: UnsafeMutablePointer<Float>) -> Floats {
        unsafe relaxed_prefetch(x + prefetchDistance)
        unsafe relaxed_prefetch(u + prefetchDistance)
        let left = unsafe bits(of: load(u)) & ~relaxed_above16(magnitudes(u), below(chosen))
        let v = unsafe relaxed_fma16(floats(of: left), Floats(repeating: factor), load(x))
        unsafe storeFloats(v, to: u)
        return v
    }

    @inline(__always) func addOne(_ x: UnsafePointer<Float>, _ u: UnsafeMutablePointer<Float>) -> Float {
        let left = unsafe u.pointee.bitPattern & 0x7FFF_FFFF >= chosen ? 0 : u.pointee
        unsafe u.pointee = x.pointee.addingProduct(left, factor)
        return unsafe u.pointee
    }
}
