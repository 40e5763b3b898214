// The vectors on which both sides work. Made and used on one worker.

import Kernels
import Platform

/// An input, an output and a residual of `count` floats, a multiple of 512.
final class Field: Sendable {
    let count: Int
    /// 1e-3 times Student's t with 3 degrees of freedom.
    let input: PageBuffer<Float>
    let output: PageBuffer<Float>
    let residual: PageBuffer<Float>

    init(count: Int) throws(InputError) {
        self.count = count
        input = try PageBuffer(count: count, hugePages: true)
        output = try PageBuffer(count: count, hugePages: true)
        residual = try PageBuffer(count: count, hugePages: true)
        var stream = RandomStream(seed: 42)
        for i in 0..<count { unsafe input.pointer[i] = Float(1e-3 * stream.nextStudentT()) }
        for i in 0..<count { unsafe output.pointer[i] = 0 }
        for i in 0..<count { unsafe residual.pointer[i] = 0 }
    }

    var gigabytes: Double { Double(4 * count) / 1e9 }

    /// GB of floats per second of a call, the mean over as many as take about ten milliseconds at 2 GB/s.
    func rate(_ body: () -> Void) -> Double {
        let calls = max(1, (16 << 20) / (4 * count))
        let start = monotonicNanoseconds()
        for _ in 0..<calls { body() }
        return gigabytes * Double(calls) * 1e9 / Double(monotonicNanoseconds() - start)
    }

    /// |output - input|^2.
    var squaredError: Double {
        var sum = 0.0
        for i in 0..<count {
            let difference = unsafe Double(output.pointer[i]) - Double(input.pointer[i])
            sum += difference * difference
        }
        return sum
    }
}
