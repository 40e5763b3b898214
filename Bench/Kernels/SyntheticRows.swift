// Rows like those of W1, two models over them, and the loops of the contest. The benchmark's one worker runs these.

import Foundation
import Kernels
import Platform
import Synchronization

/// `count` rows of 73 nonzeros with power-law frequencies, and two models: one for the kernels, one for the plain loops.
final class SyntheticRows: Sendable {
    static let features = 47_236

    /// Nonzeros of each row; not a constant, or the compiler would unroll for it.
    let rowLength: Int
    let indices: PageBuffer<UInt32>
    let values: PageBuffer<Float>
    let model: SharedParameters
    let plainModel: PageBuffer<Float>
    let weights: PageBuffer<Float>

    init(count: Int, rowLength: Int = 73) throws {
        self.rowLength = rowLength
        indices = try PageBuffer(count: count * rowLength)
        values = try PageBuffer(count: count * rowLength)
        model = try SharedParameters(count: Self.features)
        plainModel = try PageBuffer(count: Self.features)
        weights = try PageBuffer(count: Self.features)
        var random = RandomStream(seed: 1)
        for row in 0..<count {
            var features: Set<UInt32> = []
            while features.count < rowLength {
                // The feature of rank r is drawn with a probability like 1 / (r + 30); ranks are strewn over the indices.
                let rank = Int(30 * (pow(Double(Self.features + 30) / 30, random.nextUnitDouble()) - 1))
                features.insert(UInt32(rank * 40_503 % Self.features))
            }
            for (k, feature) in features.sorted().enumerated() {
                unsafe indices.pointer[row * rowLength + k] = feature
                unsafe values.pointer[row * rowLength + k] = random.nextUnitFloat() - 0.25
            }
        }
        for j in 0..<Self.features {
            unsafe weights.pointer[j] = random.nextUnitFloat()
            model[j] = random.nextUnitFloat()
            unsafe plainModel.pointer[j] = model[j]
        }
    }

    /// Reads every byte once with wide loads: what memory allows.
    func read(indices readsIndices: Bool) -> Double {
        let valueBits = unsafe UnsafeRawPointer(values.pointer)
        let sum = unsafe sumOfWords(valueBits, values.count)
        return Double(readsIndices ? unsafe sum &+ sumOfWords(UnsafeRawPointer(indices.pointer), indices.count) : sum)
    }

    private func sumOfWords(_ words: UnsafeRawPointer, _ count: Int) -> UInt32 {
        var sum: UInt32 = 0
        for k in 0..<count { unsafe sum &+= words.load(fromByteOffset: 4 &* k, as: UInt32.self) }
        return sum
    }
}

/// The kernels of the contest, by name.
enum Kernel: String, CaseIterable {
    case dot = "sparseDot"
    case add = "sparseAdd"
    case addDecaying = "sparseAddDecaying"
    case sigmoid

    private static let scale: Float = 1e-3
    private static let decay: Float = 1e-3

    /// One pass over all rows with our kernel; a sum that depends on all results.
    func run(_ rows: SyntheticRows) -> Double {
        let length = rows.rowLength
        let model = unsafe rows.model.pointer
        var sum: Float = 0
        var total = 0.0
        var dither: UInt64 = 1
        for start in stride(from: 0, to: rows.indices.count, by: length) {
            let indices = unsafe UnsafePointer(rows.indices.pointer + start)
            let values = unsafe UnsafePointer(rows.values.pointer + start)
            switch self {
            case .dot: unsafe total += Double(sparseDot(model, indices, values, length))
            case .add: unsafe sparseAdd(model, indices, values, length, scale: Self.scale)
            case .addDecaying:
                unsafe sparseAddDecaying(
                    model, indices, values, length, scale: Self.scale, decay: Self.decay, weights: rows.weights.pointer,
                    dither: &dither)
            case .sigmoid:
                // Each waits for the one before, as a row's step waits for its own.
                for k in 0..<length { unsafe sum = Kernels.sigmoid(values[k] + 0.5 * sum) }
                total += Double(sum)
            }
        }
        if self == .add || self == .addDecaying {
            for j in 0..<SyntheticRows.features { total += Double(rows.model[j]) }
        }
        return total
    }

    /// The same with plain floats, straight down.
    func runPlain(_ rows: SyntheticRows) -> Double {
        let length = rows.rowLength
        let model = unsafe rows.plainModel.pointer
        let weights = unsafe rows.weights.pointer
        var sum: Float = 0
        var total = 0.0
        for start in stride(from: 0, to: rows.indices.count, by: length) {
            let indices = unsafe UnsafePointer(rows.indices.pointer + start)
            let values = unsafe UnsafePointer(rows.values.pointer + start)
            switch self {
            case .dot:
                var dot: Float = 0
                for k in 0..<length { unsafe dot += model[Int(indices[k])] * values[k] }
                total += Double(dot)
            case .add:
                for k in 0..<length { unsafe model[Int(indices[k])] += Self.scale * values[k] }
            case .addDecaying:
                for k in 0..<length {
                    let j = unsafe Int(indices[k])
                    unsafe model[j] = (model[j] + Self.scale * values[k]) / (1 + Self.decay * weights[j])
                }
            case .sigmoid:
                for k in 0..<length { unsafe sum = 1 / (1 + exp(-(values[k] + 0.5 * sum))) }
                total += Double(sum)
            }
        }
        if self == .add || self == .addDecaying {
            for j in 0..<SyntheticRows.features { unsafe total += Double(model[j]) }
        }
        return total
    }
}
