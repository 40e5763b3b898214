// exp of whole vectors in single precision, eight lanes at a time. Each worker thread runs it on memory of its own.

/// exp(x) for each lane with relative error below 2e-7, x clamped to [-87.3, 88.3]; NaN for NaN.
///
/// 2^n times a polynomial of degree 6 in r = x - n log 2 (Cephes' expf). log 2 is subtracted in two parts: the sum over a softmax has
/// arguments down to -87, where one rounding of n log 2 would cost 5e-6. Adding 1.5 * 2^23 rounds to a whole number that then
/// stands in the low bits.
@inlinable @inline(__always)
public func exponential(_ x: SIMD8<Float>) -> SIMD8<Float> {
    // NaN fails both comparisons and passes.
    let above = x.replacing(with: -87.3, where: x .< -87.3)
    let clamped = above.replacing(with: 88.3, where: above .> 88.3)
    let shifter = SIMD8<Float>(repeating: 0x1.8p23)
    let shifted = shifter.addingProduct(clamped, 1.442_695_04)
    let n = shifted - shifter
    let r = clamped.addingProduct(n, -0.693_359_375).addingProduct(n, 2.121_944_40e-4)
    var p = SIMD8<Float>(repeating: 1.398_199_950_7e-3).addingProduct(r, 1.987_569_150_0e-4)
    p = SIMD8(repeating: 8.333_451_907_3e-3).addingProduct(r, p)
    p = SIMD8(repeating: 4.166_579_589_4e-2).addingProduct(r, p)
    p = SIMD8(repeating: 1.666_666_545_9e-1).addingProduct(r, p)
    p = SIMD8(repeating: 5.000_000_120_1e-1).addingProduct(r, p)
    p = (r + 1).addingProduct(r * r, p)
    let bits = unsafe unsafeBitCast(shifted, to: SIMD8<UInt32>.self)
    return unsafe p * unsafeBitCast((bits &+ 127) &<< 23, to: SIMD8<Float>.self)
}

/// tanh(x) for each lane with relative error below 4e-7; NaN for NaN.
///
/// x times a ratio of polynomials in x^2 (degrees 6 and 3, minimax on [-7.9, 7.9], as in Eigen): precise near 0 too, where a form
/// with exp cancels.
@inlinable @inline(__always)
public func hyperbolicTangent(_ x: SIMD8<Float>) -> SIMD8<Float> {
    let above = x.replacing(with: -7.905_311, where: x .< -7.905_311)
    let clamped = above.replacing(with: 7.905_311, where: above .> 7.905_311)
    let square = clamped * clamped
    var p = SIMD8<Float>(repeating: 2.000_187_904_8e-13).addingProduct(square, -2.760_768_477_4e-16)
    p = SIMD8(repeating: -8.604_671_522_1e-11).addingProduct(square, p)
    p = SIMD8(repeating: 5.122_297_090_4e-8).addingProduct(square, p)
    p = SIMD8(repeating: 1.485_722_357_2e-5).addingProduct(square, p)
    p = SIMD8(repeating: 6.372_619_287_5e-4).addingProduct(square, p)
    p = SIMD8(repeating: 4.893_524_558_9e-3).addingProduct(square, p)
    var q = SIMD8<Float>(repeating: 1.185_347_056_9e-4).addingProduct(square, 1.198_258_394_7e-6)
    q = SIMD8(repeating: 2.268_434_632_4e-3).addingProduct(square, q)
    q = SIMD8(repeating: 4.893_525_185_5e-3).addingProduct(square, q)
    return clamped * p / q
}

/// target[i] = body(a[i], b[i]) for `count` elements, eight at a time; `target` may be `a` or `b`, or overlap neither.
///
/// The last lanes go through a padded copy, so that an element's result does not depend on where it stands.
@inlinable @inline(__always)
func mapLanes(
    into target: UnsafeMutablePointer<Float>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int,
    _ body: (SIMD8<Float>, SIMD8<Float>) -> SIMD8<Float>
) {
    let to = UnsafeMutableRawPointer(target)
    let first = unsafe UnsafeRawPointer(a)
    let second = unsafe UnsafeRawPointer(b)
    let whole = count & ~7
    var at = 0
    while at < whole &* 4 {
        let x = unsafe first.loadUnaligned(fromByteOffset: at, as: SIMD8<Float>.self)
        let y = unsafe second.loadUnaligned(fromByteOffset: at, as: SIMD8<Float>.self)
        unsafe to.storeBytes(of: body(x, y), toByteOffset: at, as: SIMD8<Float>.self)
        at &+= 32
    }
    if whole < count {
        var x = SIMD8<Float>.zero
        var y = SIMD8<Float>.zero
        for i in whole..<count {
            unsafe x[i - whole] = a[i]
            unsafe y[i - whole] = b[i]
        }
        let result = body(x, y)
        for i in whole..<count { unsafe target[i] = result[i - whole] }
    }
}

/// values[i] = exp(values[i]) for `count` elements; see ``exponential(_:)`` for range and error.
public func exponentiate(_ values: UnsafeMutablePointer<Float>, count: Int) {
    unsafe mapLanes(into: values, values, values, count: count) { x, _ in exponential(x) }
}
