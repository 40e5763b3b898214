// Floats into a message and out of it as they are, with a look at whether all are finite in the same pass. Any thread, on memory that
// is its own meanwhile.

/// Copies `count` floats, aligned or not, and answers whether all of them are finite.
public func copyFinite(into target: UnsafeMutableRawPointer, from source: UnsafeRawPointer, count: Int) -> Bool {
    unsafe passFinite(source, count: count) { at, values in
        unsafe target.storeBytes(of: values, toByteOffset: at, as: SIMD8<Float>.self)
    } one: { at, value in
        unsafe target.storeBytes(of: value, toByteOffset: at, as: Float.self)
    }
}

/// target[i] += scale * source[i] for `count` floats, aligned or not, and answers whether all of the source are finite.
public func addFinite(
    into target: UnsafeMutableRawPointer, from source: UnsafeRawPointer, scale: Float, count: Int
) -> Bool {
    unsafe passFinite(source, count: count) { at, values in
        let sums = unsafe target.loadUnaligned(fromByteOffset: at, as: SIMD8<Float>.self).addingProduct(values, scale)
        unsafe target.storeBytes(of: sums, toByteOffset: at, as: SIMD8<Float>.self)
    } one: { at, value in
        let sum = unsafe target.loadUnaligned(fromByteOffset: at, as: Float.self).addingProduct(scale, value)
        unsafe target.storeBytes(of: sum, toByteOffset: at, as: Float.self)
    }
}

/// Hands out the floats, eight at a time and the rest singly, each with its place in bytes.
@inline(__always)
private func passFinite(
    _ source: UnsafeRawPointer, count: Int, eight: (Int, SIMD8<Float>) -> Void, one: (Int, Float) -> Void
) -> Bool {
    // Magnitudes are ordered like their bits, and the bits of what is not finite come after all others.
    var largest = SIMD8<UInt32>.zero
    var largestOfRest: UInt32 = 0
    var i = 0
    while i &+ 8 <= count {
        let values = unsafe source.loadUnaligned(fromByteOffset: 4 &* i, as: SIMD8<Float>.self)
        let bits = unsafe unsafeBitCast(values, to: SIMD8<UInt32>.self) & 0x7FFF_FFFF
        largest.replace(with: bits, where: bits .> largest)
        eight(4 &* i, values)
        i &+= 8
    }
    while i < count {
        let value = unsafe source.loadUnaligned(fromByteOffset: 4 &* i, as: Float.self)
        largestOfRest = max(largestOfRest, value.bitPattern & 0x7FFF_FFFF)
        one(4 &* i, value)
        i &+= 1
    }
    return max(largest.max(), largestOfRest) < Float.infinity.bitPattern
}
