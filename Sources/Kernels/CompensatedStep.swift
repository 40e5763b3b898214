// Steps along a gradient that is moved to where the model is now. Each worker thread runs it, alone with the vectors.
//
// Plain loops without branches, as in MomentumStep.swift.

/// x -= stepSize * (g + lambda * g * g * (x - read)), for `count` elements: g moved from `read`, where it was taken, to x by a diagonal
/// in place of the second derivative (Zheng et al. 2017, equation 10).
public func descendCompensated(
    _ x: UnsafeMutablePointer<Float>, along gradient: UnsafePointer<Float>, from read: UnsafePointer<Float>,
    lambda: Float, stepSize: Float, count: Int
) {
    for i in 0..<count {
        let (now, g) = unsafe (x[i], gradient[i])
        let moved = unsafe g.addingProduct(lambda * g * g, now - read[i])
        unsafe x[i] = now.addingProduct(-stepSize, moved)
    }
}

/// As `descendCompensated` with lambda / sqrt(m + 1e-7) for each element, m being the moving mean of its g * g: m = decay * m +
/// (1 - decay) * g * g.
public func descendCompensated(
    _ x: UnsafeMutablePointer<Float>, along gradient: UnsafePointer<Float>, from read: UnsafePointer<Float>,
    meanSquare: UnsafeMutablePointer<Float>, decay: Float, lambda: Float, stepSize: Float, count: Int
) {
    for i in 0..<count {
        let (now, g) = unsafe (x[i], gradient[i])
        let square = g * g
        let mean = unsafe (decay * meanSquare[i]).addingProduct(1 - decay, square)
        unsafe meanSquare[i] = mean
        let moved = unsafe g.addingProduct(lambda / (mean + 1e-7).squareRoot() * square, now - read[i])
        unsafe x[i] = now.addingProduct(-stepSize, moved)
    }
}
