// Vector additions with a factor. Any thread.

/// target[i] += factor source[i] with one rounding, for `count` elements; the two do not overlap.
public func add(
    into target: UnsafeMutablePointer<Float>, from source: UnsafePointer<Float>, scaledBy factor: Float, count: Int
) {
    for i in 0..<count { unsafe target[i] = target[i].addingProduct(factor, source[i]) }
}
