// Softmax and squared losses over a block of rows: value and derivative in one pass. Each worker thread runs them on memory of its own.

internal import Glibc

/// Replaces scores z (`rows` x `classes`, contiguous) by scale * (softmax(z) - one-hot label), and returns the sum of the losses
/// log(sum_k exp(z_k)) - z_label.
///
/// The largest score of a row is subtracted first, so that nothing overflows; a probability keeps 3e-7 of its value, down to 1e-38.
/// Labels are whole numbers in 0..<classes.
public func softmaxGradient(
    _ scores: UnsafeMutablePointer<Float>, labels: UnsafePointer<Float>, rows: Int, classes: Int, scale: Float
) -> Double {
    var loss = unsafe subtractMaxima(scores, labels: labels, rows: rows, classes: classes)
    unsafe exponentiate(scores, count: rows * classes)
    for row in 0..<rows {
        let z = unsafe scores + row * classes
        let sum = unsafe sumOfLanes(z, classes)
        loss += log(Double(sum))
        let share = scale / sum
        for k in 0..<classes { unsafe z[k] *= share }
        unsafe z[Int(labels[row])] -= scale
    }
    return loss
}

/// The sum of the losses of ``softmaxGradient(_:labels:rows:classes:scale:)``, and in how many rows the label has the largest score
/// (the first of equals; none where one is NaN). Overwrites the scores.
public func softmaxLoss(
    _ scores: UnsafeMutablePointer<Float>, labels: UnsafePointer<Float>, rows: Int, classes: Int
) -> (loss: Double, right: Int) {
    var right = 0
    for row in 0..<rows {
        let z = unsafe scores + row * classes
        let label = unsafe Int(labels[row])
        let best = unsafe z[label]
        var isBest = true
        for k in 0..<classes {
            // Written so that NaN is no victory.
            if unsafe k < label ? !(z[k] < best) : !(z[k] <= best) { isBest = false }
        }
        right += isBest ? 1 : 0
    }
    var loss = unsafe subtractMaxima(scores, labels: labels, rows: rows, classes: classes)
    unsafe exponentiate(scores, count: rows * classes)
    for row in 0..<rows { unsafe loss += log(Double(sumOfLanes(scores + row * classes, classes))) }
    return (loss, right)
}

/// z -= max(z) for each row; returns the sum of max(z) - z_label.
private func subtractMaxima(
    _ scores: UnsafeMutablePointer<Float>, labels: UnsafePointer<Float>, rows: Int, classes: Int
) -> Double {
    var sum = 0.0
    for row in 0..<rows {
        let z = unsafe scores + row * classes
        let largest = unsafe maximum(z, classes)
        for k in 0..<classes { unsafe z[k] -= largest }
        let label = unsafe Int(labels[row])
        precondition(label >= 0 && label < classes, "label \(label) of \(classes) classes")
        unsafe sum -= Double(z[label])
    }
    return sum
}

/// The largest of `count` > 0 values; which of them is taken for NaN is open, but the differences to it show it.
@inline(__always) private func maximum(_ values: UnsafePointer<Float>, _ count: Int) -> Float {
    var largest = unsafe values[0]
    if count < 8 {
        for k in 1..<count { unsafe largest = values[k] > largest ? values[k] : largest }
        return largest
    }
    // The last vector overlaps the one before it, which a maximum does not mind.
    let bytes = unsafe UnsafeRawPointer(values)
    var lanes = unsafe bytes.loadUnaligned(fromByteOffset: 4 &* (count &- 8), as: SIMD8<Float>.self)
    var at = 0
    while at &+ 8 < count {
        let next = unsafe bytes.loadUnaligned(fromByteOffset: 4 &* at, as: SIMD8<Float>.self)
        lanes.replace(with: next, where: next .> lanes)
        at &+= 8
    }
    for k in 0..<8 { largest = lanes[k] > largest ? lanes[k] : largest }
    return largest
}

/// The sum of `count` values in eight partial sums; the order depends on `count` alone.
@inline(__always) private func sumOfLanes(_ values: UnsafePointer<Float>, _ count: Int) -> Float {
    let bytes = unsafe UnsafeRawPointer(values)
    var lanes = SIMD8<Float>.zero
    var at = 0
    while at &+ 8 <= count {
        unsafe lanes += bytes.loadUnaligned(fromByteOffset: 4 &* at, as: SIMD8<Float>.self)
        at &+= 8
    }
    var sum = lanes.sum()
    while at < count {
        unsafe sum += values[at]
        at &+= 1
    }
    return sum
}

/// Replaces predictions z by scale * (z - y) for `count` elements, and returns the sum of (z - y)^2 / 2.
public func squaredGradient(
    _ predictions: UnsafeMutablePointer<Float>, targets: UnsafePointer<Float>, count: Int, scale: Float
) -> Double {
    var sum = 0.0
    for i in 0..<count {
        let residual = unsafe predictions[i] - targets[i]
        sum += Double(residual) * Double(residual)
        unsafe predictions[i] = scale * residual
    }
    return sum / 2
}
