import Foundation
import Objectives

/// A perceptron written down row by row in double precision, to check the blocked one against.
struct PlainPerceptron {
    let model: MultilayerPerceptron

    private func activation(_ x: Double) -> (value: Double, slope: Double) {
        switch model.activation {
        case .relu: return (max(0, x), x > 0 ? 1 : 0)
        case .tanh:
            let t = tanh(x)
            return (t, 1 - t * t)
        case .gelu:
            let c = sqrt(2 / Double.pi)
            let t = tanh(c * (x + 0.044715 * x * x * x))
            return (0.5 * x * (1 + t), 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x))
        }
    }

    /// Scores of one row.
    func scores(_ parameters: [Double], _ row: [Double]) -> [Double] { layerSums(parameters, row).last! }

    private func layerSums(_ parameters: [Double], _ row: [Double]) -> [[Double]] {
        var start = 0
        var input = row
        var all: [[Double]] = []
        for width in model.hidden + [model.outputs] {
            let sums = (0..<width).map { k in
                input.indices.reduce(parameters[start + width * input.count + k]) {
                    $0 + parameters[start + k * input.count + $1] * input[$1]
                }
            }
            all.append(sums)
            start += width * (input.count + 1)
            input = sums.map { activation($0).value }
        }
        return all
    }

    /// Mean loss without penalty, and the gradient of the objective.
    func gradient(_ parameters: [Double], rows: [[Double]], labels: [[Double]]) -> (loss: Double, gradient: [Double]) {
        var gradient = [Double](repeating: 0, count: parameters.count)
        var loss = 0.0
        for (row, label) in zip(rows, labels) {
            let sums = layerSums(parameters, row)
            var delta = sums.last!
            switch model.loss {
            case .softmax:
                let total = delta.reduce(0) { $0 + exp($1) }
                loss += log(total) - delta[Int(label[0])]
                delta = delta.enumerated().map { exp($1) / total - ($0 == Int(label[0]) ? 1 : 0) }
            case .squared:
                delta = zip(delta, label).map { $0 - $1 }
                loss += delta.reduce(0) { $0 + $1 * $1 / 2 }
            }
            var end = parameters.count
            for k in sums.indices.reversed() {
                let input = k == 0 ? row : sums[k - 1].map { activation($0).value }
                let start = end - delta.count * (input.count + 1)
                var below = [Double](repeating: 0, count: input.count)
                for (o, d) in delta.enumerated() {
                    for (i, value) in input.enumerated() {
                        let w = start + o * input.count + i
                        gradient[w] += d * value / Double(rows.count)
                        below[i] += d * parameters[w]
                    }
                    gradient[start + delta.count * input.count + o] += d / Double(rows.count)
                }
                if k > 0 { delta = zip(below, sums[k - 1]).map { $0 * activation($1).slope } }
                end = start
            }
        }
        // The penalty, on the weights of every layer.
        var start = 0
        var width = model.inputs
        for outputs in model.hidden + [model.outputs] {
            for j in start..<start + outputs * width { gradient[j] += model.l2 * parameters[j] }
            start += outputs * (width + 1)
            width = outputs
        }
        return (loss / Double(rows.count), gradient)
    }
}
