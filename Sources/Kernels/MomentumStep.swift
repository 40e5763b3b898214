// The update of a dense model: one pass over gradient, velocity and model. Each worker thread runs it on memory of its own.
//
// Plain loops without branches, which the compiler turns into AVX2 with FMA; each reads and writes every element once.

/// x -= stepSize * (scale * gradient + decay * x), for `count` elements.
///
/// - Parameter lost: what rounding has taken from x so far, `count` elements that begin at 0; it is added to the next step, so that steps
///   below half a unit in the last place of x add up (Kahan 1965). nil where that does not matter.
public func descend(
    _ x: UnsafeMutablePointer<Float>, along gradient: UnsafePointer<Float>, scale: Float, decay: Float,
    stepSize: Float, count: Int, lost: UnsafeMutablePointer<Float>? = nil
) {
    unsafe step(x, stepSize, count, lost) { i in unsafe (decay * x[i]).addingProduct(scale, gradient[i]) }
}

/// With g = scale * gradient + decay * x: velocity = momentum * velocity + g, x -= stepSize * velocity: the heavy ball (Polyak 1964).
public func descendHeavyBall(
    _ x: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>, along gradient: UnsafePointer<Float>,
    scale: Float, decay: Float, momentum: Float, stepSize: Float, count: Int, lost: UnsafeMutablePointer<Float>? = nil
) {
    unsafe step(x, stepSize, count, lost) { i in
        let direction = unsafe (decay * x[i]).addingProduct(scale, gradient[i])
        let speed = unsafe direction.addingProduct(momentum, velocity[i])
        unsafe velocity[i] = speed
        return speed
    }
}

/// As the heavy ball, but x -= stepSize * (g + momentum * velocity), the velocity being the new one: Nesterov's, as Sutskever et al.
/// (2013) write it with x at the point where the gradient is taken.
public func descendNesterov(
    _ x: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>, along gradient: UnsafePointer<Float>,
    scale: Float, decay: Float, momentum: Float, stepSize: Float, count: Int, lost: UnsafeMutablePointer<Float>? = nil
) {
    unsafe step(x, stepSize, count, lost) { i in
        let direction = unsafe (decay * x[i]).addingProduct(scale, gradient[i])
        let speed = unsafe direction.addingProduct(momentum, velocity[i])
        unsafe velocity[i] = speed
        return direction.addingProduct(momentum, speed)
    }
}

/// x[i] -= stepSize * direction(i), each i once.
@inline(__always) private func step(
    _ x: UnsafeMutablePointer<Float>, _ stepSize: Float, _ count: Int, _ lost: UnsafeMutablePointer<Float>?,
    _ direction: (Int) -> Float
) {
    guard let lost = unsafe lost else {
        for i in 0..<count { unsafe x[i] = x[i].addingProduct(-stepSize, direction(i)) }
        return
    }
    for i in 0..<count {
        let (old, increment) = unsafe (x[i], lost[i].addingProduct(-stepSize, direction(i)))
        // The sum and, exactly, what it lacks (Knuth's two-sum).
        let new = old + increment
        let added = new - old
        unsafe lost[i] = (old - (new - added)) + (increment - added)
        unsafe x[i] = new
    }
}

/// values[i] *= factor, for `count` elements.
public func scale(_ values: UnsafeMutablePointer<Float>, by factor: Float, count: Int) {
    for i in 0..<count { unsafe values[i] *= factor }
}
