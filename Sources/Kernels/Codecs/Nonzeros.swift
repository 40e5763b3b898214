// How sparse a vector is. Any thread, on memory that nobody writes meanwhile.

/// Whether at most `limit` of `count` floats are not zero; a NaN is not. Reads no further than it needs to, give or take a block.
public func hasNonzeros(_ x: UnsafePointer<Float>, count: Int, atMost limit: Int) -> Bool {
    if limit < 0 { return false }
    let bytes = unsafe UnsafeRawPointer(x)
    let block = 4_096
    var zeros = 0
    var start = 0
    while start < count {
        let end = min(count, start &+ block)
        // Four sums, or each addition would wait for the one before.
        var a = SIMD8<UInt32>.zero
        var b = SIMD8<UInt32>.zero
        var c = SIMD8<UInt32>.zero
        var d = SIMD8<UInt32>.zero
        var i = start
        while i &+ 32 <= end {
            unsafe a &+= zeroLanes(bytes + 4 &* i)
            unsafe b &+= zeroLanes(bytes + (4 &* i &+ 32))
            unsafe c &+= zeroLanes(bytes + (4 &* i &+ 64))
            unsafe d &+= zeroLanes(bytes + (4 &* i &+ 96))
            i &+= 32
        }
        zeros &+= Int(((a &+ b) &+ (c &+ d)).wrappedSum())
        while i < end {
            zeros &+= unsafe x[i] == 0 ? 1 : 0
            i &+= 1
        }
        start = end
        if end &- zeros > limit { return false }
    }
    return true
}

/// One for each of eight floats that is zero.
@inline(__always) private func zeroLanes(_ floats: UnsafeRawPointer) -> SIMD8<UInt32> {
    let values = unsafe floats.loadUnaligned(as: SIMD8<Float>.self)
    return SIMD8<UInt32>.zero.replacing(with: 1, where: values .== 0)
}
