// The losses of linear models: value and derivative at one prediction. Pure arithmetic; any thread.

public import Kernels

/// The loss F(z, y) of one sample as a function of its prediction z = <w, x> + b and its target y.
///
/// Worker loops are generic over the loss and specialised for it; the kind is switched over once per run (``LossKind``).
public protocol Loss: Sendable {
    /// F(z, y), for evaluation.
    static func value(_ prediction: Double, _ target: Double) -> Double
    /// dF/dz in single precision, for the worker loops.
    static func derivative(_ prediction: Float, _ target: Float) -> Float
    /// dF/dz in double precision, for full gradients.
    static func derivative(_ prediction: Double, _ target: Double) -> Double
    /// The sum of F over rows.
    static func sum(_ predictions: UnsafePointer<Float>, targets: UnsafePointer<Float>, count: Int) -> Double
}

extension Loss {
    public static func sum(_ predictions: UnsafePointer<Float>, targets: UnsafePointer<Float>, count: Int) -> Double {
        var sum = 0.0
        for row in 0..<count { unsafe sum += value(Double(predictions[row]), Double(targets[row])) }
        return sum
    }
}

/// log(1 + exp(-y z)), y = -1 or +1: logistic regression. Its second derivative is at most 1/4.
public enum LogisticLoss: Loss {
    @inlinable public static func value(_ z: Double, _ y: Double) -> Double { softplus(-y * z) }
    @inlinable public static func derivative(_ z: Float, _ y: Float) -> Float { -y * sigmoid(-y * z) }
    @inlinable public static func derivative(_ z: Double, _ y: Double) -> Double { -y * sigmoid(-y * z) }
    public static func sum(_ predictions: UnsafePointer<Float>, targets: UnsafePointer<Float>, count: Int) -> Double {
        unsafe sumOfLogisticLosses(predictions, labels: targets, count: count)
    }
}

/// max(0, 1 - y z), y = -1 or +1: the support vector machine. The derivative at the kink is 0.
public enum HingeLoss: Loss {
    // Written so that NaN stays NaN: `max` and a bare comparison would call it a perfect prediction.
    @inlinable public static func value(_ z: Double, _ y: Double) -> Double { y * z >= 1 ? 0 : 1 - y * z }
    @inlinable public static func derivative(_ z: Float, _ y: Float) -> Float { y * z >= 1 ? 0 : z.isNaN ? z : -y }
    @inlinable public static func derivative(_ z: Double, _ y: Double) -> Double { y * z >= 1 ? 0 : z.isNaN ? z : -y }
}

/// (z - y)^2 / 2, any real y: least squares.
public enum SquaredLoss: Loss {
    @inlinable public static func value(_ z: Double, _ y: Double) -> Double { 0.5 * (z - y) * (z - y) }
    @inlinable public static func derivative(_ z: Float, _ y: Float) -> Float { z - y }
    @inlinable public static func derivative(_ z: Double, _ y: Double) -> Double { z - y }
}

/// Which loss a run minimises; the names are those of the command line.
public enum LossKind: String, CaseIterable, Codable, Sendable {
    case logistic
    case hinge
    case squared

    /// Whether the targets are classes (-1 and +1) rather than real numbers.
    public var isClassification: Bool { self != .squared }
}
