// Error feedback where what a message lacks is not known before the workers' messages have been added up. The rank's thread uses it.

internal import Kernels
internal import Platform

/// delta_n of one worker: what its share of the results lacks, rescaled where step sizes change as `ErrorFeedback` does.
final class VectorResidual {
    private let memory: PageBuffer<Float>
    private var previousStepSize: Double?

    init(count: Int) throws(InputError) { memory = try PageBuffer(count: count, hugePages: true) }

    var memoryBytes: Int { memory.byteCount }

    /// All of it, to be read or overwritten.
    var vector: FloatVector { unsafe FloatVector(start: memory.pointer, count: memory.count) }

    /// Becomes v_t = g_t + (gamma_(t-1) / gamma_t) delta_(t-1).
    func compensate(_ gradient: FloatVector, stepSize: Double) {
        precondition(stepSize > 0 && stepSize.isFinite, "a step size of \(stepSize)")
        let scale = Float((previousStepSize ?? stepSize) / stepSize)
        previousStepSize = stepSize
        guard let gradient = gradient.baseAddress else { return }
        unsafe addScaled(to: memory.pointer, scale: scale, gradient, count: memory.count)
    }

    /// Becomes delta_t = v_t - result.
    func subtract(_ result: FloatVector) {
        guard let result = result.baseAddress else { return }
        unsafe addScaled(into: memory.pointer, result, scale: -1, count: memory.count)
    }

    func add(to sum: inout [Double], weight: Double) {
        for i in sum.indices { sum[i] += weight * Double(unsafe memory.pointer[i]) }
    }

    func reset() {
        unsafe vector.update(repeating: 0)
        previousStepSize = nil
    }
}
