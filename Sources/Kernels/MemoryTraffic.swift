// What memory gives at the most, for benchmarks to print beside their own figures: a copy that bypasses the caches and a plain
// read. Any thread, on memory that no other writes meanwhile.

internal import CPlatformShims

/// target[i] = source[i] for `count` elements, with stores that go around the caches: the target is not read first.
public func copyPastCaches(into target: UnsafeMutablePointer<Float>, from source: UnsafePointer<Float>, count: Int) {
    let misplaced = Int(UInt(bitPattern: target) % 16) / 4
    var i = min(count, (4 - misplaced) % 4)
    unsafe target.update(from: source, count: i)
    while i &+ 4 <= count {
        let four = unsafe UnsafeRawPointer(source + i).loadUnaligned(as: SIMD4<Float>.self)
        unsafe relaxed_stream4(target + i, four)
        i &+= 4
    }
    relaxed_store_fence()
    unsafe (target + i).update(from: source + i, count: count - i)
}

/// The sum of `count` floats, in an order that suits the registers: a read of the memory and nothing else.
public func sum(_ values: UnsafePointer<Float>, count: Int) -> Float {
    let bytes = unsafe UnsafeRawPointer(values)
    var a = SIMD8<Float>.zero
    var b = SIMD8<Float>.zero
    var c = SIMD8<Float>.zero
    var d = SIMD8<Float>.zero
    var at = 0
    while at &+ 128 <= 4 &* count {
        unsafe a += bytes.loadUnaligned(fromByteOffset: at, as: SIMD8<Float>.self)
        unsafe b += bytes.loadUnaligned(fromByteOffset: at &+ 32, as: SIMD8<Float>.self)
        unsafe c += bytes.loadUnaligned(fromByteOffset: at &+ 64, as: SIMD8<Float>.self)
        unsafe d += bytes.loadUnaligned(fromByteOffset: at &+ 96, as: SIMD8<Float>.self)
        at &+= 128
    }
    var total = ((a + b) + (c + d)).sum()
    for i in at / 4..<count { unsafe total += values[i] }
    return total
}
