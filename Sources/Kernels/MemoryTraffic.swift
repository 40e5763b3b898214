// What memory gives at the most, for benchmarks to print beside their own figures: a copy that bypasses the caches and a plain
// read. Any thread, on memory that no other writes meanwhile.

internal import CPlatformShims

/// target[i] = source[i] for `count` elements, with stores that go around the caches: the target is not read first.
public func copyPastCaches(into target: UnsafeMutablePointer<Float>, from source: UnsafePointer<Float>, count: Int) {
    let misplaced = Int(UInt(bitPattern: target) % 64) / 4
    let head = min(count, (16 - misplaced) % 16)
    let lines = (count - head) / 16
    unsafe target.update(from: source, count: head)
    for line in 0..<lines { unsafe relaxed_copy_line_past_caches(target + head + 16 * line, source + head + 16 * line) }
    relaxed_store_fence()
    let done = head + 16 * lines
    unsafe (target + done).update(from: source + done, count: count - done)
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
