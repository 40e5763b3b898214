// The activations of a multi-layer perceptron over a whole block, forwards and backwards. Each worker thread runs them on memory of
// its own.

/// target[i] = max(0, z[i]) for `count` elements; NaN for NaN. `target` may be `z`.
public func relu(into target: UnsafeMutablePointer<Float>, _ z: UnsafePointer<Float>, count: Int) {
    unsafe mapLanes(into: target, z, z, count: count) { x, _ in x.replacing(with: 0, where: x .< 0) }
}

/// delta[i] *= relu'(z[i]), which is 0 at 0, for `count` elements.
public func reluBackward(_ delta: UnsafeMutablePointer<Float>, _ z: UnsafePointer<Float>, count: Int) {
    unsafe mapLanes(into: delta, delta, z, count: count) { d, x in d.replacing(with: 0, where: x .<= 0) }
}

/// target[i] = tanh(z[i]) for `count` elements; see ``hyperbolicTangent(_:)``. `target` may be `z`.
public func tanh(into target: UnsafeMutablePointer<Float>, _ z: UnsafePointer<Float>, count: Int) {
    unsafe mapLanes(into: target, z, z, count: count) { x, _ in hyperbolicTangent(x) }
}

/// delta[i] *= tanh'(z[i]) for `count` elements, given `values[i]` = tanh(z[i]).
public func tanhBackward(_ delta: UnsafeMutablePointer<Float>, values: UnsafePointer<Float>, count: Int) {
    unsafe mapLanes(into: delta, delta, values, count: count) { d, a in d * (1 - a * a) }
}

/// target[i] = GELU(z[i]) for `count` elements, in its tanh form: x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2. `target` may be `z`.
///
/// (1 + tanh(u)) / 2 is the sigmoid of 2u, which takes one exp.
public func gelu(into target: UnsafeMutablePointer<Float>, _ z: UnsafePointer<Float>, count: Int) {
    unsafe mapLanes(into: target, z, z, count: count) { x, _ in x / (1 + exponential(-geluArgument(x))) }
}

/// delta[i] *= GELU'(z[i]) for `count` elements, tanh form.
public func geluBackward(_ delta: UnsafeMutablePointer<Float>, _ z: UnsafePointer<Float>, count: Int) {
    unsafe mapLanes(into: delta, delta, z, count: count) { d, x in
        let gate = 1 / (1 + exponential(-geluArgument(x)))
        // Far out the gate is exactly 0 or 1, and x * slope must not come to infinity times 0.
        let near = x.clamped(lowerBound: SIMD8(repeating: -16), upperBound: SIMD8(repeating: 16))
        let slope = SIMD8<Float>(repeating: 1.595_769_1).addingProduct(near * near, 0.214_064_43)
        return d * gate.addingProduct(near * slope, gate * (1 - gate))
    }
}

/// 2 sqrt(2/pi) (x + 0.044715 x^3).
@inline(__always) private func geluArgument(_ x: SIMD8<Float>) -> SIMD8<Float> {
    x * SIMD8<Float>(repeating: 1.595_769_1).addingProduct(x * x, 0.071_354_81)
}
