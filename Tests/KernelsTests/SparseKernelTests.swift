import Foundation
import Kernels
import Synchronization
import Testing

/// A model of d coordinates for the kernels, set from and read as an array.
private struct Model: ~Copyable {
    let pointer: ParameterPointer
    let dimension: Int

    init(_ values: [Float]) {
        dimension = values.count
        pointer = .allocate(capacity: values.count)
        for (j, value) in values.enumerated() { (pointer + j).initialize(to: Atomic(value)) }
    }

    deinit {
        pointer.deinitialize(count: dimension)
        pointer.deallocate()
    }

    var values: [Float] { (0..<dimension).map { pointer[$0].load(ordering: .relaxed) } }
}

/// Rows with every tail length of the unrolled loops; values are small multiples of 1/8, so that sums are exact in float32.
private func row(_ count: Int, dimension: Int) -> (indices: [UInt32], values: [Float]) {
    var stream = RandomStream(seed: 3, rank: UInt32(count))
    let indices = (0..<dimension).shuffled(using: &stream).prefix(count).map { UInt32($0) }.sorted()
    return (indices, indices.map { _ in Float(Int(stream.next(upperBound: 65)) - 32) / 8 })
}

@Suite struct SparseKernelTests {
    static let dimension = 64
    static let start = (0..<dimension).map { Float($0 % 7) - 3 }

    @Test(arguments: [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 33]) func `the dot product equals the plain sum`(count: Int) {
        let model = Model(Self.start)
        let (indices, values) = row(count, dimension: Self.dimension)
        let plain = zip(indices, values).reduce(Float(0)) { $0 + Self.start[Int($1.0)] * $1.1 }
        #expect(sparseDot(model.pointer, indices, values, count) == plain)
        #expect(sparseDotInDouble(model.pointer, dimension: 64, indices, values, count) == Double(plain))
        let seen = zip(indices, values).reduce(Float(0)) { $1.0 < 10 ? $0 + Self.start[Int($1.0)] * $1.1 : $0 }
        #expect(sparseDotInDouble(model.pointer, dimension: 10, indices, values, count) == Double(seen))
    }

    @Test(arguments: [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 33]) func `the scaled addition touches the row and nothing else`(
        count: Int
    ) {
        let model = Model(Self.start)
        let (indices, values) = row(count, dimension: Self.dimension)
        sparseAdd(model.pointer, indices, values, count, scale: 0.5)
        var plain = Self.start
        for (j, value) in zip(indices, values) { plain[Int(j)] += 0.5 * value }
        #expect(model.values == plain)
    }

    @Test func `the decaying addition divides what it moved by one plus decay times weight`() {
        let model = Model([1, 2, 3])
        var dither: UInt64 = 1
        sparseAddDecaying(
            model.pointer, [0, 2], [1, -2], 2, scale: 0.5, decay: 0.25, weights: [4, 9, 12], dither: &dither)
        #expect(model.values == [0.75, 2, 0.5])
    }

    @Test(arguments: [1e-12, 3e-9, 6e-8, 1e-7, 1e-4, 0.3, 7, 1e9, 1e30, 1e38] as [Float])
    func `the increment of a decay keeps its own digits`(decay: Float) {
        for (x, step) in [(1, 0), (-3, 1e-6), (0.7, -0.2), (1e-20, 1e-25)] as [(Float, Float)] {
            let expected = (Double(x) + Double(step)) / (1 + Double(decay)) - Double(x)
            // The numerator may cancel: five roundings of its parts.
            let scale = (abs(Double(step)) + Double(decay) * abs(Double(x))) / (1 + Double(decay))
            let found = Double(decayingIncrement(x, moving: step, decay: decay))
            #expect(abs(found - expected) <= 3e-7 * scale + 1e-12 * abs(Double(x)), "\(x), \(step)")
        }
    }

    @Test(arguments: [1e-9, 3e-8, 1e-7, 3e-6] as [Float])
    func `shares of a weight that a float cannot show are taken on average`(decay: Float) {
        // Of rows without a gradient, again and again; as many as to take a thousandth, at most 200,000.
        let steps = min(200_000, Int(1e-3 / decay))
        let weights = 64
        let model = Model((0..<weights).map { 1 + Float($0) / 64 })
        let indices = (0..<weights).map { UInt32($0) }
        let ones = [Float](repeating: 1, count: weights)
        var dither: UInt64 = 7
        for _ in 0..<(steps / 10) {
            sparseAddDecaying(
                model.pointer, indices, ones, weights, scale: 0, decay: decay, weights: ones, dither: &dither)
        }
        let kept = exp(-Double(steps / 10) * log1p(Double(decay)))
        let shares = model.values.enumerated().map { Double($1) / (1 + Double($0) / 64) }
        let mean = shares.reduce(0, +) / Double(weights)
        // Each rounding is off by at most 2^-23 of the weight, with mean 0 and a variance of at most p (1 - p) of that squared.
        let p = min(0.25, Double(decay) * 0x1p23)
        let standardError = 0x1p-23 * (p * Double(steps / 10) / Double(weights)).squareRoot()
        #expect(abs(mean - kept) < 4.5 * standardError + 1e-9, "\(1 - mean) taken, not \(1 - kept)")
    }

    @Test func `the sigmoid keeps its stated relative error`() {
        for i in -3_160...3_160 {
            let x = Float(i) / 40
            let error = abs(Double(sigmoid(x)) / sigmoid(Double(x)) - 1)
            #expect(error < 4e-7 + 1e-7 * Double(abs(x)), "at \(x)")
        }
        #expect(sigmoid(Float(1e30)) == 1 && sigmoid(Float(-1e30)) < 1e-30)
        #expect(sigmoid(Float.infinity) == 1 && sigmoid(-Float.infinity) < 1e-30 && sigmoid(Float.nan).isNaN)
    }
}
