// The sparse hot loops: dot product and scaled addition of one row with the model. Every worker thread runs these.
//
// Memory model: the model is an array of relaxed atomic floats. Relaxed suffices because a parameter publishes nothing but
// itself: a racing reader may see an old or a new value of each coordinate, never a torn one, and a racing read-modify-write may
// lose the other's update, which is what Hogwild accepts. The same loops serve a single writer or the holder of a lock.
//
// Shape: four independent scalar chains. A relaxed load or store is a plain move, and scalar gathers are as fast as AVX2 and
// AVX-512 gathers on rows of this kind, so there is no racing vector access anywhere and ThreadSanitizer has nothing to report.

public import CPlatformShims
public import Synchronization

/// The coordinates of a model that threads may share: d relaxed atomic floats of 4 bytes each.
public typealias ParameterPointer = UnsafeMutablePointer<Atomic<Float>>

/// sum over k of model[indices[k]] * values[k], over `count` nonzeros, in float32 with four partial sums.
@inlinable @inline(__always)
public func sparseDot(
    _ model: ParameterPointer, _ indices: UnsafePointer<UInt32>, _ values: UnsafePointer<Float>, _ count: Int
) -> Float {
    var sum0: Float = 0
    var sum1: Float = 0
    var sum2: Float = 0
    var sum3: Float = 0
    var k = 0
    while k &+ 4 <= count {
        unsafe sum0.addProduct(model[Int(indices[k])].load(ordering: .relaxed), values[k])
        unsafe sum1.addProduct(model[Int(indices[k &+ 1])].load(ordering: .relaxed), values[k &+ 1])
        unsafe sum2.addProduct(model[Int(indices[k &+ 2])].load(ordering: .relaxed), values[k &+ 2])
        unsafe sum3.addProduct(model[Int(indices[k &+ 3])].load(ordering: .relaxed), values[k &+ 3])
        k &+= 4
    }
    while k < count {
        unsafe sum0.addProduct(model[Int(indices[k])].load(ordering: .relaxed), values[k])
        k &+= 1
    }
    return (sum0 + sum1) + (sum2 + sum3)
}

/// coordinates[k] = model[indices[k]] for `count` nonzeros.
@inlinable @inline(__always)
public func gather(
    _ model: ParameterPointer, _ indices: UnsafePointer<UInt32>, _ count: Int,
    into coordinates: UnsafeMutablePointer<Float>
) {
    for k in 0..<count { unsafe coordinates[k] = model[Int(indices[k])].load(ordering: .relaxed) }
}

/// sum over k of coordinates[k] * values[k], with the bits of `sparseDot` at the model that they were gathered from.
@inlinable @inline(__always)
public func gatheredDot(_ coordinates: UnsafePointer<Float>, _ values: UnsafePointer<Float>, _ count: Int) -> Float {
    var sums = SIMD4<Float>()
    var k = 0
    while k &+ 4 <= count {
        let x = unsafe UnsafeRawPointer(coordinates + k).loadUnaligned(as: SIMD4<Float>.self)
        let v = unsafe UnsafeRawPointer(values + k).loadUnaligned(as: SIMD4<Float>.self)
        sums.addProduct(x, v)
        k &+= 4
    }
    while k < count {
        unsafe sums[0].addProduct(coordinates[k], values[k])
        k &+= 1
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// model[indices[k]] += scale * values[k] for `count` nonzeros with distinct indices.
@inlinable @inline(__always)
public func sparseAdd(
    _ model: ParameterPointer, _ indices: UnsafePointer<UInt32>, _ values: UnsafePointer<Float>, _ count: Int,
    scale: Float
) {
    var k = 0
    while k &+ 4 <= count {
        unsafe addProduct(scale, values[k], to: model + Int(indices[k]))
        unsafe addProduct(scale, values[k &+ 1], to: model + Int(indices[k &+ 1]))
        unsafe addProduct(scale, values[k &+ 2], to: model + Int(indices[k &+ 2]))
        unsafe addProduct(scale, values[k &+ 3], to: model + Int(indices[k &+ 3]))
        k &+= 4
    }
    while k < count {
        unsafe addProduct(scale, values[k], to: model + Int(indices[k]))
        k &+= 1
    }
}

/// model[j] = (model[j] + scale * values[k]) / (1 + decay * weights[j]) with j = indices[k], for `count` distinct indices.
///
/// The implicit step of a quadratic penalty of weight `weights[j]` on each touched coordinate (`decayingIncrement`); it is stable for any
/// decay >= 0.
@inlinable @inline(__always)
public func sparseAddDecaying(
    _ model: ParameterPointer, _ indices: UnsafePointer<UInt32>, _ values: UnsafePointer<Float>, _ count: Int,
    scale: Float, decay: Float, weights: UnsafePointer<Float>, dither: UnsafeMutablePointer<UInt64>
) {
    if abs(scale) < 0x1p-20 {
        for k in 0..<count {
            let coordinate = unsafe model + Int(indices[k])
            let (x, step) = unsafe (coordinate.pointee.load(ordering: .relaxed), scale * values[k])
            let increment = unsafe decayingIncrement(x, moving: step, decay: decay * weights[Int(indices[k])])
            unsafe coordinate.pointee.store(ditheredSum(x, increment, step: step, dither), ordering: .relaxed)
        }
        return
    }
    // Without a call in it, which would cost the loop its registers.
    for k in 0..<count {
        let coordinate = unsafe model + Int(indices[k])
        let x = unsafe coordinate.pointee.load(ordering: .relaxed)
        let increment = unsafe decayingIncrement(
            x, moving: scale * values[k], decay: decay * weights[Int(indices[k])])
        unsafe coordinate.pointee.store(x + increment, ordering: .relaxed)
    }
}

/// x + increment; where `step`, what the row's own gradient moves x by, is next to nothing, rounded up or down at random so that the mean is
/// right: the share of x that a penalty takes is then the same again and again, and rounding to nearest would lose all of it or take too
/// much. A step of many units in the last place differs from row to row, which does the same.
///
/// - Parameter state: of the caller's thread, any number at first.
@inlinable @inline(__always)
public func ditheredSum(_ x: Float, _ increment: Float, step: Float, _ state: UnsafeMutablePointer<UInt64>) -> Float {
    let sum = x + increment
    return unsafe abs(step) < 0x1p-20 * abs(x) ? dithered(sum, lacking: increment - (sum - x), state) : sum
}

@usableFromInline func dithered(_ sum: Float, lacking: Float, _ state: UnsafeMutablePointer<UInt64>) -> Float {
    // A step of Knuth's linear congruential generator, of which the high bits serve.
    let word = unsafe state.pointee &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    unsafe state.pointee = word
    let neighbour = lacking > 0 ? sum.nextUp : sum.nextDown
    return Double(word &>> 11) * 0x1p-53 * Double(abs(neighbour - sum)) < Double(abs(lacking)) ? neighbour : sum
}

/// (x + step) / (1 + decay) - x, to a few units in its own last place: next to 1 a small decay would be rounded away.
@inlinable @inline(__always)
public func decayingIncrement(_ x: Float, moving step: Float, decay: Float) -> Float {
    // So large that nothing is left of x, and yet no infinity.
    let decay = min(decay, 0x1p40)
    return step.addingProduct(-decay, x) / (1 + decay)
}

/// One coordinate += a * b: a relaxed load and a relaxed store. Not atomic as a whole: a racing update may be lost.
@inlinable @inline(__always)
public func addProduct(_ a: Float, _ b: Float, to coordinate: ParameterPointer) {
    unsafe coordinate.pointee.store(
        coordinate.pointee.load(ordering: .relaxed).addingProduct(a, b), ordering: .relaxed)
}

/// accumulator[indices[k]] += scale * values[k], in double precision, for an accumulator with one writer.
@inlinable @inline(__always)
public func sparseAccumulate(
    _ accumulator: UnsafeMutablePointer<Double>, _ indices: UnsafePointer<UInt32>, _ values: UnsafePointer<Float>,
    _ count: Int, scale: Double
) {
    for k in 0..<count {
        unsafe accumulator[Int(indices[k])].addProduct(scale, Double(values[k]))
    }
}

/// sum over k of model[indices[k]] * values[k] in double precision; indices at or beyond `dimension` are skipped.
///
/// For evaluation, where the rows may name features that the model has never seen.
@inlinable @inline(__always)
public func sparseDotInDouble(
    _ model: ParameterPointer, dimension: Int, _ indices: UnsafePointer<UInt32>, _ values: UnsafePointer<Float>,
    _ count: Int
) -> Double {
    var sum: Double = 0
    for k in 0..<count where unsafe indices[k] < dimension {
        unsafe sum.addProduct(Double(model[Int(indices[k])].load(ordering: .relaxed)), Double(values[k]))
    }
    return sum
}

/// Asks for nonzeros that will be needed soon, at most the first 1,024 bytes of each array.
///
/// Worth its instructions only where rows are visited one at a time in random order; within a block the hardware prefetcher follows.
@inlinable @inline(__always)
public func prefetchRow(_ indices: UnsafePointer<UInt32>, _ values: UnsafePointer<Float>, _ count: Int) {
    let end = min(count, 256)
    if end <= 0 { return }
    var k = 0
    while k < end {
        unsafe prefetchForReading(indices + k)
        unsafe prefetchForReading(values + k)
        k &+= 16
    }
    // A row seldom begins with a cache line: its end may reach into one line more.
    unsafe prefetchForReading(indices + end - 1)
    unsafe prefetchForReading(values + end - 1)
}

/// Asks for one cache line.
@inlinable @inline(__always)
public func prefetchForReading(_ address: UnsafeRawPointer) { unsafe relaxed_prefetch(address) }
