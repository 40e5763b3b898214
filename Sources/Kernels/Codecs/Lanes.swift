// Eight floats at a time, from and to anywhere: what the codecs' loops are written in. Any thread.

/// The eight floats from an address on, aligned like a float or not at all.
@inline(__always) @inlinable
func load8(_ source: UnsafeRawPointer, _ index: Int) -> SIMD8<Float> {
    unsafe source.loadUnaligned(fromByteOffset: 4 &* index, as: SIMD8<Float>.self)
}

/// Writes eight floats from an address on.
@inline(__always) @inlinable
func store8(_ value: SIMD8<Float>, _ target: UnsafeMutableRawPointer, _ index: Int) {
    unsafe target.storeBytes(of: value, toByteOffset: 4 &* index, as: SIMD8<Float>.self)
}

/// The sum of the lanes in one fixed order, the same on every machine.
@inline(__always) @inlinable
func laneSum(_ v: SIMD8<Float>) -> Float {
    let four = v.lowHalf + v.highHalf
    let two = four.lowHalf + four.highHalf
    return two.x + two.y
}

/// The index of the first element that is a NaN or an infinity; `count` where there is none.
public func firstNonFinite(_ vector: UnsafePointer<Float>, count: Int) -> Int {
    for i in 0..<count where unsafe !vector[i].isFinite { return i }
    return count
}

/// The largest magnitude of finite floats; 0 where there are none.
public func largestMagnitude(_ vector: UnsafePointer<Float>, count: Int) -> Float {
    // Magnitudes are ordered like their bit patterns, and a maximum of integers vectorises.
    var largest: UInt32 = 0
    for i in 0..<count { unsafe largest = max(largest, vector[i].bitPattern & 0x7FFF_FFFF) }
    return Float(bitPattern: largest)
}
