// The dense models: softmax regression, linear least squares and multi-layer perceptrons, by their widths. Pure values; any thread.

internal import Kernels
public import Platform

/// The nonlinearity between layers; the names are those of the command line.
public enum Activation: String, CaseIterable, Codable, Sendable {
    case relu
    case tanh
    /// x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2, the tanh form.
    case gelu
}

/// What follows the last layer; the names are those of the command line.
public enum OutputLoss: String, CaseIterable, Codable, Sendable {
    /// log(sum_k exp(z_k)) - z_label over K classes.
    case softmax
    /// The sum of (z_k - y_k)^2 / 2 over the outputs.
    case squared
}

/// f(x) = (1/M) sum_m F(z(x; row m), label m) + (l2 / 2) norm(weights)^2, where z_0 = row, z_(k+1) = W_k a(z_k) + b_k, a acts on hidden
/// layers only and biases are not penalised.
///
/// Without hidden layers it is softmax regression or linear least squares. The flat parameter vector holds, layer after layer, W_k
/// (outputs x inputs, row-major) and b_k.
public struct MultilayerPerceptron: DenseObjective, Codable, Equatable {
    public let inputs: Int
    /// The widths of the hidden layers, from the input on.
    public let hidden: [Int]
    /// Classes, or real outputs.
    public let outputs: Int
    public let activation: Activation
    public let loss: OutputLoss
    /// The weight of the penalty, at least 0.
    public var l2: Double
    public let parameterCount: Int

    public var predictionsPerRow: Int { outputs }

    /// Throws where a width is below 1 or above 2^31 - 1, where a softmax has fewer than 2 classes, or where there are too many
    /// parameters to count.
    public init(
        inputs: Int, hidden: [Int] = [], outputs: Int, activation: Activation = .relu, loss: OutputLoss, l2: Double = 0
    ) throws(InputError) {
        let widths = [inputs] + hidden + [outputs]
        for width in widths where width < 1 || width > MatrixProducts.maximumExtent {
            throw InputError(
                at: "the model", found: "a layer of width \(width)", expected: "1 to \(MatrixProducts.maximumExtent)")
        }
        if loss == .softmax && outputs < 2 {
            throw InputError(at: "the model", found: "a softmax over \(outputs) class", expected: "at least 2 classes")
        }
        if !(l2 >= 0 && l2.isFinite) {
            throw InputError(at: "the model", found: "the penalty \(l2)", expected: "a finite one of at least 0")
        }
        var count = 0
        for (from, to) in zip(widths, widths.dropFirst()) {
            let (weights, overflow) = to.multipliedReportingOverflow(by: from + 1)
            let (sum, overflowOfSum) = count.addingReportingOverflow(weights)
            // The bytes must be countable, too.
            if overflow || overflowOfSum || sum > Int.max / 8 {
                throw InputError(
                    at: "the model", found: "widths \(widths.map { "\($0)" }.joined(separator: "-"))",
                    expected: "parameters that memory can hold")
            }
            count = sum
        }
        self.inputs = inputs
        self.hidden = hidden
        self.outputs = outputs
        self.activation = activation
        self.loss = loss
        self.l2 = l2
        parameterCount = count
    }

    /// One layer's place in the flat vector.
    struct Layer {
        let inputs: Int
        let outputs: Int
        /// Where W begins, outputs x inputs.
        let weights: Int
        /// Where b begins.
        var biases: Int { weights + inputs * outputs }
    }

    /// The layers, from the input on.
    var layers: [Layer] {
        let widths = [inputs] + hidden + [outputs]
        var start = 0
        return zip(widths, widths.dropFirst()).map { from, to in
            defer { start += (from + 1) * to }
            return Layer(inputs: from, outputs: to, weights: start)
        }
    }

    /// Zero without hidden layers, where the objective is convex. Else biases are 0 and weights uniform in +-limit: He's sqrt(6 / inputs)
    /// before a ReLU or GELU, Glorot's sqrt(6 / (inputs + outputs)) before a tanh and in the last layer.
    public func initialParameters(seed: UInt64) -> [Float] {
        var parameters = [Float](repeating: 0, count: parameterCount)
        guard !hidden.isEmpty else { return parameters }
        for (k, layer) in layers.enumerated() {
            let isGlorot = k == hidden.count || activation == .tanh
            let limit = (6 / Float(layer.inputs + (isGlorot ? layer.outputs : 0))).squareRoot()
            var stream = RandomStream(seed: seed, for: .modelStart, rank: UInt32(truncatingIfNeeded: k))
            for j in layer.weights..<layer.biases { parameters[j] = limit * (2 * stream.nextUnitFloat() - 1) }
        }
        return parameters
    }

    public func check(_ rows: LabelledRows, name: String) throws(InputError) {
        guard unsafe rows.width == inputs else {
            throw unsafe InputError(at: name, found: "\(rows.width) features", expected: "\(inputs), as the model has")
        }
        guard unsafe rows.stride <= MatrixProducts.maximumExtent else {
            throw unsafe InputError(
                at: name, found: "rows \(rows.stride) floats apart",
                expected: "at most \(MatrixProducts.maximumExtent)")
        }
        let labelsPerRow = loss == .softmax ? 1 : outputs
        guard let labels = unsafe rows.labels, unsafe rows.labelsPerRow == labelsPerRow else {
            throw unsafe InputError(
                at: name, found: rows.labels == nil ? "no labels" : "\(rows.labelsPerRow) labels a row",
                expected: "\(labelsPerRow) for each row")
        }
        for i in 0..<(unsafe rows.rowCount * labelsPerRow) {
            let label = unsafe labels[i]
            let isLabel =
                switch loss {
                case .softmax: label >= 0 && label < Float(outputs) && label == label.rounded()
                case .squared: label.isFinite
                }
            if !isLabel {
                throw InputError(
                    at: "\(name), row \(i / labelsPerRow + 1)", found: "the label \(label)",
                    expected: loss == .softmax ? "a class, 0 to \(outputs - 1)" : "a finite number")
            }
        }
    }

    public func penalty(at parameters: Span<Float>) -> Double {
        precondition(parameters.count == parameterCount, "\(parameters.count) parameters of \(parameterCount)")
        guard l2 > 0 else { return 0 }
        let sum = unsafe parameters.withUnsafeBufferPointer { x in
            layers.reduce(0.0) { sum, layer in
                unsafe sum + sumOfSquares(x.baseAddress! + layer.weights, count: layer.inputs * layer.outputs)
            }
        }
        return l2 / 2 * sum
    }

    public func makeWorkspace(maximumRows: Int) throws(InputError) -> any DenseWorkspace {
        try PerceptronWorkspace(self, maximumRows: maximumRows)
    }
}
