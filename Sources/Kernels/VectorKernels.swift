// Dense float32 vectors: addition and copying for collectives. Each worker thread runs these on memory that is its own meanwhile.
//
// Plain loops: the compiler turns them into AVX2 loads, additions and stores, since element-wise sums need no reassociation.

public import CPlatformShims

/// Asks for the lines of both that `add` and `copy` come to 1,024 bytes later, the target's to be written.
///
/// Of use where the caches of the cores still hold the vectors; on fewer bytes it only costs, and on more the processor's own
/// prefetcher is faster.
@usableFromInline enum Ahead {
    @usableFromInline static let bytes = 16 << 10...4 << 20

    @inlinable @inline(__always) static func ask(_ to: UnsafeMutableRawPointer, _ from: UnsafeRawPointer, _ at: Int) {
        unsafe relaxed_prefetch(from + (at &+ 1_024))
        unsafe relaxed_prefetch(from + (at &+ 1_088))
        unsafe relaxed_prefetch_for_writing(to + (at &+ 1_024))
        unsafe relaxed_prefetch_for_writing(to + (at &+ 1_088))
    }
}

/// target[i] += source[i] for `count` elements; the two do not overlap.
@inlinable
public func add(into target: UnsafeMutablePointer<Float>, from source: UnsafePointer<Float>, count: Int) {
    let to = UnsafeMutableRawPointer(target)
    let from = unsafe UnsafeRawPointer(source)
    let bytes = 4 &* count
    var at = 0
    let isAhead = Ahead.bytes.contains(bytes)
    while at &+ 128 <= bytes {
        if isAhead { unsafe Ahead.ask(to, from, at) }
        let a = unsafe from.loadUnaligned(fromByteOffset: at, as: SIMD8<Float>.self)
        let b = unsafe from.loadUnaligned(fromByteOffset: at &+ 32, as: SIMD8<Float>.self)
        let c = unsafe from.loadUnaligned(fromByteOffset: at &+ 64, as: SIMD8<Float>.self)
        let d = unsafe from.loadUnaligned(fromByteOffset: at &+ 96, as: SIMD8<Float>.self)
        let e = unsafe to.loadUnaligned(fromByteOffset: at, as: SIMD8<Float>.self)
        let f = unsafe to.loadUnaligned(fromByteOffset: at &+ 32, as: SIMD8<Float>.self)
        let g = unsafe to.loadUnaligned(fromByteOffset: at &+ 64, as: SIMD8<Float>.self)
        let h = unsafe to.loadUnaligned(fromByteOffset: at &+ 96, as: SIMD8<Float>.self)
        unsafe to.storeBytes(of: a + e, toByteOffset: at, as: SIMD8<Float>.self)
        unsafe to.storeBytes(of: b + f, toByteOffset: at &+ 32, as: SIMD8<Float>.self)
        unsafe to.storeBytes(of: c + g, toByteOffset: at &+ 64, as: SIMD8<Float>.self)
        unsafe to.storeBytes(of: d + h, toByteOffset: at &+ 96, as: SIMD8<Float>.self)
        at &+= 128
    }
    for i in at / 4..<count { unsafe target[i] += source[i] }
}

/// target[i] = a[i] + b[i] for `count` elements; the target overlaps neither.
@inlinable
public func add(
    into target: UnsafeMutablePointer<Float>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int
) {
    for i in 0..<count { unsafe target[i] = a[i] + b[i] }
}

/// target[i] = source[i] + scale * target[i] with one rounding, for `count` elements; the two do not overlap.
public func addScaled(
    to target: UnsafeMutablePointer<Float>, scale: Float, _ source: UnsafePointer<Float>, count: Int
) {
    for i in 0..<count { unsafe target[i] = source[i].addingProduct(target[i], scale) }
}

/// target[i] = source[i] for `count` elements; the two do not overlap.
///
/// The C library's copy takes string instructions, which are the best there is between two second-level caches; below, where they take
/// long to begin, and beyond, four registers at a time are up to a quarter faster.
@inlinable
public func copy(into target: UnsafeMutablePointer<Float>, from source: UnsafePointer<Float>, count: Int) {
    let to = UnsafeMutableRawPointer(target)
    let from = unsafe UnsafeRawPointer(source)
    let bytes = 4 * count
    var at = bytes > 2 << 10 && bytes < 1 << 20 ? bytes : 0
    if at > 0 { unsafe to.copyMemory(from: from, byteCount: bytes) }
    let isAhead = Ahead.bytes.contains(bytes)
    while at &+ 128 <= bytes {
        if isAhead { unsafe Ahead.ask(to, from, at) }
        let a = unsafe from.loadUnaligned(fromByteOffset: at, as: SIMD8<Float>.self)
        let b = unsafe from.loadUnaligned(fromByteOffset: at &+ 32, as: SIMD8<Float>.self)
        let c = unsafe from.loadUnaligned(fromByteOffset: at &+ 64, as: SIMD8<Float>.self)
        let d = unsafe from.loadUnaligned(fromByteOffset: at &+ 96, as: SIMD8<Float>.self)
        unsafe to.storeBytes(of: a, toByteOffset: at, as: SIMD8<Float>.self)
        unsafe to.storeBytes(of: b, toByteOffset: at &+ 32, as: SIMD8<Float>.self)
        unsafe to.storeBytes(of: c, toByteOffset: at &+ 64, as: SIMD8<Float>.self)
        unsafe to.storeBytes(of: d, toByteOffset: at &+ 96, as: SIMD8<Float>.self)
        at &+= 128
    }
    if at < bytes { unsafe (to + at).copyMemory(from: from + at, byteCount: bytes &- at) }
}

/// a[i] = b[i] = a[i] + b[i] for `count` elements; the two do not overlap.
///
/// Both are asked for as lines to write, some way ahead: where another core has just written one, reading it first would fetch it
/// once to read and once more to write. What no cache of the core holds is left to the processor's own prefetcher, which is faster.
@inlinable
public func addBoth(_ a: UnsafeMutablePointer<Float>, _ b: UnsafeMutablePointer<Float>, count: Int) {
    let left = UnsafeMutableRawPointer(a)
    let right = UnsafeMutableRawPointer(b)
    let bytes = 4 &* count
    let ahead = 512
    let isNear = bytes <= 4 << 20
    var at = 0
    while isNear && at < min(bytes, ahead) {
        unsafe relaxed_prefetch_for_writing(left + at)
        unsafe relaxed_prefetch_for_writing(right + at)
        at &+= 64
    }
    at = 0
    while at &+ 64 <= bytes {
        if isNear && at &+ ahead < bytes {
            unsafe relaxed_prefetch_for_writing(left + (at &+ ahead))
            unsafe relaxed_prefetch_for_writing(right + (at &+ ahead))
        }
        let low =
            unsafe left.loadUnaligned(fromByteOffset: at, as: SIMD8<Float>.self)
            + right.loadUnaligned(fromByteOffset: at, as: SIMD8<Float>.self)
        let high =
            unsafe left.loadUnaligned(fromByteOffset: at &+ 32, as: SIMD8<Float>.self)
            + right.loadUnaligned(fromByteOffset: at &+ 32, as: SIMD8<Float>.self)
        unsafe left.storeBytes(of: low, toByteOffset: at, as: SIMD8<Float>.self)
        unsafe left.storeBytes(of: high, toByteOffset: at &+ 32, as: SIMD8<Float>.self)
        unsafe right.storeBytes(of: low, toByteOffset: at, as: SIMD8<Float>.self)
        unsafe right.storeBytes(of: high, toByteOffset: at &+ 32, as: SIMD8<Float>.self)
        at &+= 64
    }
    for i in at / 4..<count {
        let sum = unsafe a[i] + b[i]
        unsafe a[i] = sum
        unsafe b[i] = sum
    }
}

/// Every vector becomes the sum of all, ((v0 + v1) + v2) + …, for `count` elements; no two overlap.
///
/// Blocks of 1,024 elements accumulate in the first-level cache, so that each vector is read once and written once.
public func addAll(_ vectors: UnsafeBufferPointer<UnsafeMutablePointer<Float>>, count: Int) {
    if vectors.count == 2 { return unsafe addBoth(vectors[0], vectors[1], count: count) }
    guard vectors.count > 2 else { return }
    let blockCount = 1_024
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: blockCount) { block in
        let sum = block.baseAddress!
        var start = 0
        while start < count {
            let size = min(blockCount, count - start)
            unsafe sum.update(from: vectors[0] + start, count: size)
            for k in 1..<vectors.count { unsafe add(into: sum, from: vectors[k] + start, count: size) }
            for k in 0..<vectors.count { unsafe (vectors[k] + start).update(from: sum, count: size) }
            start += size
        }
    }
}
