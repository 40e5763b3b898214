// How fast a mixing matrix makes all models alike (Assumption 6 of section 5.2). One thread at a time.

internal import Glibc
public import Platform

/// The spectrum of a graph with weights.
public struct Spectrum: Sendable {
    /// Of W, or of the product of one period, by falling real part.
    public let eigenvalues: [SquareMatrix.Eigenvalue]
    /// The second-largest modulus, of a period of several rounds its `period`-th root: what a round leaves of a deviation from the mean. 0
    /// for one rank, and where nothing but rounding is left.
    public let rho: Double
    /// 1 - rho.
    public var gap: Double { 1 - rho }
    public let period: Int
    /// Whether every matrix is its transpose.
    public let isSymmetric: Bool
    /// The smallest eigenvalue, where all are real.
    public var smallest: Double? {
        eigenvalues.allSatisfy { $0.imaginary == 0 } ? eigenvalues.last?.real : nil
    }
    /// Rounds until the deviation from the mean is at most 1e-6 of what it was, from the worst start; nil where it never is, or not within
    /// 4,000 rounds one by one.
    public let roundsToConsensus: Int?
    /// How many workers' noise a worker's model averages out (Vogels et al. 2022): (1/(1 - g)) / ((1/N) sum_i s_i^2 / (1 - g s_i^2)) with
    /// the singular values s of W and g = `memory`; N on the complete graph, 1 without edges. Nil where rounds differ.
    public let effectiveNeighbours: Double?

    /// The share of its noise that a random walk keeps from one round to the next, for `effectiveNeighbours`.
    public static let memory = 0.99
    private static let consensus = 1e-6
    private static let mostRounds = 4_000

    /// Of matrices up to some thousand ranks: eigenvalues take N^3.
    public init(_ mixing: Mixing) throws(InputError) {
        let n = mixing.workers
        period = mixing.period
        let matrices = (0..<period).map { mixing.matrix(round: $0) }
        isSymmetric = matrices.allSatisfy { $0.isSymmetric() }
        var product = SquareMatrix.identity(n)
        for matrix in matrices { product = matrix * product }
        eigenvalues = try product.eigenvalues()
        let mean = 1 / Double(n)
        var uniform = SquareMatrix(count: n)
        for i in 0..<n {
            for j in 0..<n { uniform[i, j] = mean }
        }
        // The first belongs to the mean itself.
        let others = eigenvalues.map(\.modulus).sorted(by: >).dropFirst()
        let second = others.first ?? 0
        rho = second < 1e-12 * Double(n) ? 0 : min(1, root(second, period))
        roundsToConsensus = try Self.rounds(matrices, uniform, isSymmetric: isSymmetric, rho: rho)
        if period == 1 {
            let squares = try (product.transposed * product).eigenvalues().map { max(0, $0.real) }
            let noise = squares.reduce(0) { $0 + $1 / (1 - Self.memory * min(1, $1)) } / Double(n)
            effectiveNeighbours = 1 / (1 - Self.memory) / noise
        } else {
            effectiveNeighbours = nil
        }
    }

    private static func rounds(
        _ matrices: [SquareMatrix], _ uniform: SquareMatrix, isSymmetric: Bool, rho: Double
    ) throws(InputError) -> Int? {
        if matrices[0].count == 1 { return 0 }
        if matrices.count == 1 && isSymmetric {
            // The worst start is the eigenvector of rho.
            if rho >= 1 - 1e-12 { return nil }
            return rho == 0 ? 1 : max(1, Int((log(consensus) / log(rho)).rounded(.up)))
        }
        if rho >= 1 - 1e-9 { return nil }
        var deviation = SquareMatrix.identity(matrices[0].count) - uniform
        for round in 0..<mostRounds {
            deviation = matrices[round % matrices.count] * deviation
            if try deviation.spectralNorm() <= consensus { return round + 1 }
        }
        return nil
    }
}

private func root(_ x: Double, _ degree: Int) -> Double { degree == 1 ? x : pow(x, 1 / Double(degree)) }
