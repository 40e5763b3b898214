// The matrix products of a perceptron's gradient, straight to OpenBLAS and nothing else. The benchmark's one worker runs these.

import COpenBLAS
import Platform

/// Buffers for minibatches of `batch` rows through layers of the given widths.
@safe final class StraightProducts: @unchecked Sendable {
    // Sendable: one worker runs the products, and the main thread reads the scores when it is done.
    private let widths: [Int]
    private let batch: Int
    private let memory: PageBuffer<Float>
    /// What each layer makes of the rows: the products alone, so that the next layer takes these as they are.
    private let sums: [UnsafeMutablePointer<Float>]
    private let deltas: [UnsafeMutablePointer<Float>]
    private let gradients: [UnsafeMutablePointer<Float>]
    /// Where the weights of each layer begin in the parameters.
    let weights: [Int]

    init(widths: [Int], batch: Int) throws {
        self.widths = widths
        self.batch = batch
        let layers = Array(zip(widths, widths.dropFirst()))
        weights = layers.indices.map { layers[..<$0].reduce(0) { $0 + ($1.0 + 1) * $1.1 } }
        let counts = widths.map { $0 * batch } + widths.map { $0 * batch } + layers.map { $0 * $1 }
        memory = try PageBuffer(count: counts.reduce(0, +))
        let base = unsafe memory.pointer
        let blocks = unsafe counts.indices.map { unsafe base + counts[..<$0].reduce(0, +) }
        unsafe sums = Array(blocks.prefix(widths.count))
        unsafe deltas = Array(blocks.dropFirst(widths.count).prefix(widths.count))
        unsafe gradients = blocks.suffix(layers.count)
    }

    /// The scores of the last minibatch.
    var scores: UnsafePointer<Float> { unsafe UnsafePointer(sums[widths.count - 1]) }

    /// Forward products, the products for each weight gradient and those that take it to the layer below, for contiguous rows.
    func run(_ x: UnsafePointer<Float>, parameters: UnsafePointer<Float>) {
        let b = blasint(batch)
        for k in 1..<widths.count {
            let (from, to) = (blasint(widths[k - 1]), blasint(widths[k]))
            unsafe cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasTrans, b, to, from, 1,
                k == 1 ? x : UnsafePointer(sums[k - 1]),
                from, parameters + weights[k - 1], from, 0, sums[k], to)
        }
        var delta = unsafe sums[widths.count - 1]
        for k in (1..<widths.count).reversed() {
            let (from, to) = (blasint(widths[k - 1]), blasint(widths[k]))
            unsafe cblas_sgemm(
                CblasRowMajor, CblasTrans, CblasNoTrans, to, from, b, 1, delta, to,
                k == 1 ? x : UnsafePointer(sums[k - 1]), from, 0, gradients[k - 1], from)
            if k == 1 { break }
            unsafe cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasNoTrans, b, from, to, 1, delta, to, parameters + weights[k - 1], from,
                0,
                deltas[k - 1], from)
            unsafe delta = deltas[k - 1]
        }
    }
}
