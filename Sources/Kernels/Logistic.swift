// The logistic function: in single precision for the inner loop of logistic regression, in double for evaluation.

public import Glibc

/// 1 / (1 + exp(-x)) with relative error below 4e-7 + 1e-7 |x|, for |x| <= 79; NaN for NaN: no call, no table, no branch.
///
/// exp is 2^n times a polynomial of degree 5 on [-1/2, 1/2] (minimax, relative error 8e-8), and n goes straight into the exponent
/// bits. Beyond 79 the argument is clamped: the result stays at 3e-35 or at 1. A row waits for this result between reading
/// and writing the model, so that what counts is the length of the chain: adding 1.5 * 2^23 rounds to a whole number that
/// then stands in the low bits, without a conversion, which besides would trap on NaN; the polynomial is Estrin's.
@inlinable @inline(__always)
public func sigmoid(_ x: Float) -> Float {
    // NaN fails both comparisons and passes.
    let above = -79.5 > x ? -79.5 : x
    let clamped = 79.5 < above ? 79.5 : above
    let shifter: Float = 0x1.8p23
    let shifted = shifter.addingProduct(clamped, -1.442_695_04)
    let f = (shifter - shifted).addingProduct(clamped, -1.442_695_04)
    let square = f * f
    let high = Float(9.675_541e-3).addingProduct(f, 1.327_647_3e-3)
    let middle = Float(2.402_212_0e-1).addingProduct(f, 5.550_713_1e-2)
    let low = Float(1.000_000_1).addingProduct(f, 6.931_469_4e-1)
    let p = low.addingProduct(square, middle.addingProduct(square, high))
    let power = Float(bitPattern: (shifted.bitPattern &+ 127) &<< 23)
    return 1 / Float(1).addingProduct(p, power)
}

/// log(1 + exp(x)) without overflow, in double precision.
@inlinable public func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }

/// The sum over rows of log(1 + exp(-y z)), with y = -1 or +1, in double precision; not finite where a score is NaN.
///
/// One logarithm for hundreds of rows: the factors 1 + exp(-|z|) are multiplied first. Those that 1 would swallow go by the series,
/// whose relative error is below 3e-13.
public func sumOfLogisticLosses(
    _ scores: UnsafePointer<Float>, labels: UnsafePointer<Float>, count: Int
) -> Double {
    var sum = 0.0
    var product = 1.0
    for i in 0..<count {
        let x = unsafe -Double(labels[i]) * Double(scores[i])
        let e = exp(-abs(x))
        sum += max(x, 0)
        if e < 1e-4 {
            sum += e * (1 - e * (0.5 - e / 3))
        } else {
            product *= 1 + e
            if product > 1e300 {
                sum += log(product)
                product = 1
            }
        }
    }
    return sum + log(product)
}

/// 1 / (1 + exp(-x)) in double precision.
@inlinable public func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
