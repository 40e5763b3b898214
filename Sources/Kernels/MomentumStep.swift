// The update of a dense model: one pass over gradient, velocity and model. Each worker thread runs it on memory of its own.
//
// Plain loops without branches, which the compiler turns into AVX2 with FMA; each reads and writes every element once.

/// x -= stepSize * (scale * gradient + decay * x), for `count` elements.
public func descend(
    _ x: UnsafeMutablePointer<Float>, along gradient: UnsafePointer<Float>, scale: Float, decay: Float,
    stepSize: Float, count: Int
) {
    for i in 0..<count {
        let direction = unsafe (decay * x[i]).addingProduct(scale, gradient[i])
        unsafe x[i] = x[i].addingProduct(-stepSize, direction)
    }
}

/// With g = scale * gradient + decay * x: velocity = momentum * velocity + g, x -= stepSize * velocity: the heavy ball (Polyak 1964).
public func descendHeavyBall(
    _ x: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>, along gradient: UnsafePointer<Float>,
    scale: Float, decay: Float, momentum: Float, stepSize: Float, count: Int
) {
    for i in 0..<count {
        let direction = unsafe (decay * x[i]).addingProduct(scale, gradient[i])
        let speed = unsafe direction.addingProduct(momentum, velocity[i])
        unsafe velocity[i] = speed
        unsafe x[i] = x[i].addingProduct(-stepSize, speed)
    }
}

/// As the heavy ball, but x -= stepSize * (g + momentum * velocity), the velocity being the new one: Nesterov's, as Sutskever et al.
/// (2013) write it with x at the point where the gradient is taken.
public func descendNesterov(
    _ x: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>, along gradient: UnsafePointer<Float>,
    scale: Float, decay: Float, momentum: Float, stepSize: Float, count: Int
) {
    for i in 0..<count {
        let direction = unsafe (decay * x[i]).addingProduct(scale, gradient[i])
        let speed = unsafe direction.addingProduct(momentum, velocity[i])
        unsafe velocity[i] = speed
        unsafe x[i] = x[i].addingProduct(-stepSize, direction.addingProduct(momentum, speed))
    }
}

/// values[i] *= factor, for `count` elements.
public func scale(_ values: UnsafeMutablePointer<Float>, by factor: Float, count: Int) {
    for i in 0..<count { unsafe values[i] *= factor }
}
