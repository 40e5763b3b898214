// Who computes what, so that the sum of N gradients is known without those of k workers (Tandon et al. 2017). The server's thread decodes.

internal import Glibc
internal import Kernels

/// A matrix B of N by N: worker n sends f_n = sum_j B_nj g_j, of k + 1 gradients; and for each set of workers who have sent, numbers a
/// with sum_n a_n f_n = sum_j g_j.
final class GradientCode: @unchecked Sendable {
    // Sendable: one rank's thread uses it, and the coordinator when that is idle.

    /// N.
    let workers: Int
    /// k.
    let tolerated: Int
    /// B by rows, as workers have it in float32.
    private var matrix: [Double]
    private var decodings: [[Int]: [Double]] = [:]
    /// The largest condition number of what was decoded: by how many times a relative error of every f_n can be larger in their sum, where
    /// the g_j are alike. 1 where gradients are repeated.
    private(set) var largestCondition = 1.0

    /// Where k + 1 divides N, groups of k + 1 workers have the same k + 1 gradients; otherwise those of each worker begin one further.
    ///
    /// - Precondition: k is in 0..<N.
    init(workers: Int, tolerated: Int, seed: UInt64) {
        precondition((0..<workers).contains(tolerated), "\(tolerated) of \(workers) workers")
        self.workers = workers
        self.tolerated = tolerated
        matrix = [Double](repeating: 0, count: workers * workers)
        if isRepetition {
            fill { _ in [Double](repeating: 1, count: tolerated + 1) }
        } else {
            makeCyclic(seed: seed)
        }
    }

    var isRepetition: Bool { workers.isMultiple(of: tolerated + 1) }

    /// Whose gradients worker `n` computes, k + 1 of them.
    func partitions(of n: Int) -> [Int] {
        let first = isRepetition ? n / (tolerated + 1) * (tolerated + 1) : n
        return (0...tolerated).map { (first + $0) % workers }
    }

    /// B_nj for each of them.
    func coefficients(of n: Int) -> [Float] { partitions(of: n).map { Float(matrix[n * workers + $0]) } }

    private func fill(_ row: (Int) -> [Double]) {
        for n in 0..<workers {
            for (j, value) in zip(partitions(of: n), row(n)) { matrix[n * workers + j] = Double(Float(value)) }
        }
    }

    // MARK: The cyclic code

    /// Up to which condition number the code of waves is good enough.
    private static let wellConditioned = 100.0
    /// Of how many drawn codes the best one is taken otherwise: most are conditioned a hundred times worse.
    private static let draws = 16
    /// Of how many sets of missing workers a code's condition is taken, half of them side by side, half drawn.
    private static let trials = 32

    /// Rows of B are orthogonal to k vectors whose elements sum to 0 and of which any k columns are independent: of those that span what is
    /// orthogonal to them, with the vector of ones in it, any N - k do (their section 4).
    ///
    /// They draw the vectors, and a set of missing workers may then be all but undecodable. Waves are conditioned best where k is small (as
    /// the cyclic codes of Raviv et al. 2018, for any N and k); beyond some tens of workers and k of 4 draws are better.
    private func makeCyclic(seed: UInt64) {
        var best = condition(of: waves(), seed: seed)
        if best > Self.wellConditioned {
            var kept = matrix
            for draw in 0..<Self.draws {
                var stream = RandomStream(seed: seed, for: .gradientCode, rank: UInt32(draw))
                var vectors = (0..<tolerated).map { _ in (0..<workers).map { _ in 2 * stream.nextUnitDouble() - 1 } }
                for i in vectors.indices { vectors[i][workers - 1] = -vectors[i].dropLast().reduce(0, +) }
                let found = condition(of: vectors, seed: seed)
                if found < best { (best, kept) = (found, matrix) }
            }
            matrix = kept
        }
    }

    /// The k lowest waves on a circle of N points, periodic ones for odd k and antiperiodic ones for even k: none that is a sum of them has
    /// more than k - 1 zeros. Their signs alternate from point to point, and where the circle does not close by that, they are weighted
    /// such that each sums to 0.
    private func waves() -> [[Double]] {
        let points = (0..<workers).map { 2 * Double.pi * Double($0) / Double(workers) }
        var waves: [[Double]] = tolerated.isMultiple(of: 2) ? [] : [points.map { _ in 1 }]
        var frequency = tolerated.isMultiple(of: 2) ? 0.5 : 1
        while waves.count < tolerated {
            waves += [points.map { cos(frequency * $0) }, points.map { sin(frequency * $0) }]
            frequency += 1
        }
        let signs = (0..<workers).map { $0.isMultiple(of: 2) ? 1.0 : -1 }
        func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
        let shares = solve(
            rows: waves.map { a in waves.map { product(a, $0) } }, right: waves.map { product($0, signs) })
        let weights = signs.indices.map { i in
            zip(waves, shares ?? []).reduce(signs[i]) { $0 - $1.0[i] * $1.1 }
        }
        return waves.map { wave in zip(wave, weights).map { $0 * $1 } }
    }

    /// Makes the matrix that is orthogonal to `vectors`; the largest condition number of some decodings.
    private func condition(of vectors: [[Double]], seed: UInt64) -> Double {
        fill { n in
            let others = partitions(of: n).dropFirst()
            let solution = solve(
                rows: vectors.map { vector in others.map { vector[$0] } }, right: vectors.map { -$0[n] })
            return [1] + (solution ?? others.map { _ in .infinity })
        }
        var stream = RandomStream(seed: seed, for: .gradientCode, rank: .max)
        return (0..<Self.trials).map { trial in
            var order = (0..<workers).map { ($0 + trial) % workers }
            if trial >= min(workers, Self.trials / 2) { order.shuffle(using: &stream) }
            return decoded(order.dropFirst(tolerated).sorted())?.condition ?? .infinity
        }.max() ?? .infinity
    }

    // MARK: Decoding

    /// The numbers a for `received`, N - k workers in ascending order, in that order; nil where they cannot be found.
    func decoding(of received: [Int]) -> [Double]? {
        if let known = decodings[received] { return known }
        guard let found = decoded(received) else { return nil }
        decodings[received] = found.numbers
        largestCondition = max(largestCondition, found.condition)
        return found.numbers
    }

    private func decoded(_ received: [Int]) -> (numbers: [Double], condition: Double)? {
        // a^T B = 1, of which N - k equations are enough: the elimination takes the largest pivots of all N.
        let columns = (0..<workers).map { j in received.map { matrix[$0 * workers + j] } }
        guard let numbers = solve(rows: columns, right: [Double](repeating: 1, count: workers)) else { return nil }
        let sum = zip(received, numbers).reduce(0) { sum, pair in
            let row = matrix[pair.0 * workers..<(pair.0 + 1) * workers]
            return sum + abs(pair.1) * row.reduce(0) { $0 + abs($1) }
        }
        return sum.isFinite ? (numbers, sum / Double(workers)) : nil
    }
}

/// The solution of linear equations that have one, at least as many as unknowns, by elimination with row pivots; nil where they do not
/// determine it.
private func solve(rows: [[Double]], right: [Double]) -> [Double]? {
    let unknowns = rows.first?.count ?? 0
    var rows = zip(rows, right).map { $0 + [$1] }
    for column in 0..<unknowns {
        let pivot = (column..<rows.count).max { abs(rows[$0][column]) < abs(rows[$1][column]) }
        guard let pivot, abs(rows[pivot][column]) > 0, rows[pivot][column].isFinite else { return nil }
        rows.swapAt(column, pivot)
        for i in column + 1..<rows.count where rows[i][column] != 0 {
            let factor = rows[i][column] / rows[column][column]
            for j in column...unknowns { rows[i][j] -= factor * rows[column][j] }
        }
    }
    var solution = [Double](repeating: 0, count: unknowns)
    for i in (0..<unknowns).reversed() {
        let rest = (i + 1..<unknowns).reduce(rows[i][unknowns]) { $0 - rows[i][$1] * solution[$1] }
        solution[i] = rest / rows[i][i]
    }
    return solution
}
