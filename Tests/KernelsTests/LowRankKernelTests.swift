import Kernels
import Testing

@Suite struct LowRankKernelTests {
    /// Whole numbers, whose sums are exact in any order.
    private func numbers(_ count: Int, seed: UInt64) -> [Float] {
        var stream = RandomStream(seed: seed)
        return (0..<count).map { _ in Float(Int(stream.next(upperBound: 15)) - 7) }
    }

    @Test(arguments: [(1, 1, 1), (1, 9, 2), (3, 8, 1), (4, 40, 3), (6, 17, 4), (9, 33, 5), (13, 7, 2)])
    func `products with a padded matrix and of the factors agree with sums written out`(
        rows: Int, columns: Int, rank: Int
    ) {
        for missing in Set([0, columns / 2, columns - 1]) {
            let count = rows * columns - missing
            let matrix = numbers(count, seed: 1)
            let right = numbers(columns * rank, seed: 2)
            let left = numbers(rows * rank, seed: 3)
            func element(_ i: Int, _ j: Int) -> Float { i * columns + j < count ? matrix[i * columns + j] : 0 }

            var padding = [Float](repeating: .nan, count: columns)
            var p = [Float](repeating: .nan, count: rows * rank)
            var q = [Float](repeating: .nan, count: columns * rank)
            matrix.withUnsafeBufferPointer { matrix in
                padding.withUnsafeMutableBufferPointer { padding in
                    let padded = PaddedMatrix(
                        matrix.baseAddress!, count: count, rows: rows, columns: columns,
                        lastRow: padding.baseAddress!)
                    multiply(padded, by: right, rank: rank, into: &p)
                    multiplyTransposed(padded, by: left, rank: rank, into: &q)
                }
            }
            for k in 0..<rank {
                for i in 0..<rows {
                    let expected = (0..<columns).reduce(Float(0)) { $0 + element(i, $1) * right[k * columns + $1] }
                    #expect(p[k * rows + i] == expected)
                }
                for j in 0..<columns {
                    let expected = (0..<rows).reduce(Float(0)) { $0 + element($1, j) * left[k * rows + $1] }
                    #expect(q[k * columns + j] == expected)
                }
            }

            for scale in [nil, 0.5] as [Float?] {
                for expand in [expandFactors, expandLargeFactors] {
                    var target = [Float](repeating: 3, count: count + 1)
                    expand(left, right, rank, rows, columns, &target, count, scale)
                    for at in 0..<count {
                        let sum = (0..<rank).reduce(Float(0)) {
                            $0 + left[$1 * rows + at / columns] * right[$1 * columns + at % columns]
                        }
                        #expect(target[at] == (scale.map { 3 + $0 * sum } ?? sum))
                    }
                    #expect(target[count] == 3)
                }
            }
        }
    }

    @Test(arguments: [0x1p-139, 1e-30, 1, 1e30] as [Float])
    func `vectors of any size become orthonormal and those that depend on others zero`(size: Float) {
        var stream = RandomStream(seed: 4)
        let (rank, length) = (5, 37)
        var vectors = (0..<rank * length).map { _ in size * (2 * stream.nextUnitFloat() - 1) }
        for i in 0..<length {
            vectors[2 * length + i] = 0
            vectors[3 * length + i] = vectors[i] / 2 + vectors[length + i]
        }
        orthonormalize(&vectors, rank: rank, length: length)
        for a in 0..<rank {
            for b in 0...a {
                let product = (0..<length).reduce(0.0) {
                    $0 + Double(vectors[a * length + $1]) * Double(vectors[b * length + $1])
                }
                // Denormals have a few bits only, so that the fourth vector need not depend on the others there.
                let isZero = a == 2 || b == 2 || (size >= .leastNormalMagnitude && (a == 3 || b == 3))
                if a == 3 && size < .leastNormalMagnitude { continue }
                #expect(abs(product - (a == b && !isZero ? 1 : 0)) < 2e-6, "\(a) \(b)")
            }
        }
    }
}
