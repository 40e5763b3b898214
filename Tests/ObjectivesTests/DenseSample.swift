import Kernels
import Objectives

/// Random rows with two floats between them that must not be read, and labels for a model.
final class DenseSample: Sendable {
    let values: [Float]
    let labels: [Float]
    let rowCount: Int
    let width: Int
    let labelsPerRow: Int

    init(for model: MultilayerPerceptron, rowCount: Int, seed: UInt64 = 1) {
        self.rowCount = rowCount
        width = model.inputs
        labelsPerRow = model.loss == .softmax ? 1 : model.outputs
        var stream = RandomStream(seed: seed)
        let stride = model.inputs + 2
        values = (0..<rowCount * stride).map { $0 % stride < model.inputs ? 2 * stream.nextUnitFloat() - 1 : .nan }
        labels = (0..<rowCount * labelsPerRow).map { _ in
            model.loss == .softmax ? Float(stream.next(upperBound: UInt64(model.outputs))) : stream.nextUnitFloat()
        }
    }

    func withRows<Result>(_ body: (LabelledRows) throws -> Result) rethrows -> Result {
        try values.withUnsafeBufferPointer { values in
            try labels.withUnsafeBufferPointer { labels in
                try body(
                    LabelledRows(
                        values: values.baseAddress!, rowCount: rowCount, width: width, stride: width + 2,
                        labels: labels.baseAddress!, labelsPerRow: labelsPerRow))
            }
        }
    }

    func row(_ i: Int) -> [Double] { values[i * (width + 2)..<i * (width + 2) + width].map { Double($0) } }
    func label(_ i: Int) -> [Double] { labels[i * labelsPerRow..<(i + 1) * labelsPerRow].map { Double($0) } }
}

extension DenseWorkspace {
    /// Loss and gradient over rows, consecutive or chosen.
    func gradient(_ parameters: [Float], _ rows: LabelledRows, _ range: Range<Int>) -> (loss: Double, gradient: [Float])
    {
        // Whatever stood there before must not matter.
        var gradient = [Float](repeating: .nan, count: parameters.count)
        var span = gradient.mutableSpan
        let loss = self.gradient(at: parameters.span, of: rows, in: range, into: &span)
        return (loss, gradient)
    }

    func gradient(_ parameters: [Float], _ rows: LabelledRows, _ chosen: [Int]) -> (loss: Double, gradient: [Float]) {
        var gradient = [Float](repeating: .nan, count: parameters.count)
        var span = gradient.mutableSpan
        let loss = self.gradient(at: parameters.span, of: rows, chosen: chosen.span, into: &span)
        return (loss, gradient)
    }
}
