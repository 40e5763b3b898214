// Forward and backward passes of a perceptron over blocks of rows. One worker thread uses a workspace.

internal import Kernels
internal import Platform

/// A worker's blocks: gathered rows and labels, and for each layer what the backward pass needs.
@safe final class PerceptronWorkspace: DenseWorkspace, @unchecked Sendable {
    // Sendable: one thread uses it; whoever hands it on orders the accesses.

    private let model: MultilayerPerceptron
    private let layers: [MultilayerPerceptron.Layer]
    private let maximumRows: Int
    private let memory: PageBuffer<Float>
    private let gathered: UnsafeMutablePointer<Float>
    private let gatheredLabels: UnsafeMutablePointer<Float>
    /// Of each layer, W a + b: rows x outputs.
    private let sums: [UnsafeMutablePointer<Float>]
    /// Of each hidden layer, what its activation makes of that.
    private let activations: [UnsafeMutablePointer<Float>]
    /// dF/d(sums) of two neighbouring layers.
    private let deltas: [UnsafeMutablePointer<Float>]

    init(_ model: MultilayerPerceptron, maximumRows: Int) throws(InputError) {
        precondition(maximumRows > 0, "blocks of \(maximumRows) rows")
        guard maximumRows <= MatrixProducts.maximumExtent else {
            throw InputError(
                at: "minibatch", found: "\(maximumRows) rows", expected: "at most \(MatrixProducts.maximumExtent)")
        }
        try MatrixProducts.prepare()
        self.model = model
        self.maximumRows = maximumRows
        layers = model.layers
        let widest = model.hidden.max() ?? 0
        let widths = [model.inputs, model.outputs] + layers.map(\.outputs) + model.hidden + [widest, widest]
        var starts: [Int] = []
        var count = 0
        for width in widths {
            starts.append(count)
            // Whole cache lines, so that every block is aligned alike. Widths and rows are below 2^31.
            let (sum, overflow) = count.addingReportingOverflow((width * maximumRows + 15) / 16 * 16)
            guard !overflow else {
                throw InputError(
                    at: "memory", found: "blocks of \(maximumRows) rows", expected: "a size that memory can hold")
            }
            count = sum
        }
        memory = try PageBuffer(count: count)
        let base = unsafe memory.pointer
        var blocks = unsafe starts.map { unsafe base + $0 }[...]
        unsafe gathered = unsafe blocks.removeFirst()
        unsafe gatheredLabels = unsafe blocks.removeFirst()
        unsafe sums = unsafe Array(blocks.prefix(layers.count))
        unsafe activations = unsafe Array(blocks.dropFirst(layers.count).prefix(model.hidden.count))
        unsafe deltas = unsafe blocks.suffix(2)
    }

    func gradient(
        at parameters: Span<Float>, of rows: LabelledRows, in range: Range<Int>, into gradient: inout MutableSpan<Float>
    ) -> Double {
        unsafe self.gradient(at: parameters, of: rows, selection: .range(range), into: &gradient)
    }

    func gradient(
        at parameters: Span<Float>, of rows: LabelledRows, chosen: Span<Int>, into gradient: inout MutableSpan<Float>
    ) -> Double {
        unsafe chosen.withUnsafeBufferPointer { chosen in
            unsafe self.gradient(at: parameters, of: rows, selection: .list(chosen), into: &gradient)
        }
    }

    func sums(at parameters: Span<Float>, of rows: LabelledRows, in range: Range<Int>) -> DenseSums {
        var total = DenseSums()
        unsafe withModel(parameters) { x in
            unsafe forEachBlock(of: rows, .range(range), withLabels: true) { block in
                unsafe forward(x, block)
                let scores = unsafe sums[layers.count - 1]
                switch model.loss {
                case .softmax:
                    let figures = unsafe softmaxLoss(
                        scores, labels: block.labels!, rows: block.count, classes: model.outputs)
                    total += DenseSums(loss: figures.loss, right: figures.right)
                case .squared:
                    let loss = unsafe squaredGradient(
                        scores, targets: block.labels!, count: block.count * model.outputs, scale: 1)
                    total += DenseSums(loss: loss)
                }
            }
        }
        return total
    }

    func predict(
        at parameters: Span<Float>, for rows: LabelledRows, in range: Range<Int>,
        into predictions: inout MutableSpan<Float>
    ) {
        precondition(
            predictions.count == range.count * model.outputs, "\(predictions.count) predictions of \(range.count) rows")
        unsafe predictions.withUnsafeMutableBufferPointer { predictions in
            var done = 0
            unsafe withModel(parameters) { x in
                unsafe forEachBlock(of: rows, .range(range), withLabels: false) { block in
                    unsafe forward(x, block)
                    let count = unsafe block.count * model.outputs
                    unsafe (predictions.baseAddress! + done).update(from: sums[layers.count - 1], count: count)
                    done += count
                }
            }
        }
    }

    // MARK: - Blocks

    /// The rows of a minibatch.
    @unsafe private enum Selection {
        case range(Range<Int>)
        case list(UnsafeBufferPointer<Int>)

        var count: Int {
            switch unsafe self {
            case .range(let range): range.count
            case .list(let rows): rows.count
            }
        }
    }

    /// Up to `maximumRows` rows, `stride` floats apart.
    @unsafe private struct Block {
        let values: UnsafePointer<Float>
        let stride: Int
        let labels: UnsafePointer<Float>?
        let count: Int
    }

    private func withModel(_ parameters: Span<Float>, _ body: (UnsafePointer<Float>) -> Void) {
        precondition(
            parameters.count == model.parameterCount, "\(parameters.count) parameters of \(model.parameterCount)")
        unsafe parameters.withUnsafeBufferPointer { unsafe body($0.baseAddress!) }
    }

    /// Consecutive rows are taken where they stand, others are gathered first.
    private func forEachBlock(
        of rows: LabelledRows, _ selection: Selection, withLabels: Bool, _ body: (Block) -> Void
    ) {
        precondition(unsafe rows.width == model.inputs, "rows for another model")
        let labelWidth = model.loss == .softmax ? 1 : model.outputs
        precondition(
            unsafe !withLabels || rows.labels != nil && rows.labelsPerRow == labelWidth, "labels that are none")
        let labels = unsafe withLabels ? rows.labels : nil
        let total = unsafe selection.count
        for start in stride(from: 0, to: total, by: maximumRows) {
            let count = min(maximumRows, total - start)
            switch unsafe selection {
            case .range(let range):
                precondition(unsafe range.lowerBound >= 0 && range.upperBound <= rows.rowCount, "rows \(range)")
                let first = range.lowerBound + start
                unsafe body(
                    Block(
                        values: rows.values + first * rows.stride, stride: rows.stride,
                        labels: labels.map { unsafe $0 + first * labelWidth }, count: count))
            case .list(let chosen):
                let indices = unsafe chosen.baseAddress! + start
                for i in 0..<count {
                    precondition(unsafe indices[i] >= 0 && indices[i] < rows.rowCount, "a row that is not there")
                }
                unsafe gatherRows(
                    into: gathered, from: rows.values, stride: rows.stride, width: model.inputs, rows: indices,
                    count: count)
                if let labels = unsafe labels {
                    unsafe gatherRows(
                        into: gatheredLabels, from: labels, stride: labelWidth, width: labelWidth, rows: indices,
                        count: count)
                }
                unsafe body(
                    Block(
                        values: gathered, stride: model.inputs,
                        labels: withLabels ? UnsafePointer(gatheredLabels) : nil, count: count))
            }
        }
    }

    // MARK: - Passes

    private func gradient(
        at parameters: Span<Float>, of rows: LabelledRows, selection: Selection, into gradient: inout MutableSpan<Float>
    ) -> Double {
        precondition(gradient.count == model.parameterCount, "\(gradient.count) coordinates of \(model.parameterCount)")
        let rowCount = unsafe selection.count
        precondition(rowCount > 0, "a minibatch of no rows")
        var loss = 0.0
        unsafe gradient.withUnsafeMutableBufferPointer { gradient in
            let target = gradient.baseAddress!
            unsafe withModel(parameters) { x in
                var isFirst = true
                unsafe forEachBlock(of: rows, selection, withLabels: true) { block in
                    unsafe forward(x, block)
                    unsafe loss += replaceScoresByDerivatives(block, scale: 1 / Float(rowCount))
                    unsafe backward(x, block, into: target, isFirst: isFirst)
                    isFirst = false
                }
                if model.l2 > 0 {
                    for layer in layers {
                        unsafe addScaled(
                            into: target + layer.weights, x + layer.weights, scale: Float(model.l2),
                            count: layer.inputs * layer.outputs)
                    }
                }
            }
        }
        return loss / Double(rowCount)
    }

    /// Fills `sums` and `activations` for the rows of a block.
    private func forward(_ x: UnsafePointer<Float>, _ block: Block) {
        var input = unsafe block.values
        var stride = unsafe block.stride
        let count = unsafe block.count
        for (k, layer) in layers.enumerated() {
            let sums = unsafe self.sums[k]
            unsafe fillRows(sums, with: x + layer.biases, width: layer.outputs, count: count)
            // Weights that are all zero, as those of a model without hidden layers are at the start, add nothing.
            let (weights, weightCount) = unsafe (x + layer.weights, layer.inputs * layer.outputs)
            if !(0..<weightCount).allSatisfy({ unsafe weights[$0] == 0 }) {
                unsafe MatrixProducts.timesTransposed(
                    input, stride, weights, into: sums, m: count, n: layer.outputs, k: layer.inputs, beta: 1)
            }
            if k == layers.count - 1 { break }
            let values = unsafe activations[k]
            switch model.activation {
            case .relu: unsafe relu(into: values, sums, count: count * layer.outputs)
            case .tanh: unsafe tanh(into: values, sums, count: count * layer.outputs)
            case .gelu: unsafe gelu(into: values, sums, count: count * layer.outputs)
            }
            unsafe input = UnsafePointer(values)
            stride = layer.outputs
        }
    }

    /// Turns the last layer's sums into scale * dF/d(sums); returns the sum of the losses.
    private func replaceScoresByDerivatives(_ block: Block, scale: Float) -> Double {
        let scores = unsafe sums[layers.count - 1]
        let labels = unsafe block.labels!
        let count = unsafe block.count
        switch model.loss {
        case .softmax:
            return unsafe softmaxGradient(scores, labels: labels, rows: count, classes: model.outputs, scale: scale)
        case .squared:
            return unsafe squaredGradient(scores, targets: labels, count: count * model.outputs, scale: scale)
        }
    }

    /// Adds the block's share to the gradient, or writes it where it is the first.
    private func backward(
        _ x: UnsafePointer<Float>, _ block: Block, into gradient: UnsafeMutablePointer<Float>, isFirst: Bool
    ) {
        let count = unsafe block.count
        var delta = unsafe sums[layers.count - 1]
        for k in layers.indices.reversed() {
            let layer = layers[k]
            let input = unsafe k == 0 ? block.values : UnsafePointer(activations[k - 1])
            let stride = unsafe k == 0 ? block.stride : layer.inputs
            unsafe MatrixProducts.transposedTimes(
                delta, input, stride, into: gradient + layer.weights, m: layer.outputs, n: layer.inputs, k: count,
                beta: isFirst ? 0 : 1)
            if isFirst { unsafe (gradient + layer.biases).update(repeating: 0, count: layer.outputs) }
            unsafe addColumnSums(into: gradient + layer.biases, delta, width: layer.outputs, count: count)
            if k == 0 { break }
            let below = unsafe deltas[k % 2]
            unsafe MatrixProducts.times(
                delta, x + layer.weights, into: below, m: count, n: layer.inputs, k: layer.outputs)
            switch model.activation {
            case .relu: unsafe reluBackward(below, sums[k - 1], count: count * layer.inputs)
            case .tanh: unsafe tanhBackward(below, values: activations[k - 1], count: count * layer.inputs)
            case .gelu: unsafe geluBackward(below, sums[k - 1], count: count * layer.inputs)
            }
            unsafe delta = unsafe below
        }
    }
}
