// Small dense matrices, for spectra. One thread at a time.

internal import COpenBLAS
public import Platform

/// N x N doubles, row by row.
public struct SquareMatrix: Sendable, Equatable {
    public let count: Int
    public private(set) var elements: [Double]

    /// Zeros.
    public init(count: Int) {
        self.count = count
        elements = [Double](repeating: 0, count: count * count)
    }

    public static func identity(_ count: Int) -> SquareMatrix {
        var matrix = SquareMatrix(count: count)
        for i in 0..<count { matrix[i, i] = 1 }
        return matrix
    }

    public subscript(row: Int, column: Int) -> Double {
        get { elements[row * count + column] }
        set { elements[row * count + column] = newValue }
    }

    public var rows: [[Double]] { (0..<count).map { Array(elements[$0 * count..<($0 + 1) * count]) } }

    /// Whether it is its transpose to `tolerance`.
    public func isSymmetric(within tolerance: Double = 1e-12) -> Bool {
        for i in 0..<count {
            for j in 0..<i where abs(self[i, j] - self[j, i]) > tolerance { return false }
        }
        return true
    }

    /// Whether no element is negative and all rows sum to 1, to `tolerance`.
    public func isRowStochastic(within tolerance: Double = 1e-9) -> Bool {
        elements.allSatisfy { $0 >= -tolerance } && rows.allSatisfy { abs($0.reduce(0, +) - 1) <= tolerance }
    }

    /// Whether columns sum to 1, too.
    public func isDoublyStochastic(within tolerance: Double = 1e-9) -> Bool {
        isRowStochastic(within: tolerance) && transposed.isRowStochastic(within: tolerance)
    }

    public var transposed: SquareMatrix {
        var result = self
        for i in 0..<count {
            for j in 0..<count { result[i, j] = self[j, i] }
        }
        return result
    }

    public static func * (left: SquareMatrix, right: SquareMatrix) -> SquareMatrix {
        precondition(left.count == right.count, "\(left.count) times \(right.count)")
        var result = SquareMatrix(count: left.count)
        let n = Int32(left.count)
        if n == 0 { return result }
        _ = oneThread
        unsafe cblas_dgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, left.elements, n, right.elements, n, 0,
            &result.elements, n)
        return result
    }

    public static func - (left: SquareMatrix, right: SquareMatrix) -> SquareMatrix {
        var result = left
        for i in result.elements.indices { result.elements[i] -= right.elements[i] }
        return result
    }

    // MARK: LAPACK

    /// One thread: matrices are small, and others would be waited for longer than they help.
    private static let oneThread: Void = openblas_set_num_threads(1)

    /// An eigenvalue.
    public struct Eigenvalue: Sendable, Equatable {
        public let real: Double
        public let imaginary: Double
        public var modulus: Double { (real * real + imaginary * imaginary).squareRoot() }
    }

    /// All eigenvalues, by falling real part; of a symmetric matrix by dsyev, of others by dgeev.
    public func eigenvalues() throws(InputError) -> [Eigenvalue] {
        _ = Self.oneThread
        if isSymmetric() {
            return try symmetricEigen(withVectors: false).values.map { Eigenvalue(real: $0, imaginary: 0) }
        }
        var (n, info) = (Int32(count), Int32(0))
        var matrix = transposed.elements
        var (real, imaginary) = ([Double](repeating: 0, count: count), [Double](repeating: 0, count: count))
        var work = [Double](repeating: 0, count: 8 * max(1, count))
        var workCount = Int32(work.count)
        var (one, none) = (Int32(1), CChar(UInt8(ascii: "N")))
        var noVectors: Double = 0
        var noVectorsEither: Double = 0
        var alsoNone = none
        unsafe dgeev_(
            &none, &alsoNone, &n, &matrix, &n, &real, &imaginary, &noVectors, &one, &noVectorsEither, &one, &work,
            &workCount, &info)
        try Self.check(info)
        return zip(real, imaginary).map { Eigenvalue(real: $0, imaginary: $1) }.sorted {
            ($0.real, $0.imaginary) > ($1.real, $1.imaginary)
        }
    }

    /// Of a symmetric matrix the eigenvalues, falling, and the eigenvector of each, where they are asked for.
    public func symmetricEigen(withVectors: Bool = true) throws(InputError) -> (values: [Double], vectors: [[Double]]) {
        _ = Self.oneThread
        var (n, info) = (Int32(count), Int32(0))
        var matrix = elements
        var values = [Double](repeating: 0, count: count)
        var work = [Double](repeating: 0, count: 34 * max(1, count))
        var workCount = Int32(work.count)
        var (job, upper) = (CChar(UInt8(ascii: withVectors ? "V" : "N")), CChar(UInt8(ascii: "U")))
        unsafe dsyev_(&job, &upper, &n, &matrix, &n, &values, &work, &workCount, &info)
        try Self.check(info)
        let vectors =
            withVectors
            ? (0..<count).reversed().map { Array(matrix[$0 * count..<($0 + 1) * count]) } : []
        return (values.reversed(), vectors)
    }

    private static func check(_ info: Int32) throws(InputError) {
        if info != 0 {
            throw InputError(
                at: "LAPACK", found: "eigenvalues that did not converge (\(info))", expected: "finite weights")
        }
    }

    /// The largest singular value.
    public func spectralNorm() throws(InputError) -> Double {
        max(0, try (transposed * self).symmetrised.symmetricEigen(withVectors: false).values.first ?? 0).squareRoot()
    }

    /// Without what rounding has made unlike.
    private var symmetrised: SquareMatrix {
        var result = self
        for i in 0..<count {
            for j in 0..<i {
                let mean = (self[i, j] + self[j, i]) / 2
                result[i, j] = mean
                result[j, i] = mean
            }
        }
        return result
    }
}
