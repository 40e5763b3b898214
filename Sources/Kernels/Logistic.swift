// The logistic function: in single precision for the inner loop of logistic regression, in double for evaluation.

public import Glibc

/// 1 / (1 + exp(-x)) with relative error below 4e-7 + 1e-7 |x|, for |x| <= 79: no call, no table, no branch.
///
/// exp is 2^n times a polynomial of degree 5 on [0, 1) (minimax, relative error 2e-7), and n goes straight into the exponent bits.
/// Beyond 79 the argument is clamped: the result stays at 2.3e-35 or at 1.
@inlinable @inline(__always)
public func sigmoid(_ x: Float) -> Float {
    let scaled = min(max(x * -1.442_695_04, -115), 115)
    let whole = scaled.rounded(.down)
    let f = scaled - whole
    var p = Float(1.877_576_7e-3)
    p = Float(8.989_340_1e-3).addingProduct(f, p)
    p = Float(5.582_631_8e-2).addingProduct(f, p)
    p = Float(2.401_536_2e-1).addingProduct(f, p)
    p = Float(6.931_530_7e-1).addingProduct(f, p)
    p = Float(9.999_999_4e-1).addingProduct(f, p)
    let power = Float(bitPattern: UInt32(bitPattern: (Int32(whole) &+ 127) &<< 23))
    return 1 / Float(1).addingProduct(p, power)
}

/// log(1 + exp(x)) without overflow, in double precision.
@inlinable public func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }

/// 1 / (1 + exp(-x)) in double precision.
@inlinable public func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
