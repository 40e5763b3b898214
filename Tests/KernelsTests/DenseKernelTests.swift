import Foundation
import Kernels
import Testing

@Suite struct DenseKernelTests {
    static let points: [Float] = (-900...900).map { Float($0) / 10 + 0.013 } + (-40...40).map { Float($0) * 1e-3 }

    private func map(
        _ values: [Float], _ body: (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int) -> Void
    ) -> [Float] {
        var result = [Float](repeating: 7, count: values.count + 1)
        result.withUnsafeMutableBufferPointer { body($0.baseAddress!, values, values.count) }
        #expect(result.last == 7)
        return Array(result.dropLast())
    }

    /// delta = 1 in, the slope out.
    private func slopes(
        _ values: [Float], _ body: (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int) -> Void
    ) -> [Float] {
        map(values) { target, source, count in
            target.update(repeating: 1, count: count)
            body(target, source, count)
        }
    }

    @Test func `exp and tanh keep their stated relative errors`() {
        for x in Self.points where x > -87.3 && x < 88.3 {
            let exact = exp(Double(x))
            #expect(abs(Double(exponential(SIMD8(repeating: x))[3]) / exact - 1) < 2e-7, "exp(\(x))")
        }
        for x in Self.points where x != 0 {
            let exact = Foundation.tanh(Double(x))
            #expect(abs(Double(hyperbolicTangent(SIMD8(repeating: x))[3]) / exact - 1) < 4e-7, "tanh(\(x))")
        }
        #expect(exponential(SIMD8(repeating: -.infinity))[0] < 1.3e-38)
        #expect(exponential(SIMD8(repeating: .nan))[0].isNaN && hyperbolicTangent(SIMD8(repeating: .nan))[0].isNaN)
    }

    @Test(arguments: [0, 1, 7, 8, 9, 31]) func `activations agree with their definitions in every lane`(count: Int) {
        let z = (0..<count).map { Float($0 % 13) - 6.25 + Float($0) / 16 }
        func gelu(_ x: Double) -> Double {
            0.5 * x * (1 + Foundation.tanh(sqrt(2 / Double.pi) * (x + 0.044715 * x * x * x)))
        }
        func agree(_ found: [Float], _ plain: (Double) -> Double) -> Bool {
            zip(found, z).allSatisfy { abs(Double($0) - plain(Double($1))) < 4e-6 }
        }
        func slope(_ body: @escaping (Double) -> Double) -> (Double) -> Double {
            { (body($0 + 1e-4) - body($0 - 1e-4)) / 2e-4 }
        }
        #expect(map(z) { relu(into: $0, $1, count: $2) } == z.map { max(0, $0) })
        #expect(slopes(z) { reluBackward($0, $1, count: $2) } == z.map { $0 > 0 ? 1 : 0 })
        let tanhs = map(z) { Kernels.tanh(into: $0, $1, count: $2) }
        #expect(agree(tanhs) { Foundation.tanh($0) })
        #expect(agree(slopes(tanhs) { tanhBackward($0, values: $1, count: $2) }, slope { Foundation.tanh($0) }))
        #expect(agree(map(z) { Kernels.gelu(into: $0, $1, count: $2) }, gelu))
        #expect(agree(slopes(z) { geluBackward($0, $1, count: $2) }, slope(gelu)))
    }

    @Test func `activations pass NaN on and end in their limits`() {
        let z: [Float] = [.nan, -1e30, 1e30]
        let relu = map(z) { Kernels.relu(into: $0, $1, count: $2) }
        let gelu = map(z) { Kernels.gelu(into: $0, $1, count: $2) }
        let slope = slopes(z) { geluBackward($0, $1, count: $2) }
        #expect(relu[0].isNaN && relu[1...] == [0, 1e30])
        #expect(gelu[0].isNaN && abs(gelu[1]) < 1e-7 && gelu[2] == 1e30)
        #expect(slope[0].isNaN && abs(slope[1]) < 1e-7 && slope[2] == 1)
        #expect(slopes([.nan]) { reluBackward($0, $1, count: $2) } == [1])
    }

    @Test(arguments: [1, 2, 3, 7, 8, 9, 10, 17]) func `softmax agrees with its definition in double precision`(
        classes: Int
    ) {
        var stream = RandomStream(seed: UInt64(classes))
        let rows = 5
        let scores = (0..<rows * classes).map { i in
            // Row 3 is far from 0: there a plain exp would overflow.
            20 * (stream.nextUnitFloat() - 0.5) + (i / classes == 3 ? 1e4 : 0)
        }
        let labels = (0..<rows).map { _ in Float(stream.next(upperBound: UInt64(classes))) }
        var loss = 0.0
        var right = 0
        var expected: [Double] = []
        for row in 0..<rows {
            let z = scores[row * classes..<(row + 1) * classes].map { Double($0) }
            let largest = z.max()!
            let sum = z.reduce(0) { $0 + exp($1 - largest) }
            loss += log(sum) + largest - z[Int(labels[row])]
            right += z.firstIndex(of: largest) == Int(labels[row]) ? 1 : 0
            expected += z.indices.map { 0.25 * (exp(z[$0] - largest) / sum - ($0 == Int(labels[row]) ? 1 : 0)) }
        }
        var gradient = scores
        let found = gradient.withUnsafeMutableBufferPointer {
            softmaxGradient($0.baseAddress!, labels: labels, rows: rows, classes: classes, scale: 0.25)
        }
        #expect(abs(found - loss) < 1e-5 * max(1, loss))
        for (a, b) in zip(gradient, expected) { #expect(abs(Double(a) - b) < 2e-7) }
        var scratch = scores
        let figures = scratch.withUnsafeMutableBufferPointer {
            softmaxLoss($0.baseAddress!, labels: labels, rows: rows, classes: classes)
        }
        #expect(figures.loss == found && figures.right == right)
    }

    @Test(arguments: 0..<9) func `a NaN score shows in the loss and wins nothing`(position: Int) {
        var scores = [Float](repeating: 0, count: 9)
        scores[0] = 1
        scores[position] = .nan
        let figures = scores.withUnsafeMutableBufferPointer {
            softmaxLoss($0.baseAddress!, labels: [0], rows: 1, classes: 9)
        }
        #expect(figures.loss.isNaN && figures.right == 0)
    }

    @Test func `the sums of columns lose no small rows, however many`() {
        let rows = 50_000
        let block = (0..<2 * rows).map { $0 % 2 == 0 ? Float(1e-8) : -0.5 }
        var sums: [Float] = [1, 3]
        addColumnSums(into: &sums, block, width: 2, count: rows)
        #expect(sums == [Float(1 + Double(rows) * Double(Float(1e-8))), 3 - Float(rows) / 2])
        // Wider than a block of columns.
        var wide = [Float](repeating: 1, count: 1_500)
        addColumnSums(into: &wide, (0..<3_000).map { Float($0 % 1_500) }, width: 1_500, count: 2)
        #expect(wide == (0..<1_500).map { 1 + 2 * Float($0) })
    }

    @Test func `blocks are gathered, filled, summed and scaled as plain loops do`() {
        let source = (0..<28).map { Float($0) }
        let rows = [3, 0, 3]
        // Rows of 5, 7 floats apart.
        let gathered = map([Float](repeating: 0, count: 15)) { target, _, _ in
            gatherRows(into: target, from: source, stride: 7, width: 5, rows: rows, count: 3)
        }
        #expect(gathered == rows.flatMap { source[7 * $0..<7 * $0 + 5] })
        let filled = map([Float](repeating: 0, count: 15)) { target, _, _ in
            fillRows(target, with: source, width: 5, count: 3)
        }
        #expect(filled == Array(source[..<5]) + source[..<5] + source[..<5])
        let sums = slopes([Float](repeating: 0, count: 5)) { target, _, _ in
            addColumnSums(into: target, gathered, width: 5, count: 3)
        }
        #expect(sums == [43, 46, 49, 52, 55])
        let scaled = slopes(source) { target, source, count in
            addScaled(into: target, source, scale: 0.5, count: count)
        }
        #expect(scaled == source.map { 1 + 0.5 * $0 })
        var doubles = [1.0, 2]
        addScaled(into: &doubles, [3, 4], scale: 0.5, count: 2)
        #expect(doubles == [2.5, 4] && sumOfSquares([3, 4], count: 2) == 25)
        var predictions: [Float] = [1, 2, 3]
        #expect(squaredGradient(&predictions, targets: [0, 2, 5], count: 3, scale: 0.5) == 2.5)
        #expect(predictions == [0.5, 0, -1])
    }
}
