// Who computes what, so that the sum of N gradients is known without those of k workers (Tandon et al. 2017). The server's thread decodes.

internal import Glibc
internal import Platform

/// Where k + 1 divides N, groups of k + 1 workers have the same k + 1 gradients. Otherwise the last c < 2 (k + 1) of them have a cyclic code:
/// a matrix B of c by c, of which worker n sends f_n = sum_j B_nj g_j of k + 1 gradients; and for each set of c - k who have sent, numbers a
/// with sum_n a_n f_n = sum_j g_j.
///
/// The fewer gradients are coded, the better that is conditioned: of all N workers in one cycle it soon is not at all. Where float32 does not
/// hold the sums of c either, these workers are one group more, each with all c gradients.
final class GradientCode: @unchecked Sendable {
    // Sendable: what changes is the server's thread's alone, and the coordinator's when that is idle.

    /// N.
    let workers: Int
    /// k.
    let tolerated: Int
    /// c, of the last workers; 0 where gradients are repeated by all.
    let cyclic: Int
    /// Of workers who repeat the same gradients.
    let groups: Int
    /// B, of each row the k + 1 numbers that are not 0, as workers have it in float32; row 0 is that of the first of the last c workers.
    private let rows: [[Double]]
    private var decodings: [[Int]: [Double]] = [:]
    /// The largest condition number of what was decoded: by how many times a relative error of every f_n can be larger in their sum, where
    /// the g_j are alike. 1 where gradients are repeated.
    private(set) var largestCondition = 1.0

    /// - Precondition: k is in 0..<N.
    init(workers: Int, tolerated: Int) {
        precondition((0..<workers).contains(tolerated), "\(tolerated) of \(workers) workers")
        self.workers = workers
        self.tolerated = tolerated
        cyclic = Self.cyclicCount(workers: workers, tolerated: tolerated)
        groups = cyclic == 0 ? max(1, workers / (tolerated + 1)) : (workers - cyclic) / (tolerated + 1)
        rows = cyclic > 0 ? Self.waveCode(cyclic, tolerated) : []
    }

    /// About what a code takes, in bytes: its numbers while it decodes, and decodings.
    static func memoryBytes(workers: Int, tolerated: Int) -> Int {
        let cyclic = cyclicCount(workers: workers, tolerated: tolerated)
        return cyclic == 0 ? 0 : (16 * cyclic).multiplied(by: cyclic + mostDecodings / 2)
    }

    /// Decodings that are kept.
    private static let mostDecodings = 1_000

    /// Workers of groups of k + 1, who come before those of the cyclic code.
    var repeated: Int { workers - cyclic }

    /// The group of one of the first workers; what k + 1 leaves over is of the last, where it is not of a cyclic code.
    func group(of n: Int) -> Int { min(n / (tolerated + 1), groups - 1) }

    /// Whose gradients worker `n` computes, k + 1 of them, or in a group with what is left over up to 2 k + 1.
    func partitions(of n: Int) -> [Int] {
        if n < repeated {
            let first = group(of: n) * (tolerated + 1)
            return Array(first..<(cyclic == 0 && group(of: n) == groups - 1 ? workers : first + tolerated + 1))
        }
        return (0...tolerated).map { repeated + (n - repeated + $0) % cyclic }
    }

    /// B_nj for each of them.
    func coefficients(of n: Int) -> [Float] {
        n < repeated ? Array(repeating: 1, count: partitions(of: n).count) : rows[n - repeated].map { Float($0) }
    }

    // MARK: The cyclic code

    /// Up to which condition number sums in float32 are within 10^-5: errors are some 5e-8 times it, and several times that where gradients
    /// cancel in part.
    static let largestAllowed = 50.0

    static func cyclicCount(workers: Int, tolerated: Int) -> Int {
        let rest = workers % (tolerated + 1)
        let cyclic = tolerated + 1 + rest
        return rest == 0 || worstCondition(cyclic: cyclic, tolerated: tolerated) == nil ? 0 : cyclic
    }

    /// The largest condition number over all sets of missing workers: those side by side are the worst. nil where it is beyond `largestAllowed`.
    static func worstCondition(cyclic: Int, tolerated: Int) -> Double? {
        // It is 2 k where a cycle is of k + 2, and larger where it is longer.
        guard Double(cyclic) <= largestAllowed else { return nil }
        let rows = waveCode(cyclic, tolerated)
        var worst = 1.0
        for first in 0..<cyclic {
            let received = (0..<cyclic - tolerated).map { (first + $0) % cyclic }.sorted()
            guard let found = decoded(received, rows), found.condition <= largestAllowed else { return nil }
            worst = max(worst, found.condition)
        }
        return worst
    }

    /// The rows of B of `count` workers, of which any k are missed: they are orthogonal to k vectors whose elements sum to 0 and of which any
    /// k columns are independent. Of what is orthogonal to them, with the vector of ones in it, any N - k rows span all (section 4 there).
    ///
    /// The vectors are the k lowest waves on a circle of points, periodic ones for odd k and antiperiodic ones for even k: none that is a sum
    /// of them has more than k - 1 zeros (the cyclic codes of Raviv et al. 2018, for any N and k). Weighted by numbers w of alternating signs,
    /// each sums to 0. What is orthogonal to unweighted waves at k + 1 points is their divided difference, 1 / prod_j sin((p_i - p_j) / 2).
    private static func waveCode(_ count: Int, _ tolerated: Int) -> [[Double]] {
        let points = (0..<count).map { 2 * Double.pi * Double($0) / Double(count) }
        var waves: [[Double]] = tolerated.isMultiple(of: 2) ? [] : [points.map { _ in 1 }]
        var frequency = tolerated.isMultiple(of: 2) ? 0.5 : 1
        while waves.count < tolerated {
            waves += [points.map { cos(frequency * $0) }, points.map { sin(frequency * $0) }]
            frequency += 1
        }
        // Alternating signs without what they have of the waves, which are orthogonal: on the circle where the signs do not close.
        let signs = (0..<count).map { $0.isMultiple(of: 2) ? 1.0 : -1 }
        var weights = signs
        for wave in waves {
            let share = zip(wave, signs).reduce(0) { $0 + $1.0 * $1.1 } / wave.reduce(0) { $0 + $1 * $1 }
            for i in weights.indices { weights[i] -= share * wave[i] }
        }
        return (0..<count).map { n in
            // Beyond the end the points go on: an antiperiodic wave has the other sign there.
            let indices = Array(n...n + tolerated)
            let differences = indices.map { i in
                indices.reduce(1.0) { product, j in
                    i == j ? product : product / sin(Double.pi * Double(i - j) / Double(count))
                }
            }
            let row = zip(indices, differences).map { i, difference in
                let sign = i >= count && tolerated.isMultiple(of: 2) ? -1.0 : 1
                return difference * sign / weights[i % count]
            }
            return row.map { Double(Float($0 / row[0])) }
        }
    }

    // MARK: Decoding

    /// The numbers a for `received`, c - k workers of the cyclic code in ascending order, in that order; nil where they cannot be found.
    func decoding(of received: [Int]) -> [Double]? {
        if let known = decodings[received] { return known }
        guard let found = Self.decoded(received.map { $0 - repeated }, rows) else { return nil }
        if decodings.count == Self.mostDecodings { decodings = [:] }
        decodings[received] = found.numbers
        largestCondition = max(largestCondition, found.condition)
        return found.numbers
    }

    private static func decoded(_ received: [Int], _ rows: [[Double]]) -> (numbers: [Double], condition: Double)? {
        // a^T B = 1, of which c - k equations are enough: the elimination takes the largest pivots of all c.
        var columns = [[Double]](repeating: [Double](repeating: 0, count: received.count), count: rows.count)
        for (i, n) in received.enumerated() {
            for (j, value) in rows[n].enumerated() { columns[(n + j) % rows.count][i] = value }
        }
        guard let numbers = solve(rows: columns, right: [Double](repeating: 1, count: rows.count)) else { return nil }
        let sum = zip(received, numbers).reduce(0) { sum, pair in
            sum + abs(pair.1) * rows[pair.0].reduce(0) { $0 + abs($1) }
        }
        return sum.isFinite ? (numbers, sum / Double(rows.count)) : nil
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
