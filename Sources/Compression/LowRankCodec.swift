// PowerSGD: the vector as a matrix, approximated by two thin factors (Vogels, Karimireddy, Jaggi 2019). One thread.

internal import Kernels
public import Platform

/// A matrix of rank r from one step of subspace iteration: with M the vector as a matrix of `rows` x `columns`, row by row and
/// padded with zeros, P = orthonormalised M Q for a Q from before, then Q = transposed(M) P, and the result is P transposed(Q).
///
/// Biased: the result is the projection of M on the span of P, so that E|Q(y) - y|^2 <= |y|^2 and no better for every y. It is good
/// where M is near a matrix of low rank, and with `ErrorFeedback`.
///
/// Q starts from the previous call (`start=warm`): an encoding is then a function of all the vectors that this instance encoded
/// before, and two instances agree only if they encoded the same. With `start=random` it is a function of the vector and of the
/// draw's seed and step. The draw's rank never counts, so that workers which share a seed start alike.
///
/// **Aggregation.** Both products are linear in M, so workers add them up instead of compressed vectors: P in the first round, Q for the
/// mean P in the second, after which all have the same approximation of the mean vector and the same start of the next step. That is
/// 4 r (rows + columns) bytes in two rounds, whatever N. What feeds back is v_n - P transposed(Q_n) with the worker's own Q_n: the mean
/// of these is the mean of the v_n less the result, as in PowerSGD, but none keeps what distinguishes its worker's data from the others'.
///
/// Encoded form: `CodecHeader` (setting r), then P and Q in float32, vector by vector: 4 r rows and 4 r columns bytes.
public final class LowRankCodec: SummedCodec {
    public static let facts = CodecFacts(
        name: "low-rank", number: 13, summary: "the vector as a matrix, as the product of two thin ones",
        section: "PowerSGD, Vogels et al. 2019",
        settings: [
            SettingFacts("rank", default: "4", "vectors in each factor"),
            SettingFacts("rows", default: nil, "rows of the matrix, about sqrt(d) by default"),
            SettingFacts("start", default: "warm", "`warm`: from the last message; or `random`"),
        ],
        forms: [.init(bytes: "4 rank (rows + columns)", isUnbiased: false, alpha: "1")], examples: ["low-rank:rank=4"])

    /// Where the iteration starts.
    public enum Start: String, CaseIterable, Sendable { case warm, random }

    public let count: Int
    /// Rows of the matrix; 0 for an empty vector.
    public let rows: Int
    /// Columns of the matrix; 0 for an empty vector.
    public let columns: Int
    /// Vectors in each factor: the rank asked for, or the matrix's smaller side where that is less.
    public let rank: Int
    public let start: Start

    private let header: CodecHeader
    /// P, Q, the Q to start from, and the last row of the matrix.
    private let memory: FactorMemory
    private var hasStart = false

    /// - Parameters:
    ///   - count: floats of a vector.
    ///   - rank: at least 1.
    ///   - rows: at least 1; nil for a matrix as square as can be. Rows that would hold padding only are left out.
    ///   - start: whether an encoding goes on from the previous one.
    public init(count: Int, rank: Int = 4, rows: Int? = nil, start: Start = .warm) throws(InputError) {
        precondition(rank >= 1 && rank <= UInt16.max, "rank \(rank)")
        precondition(rows.map { $0 >= 1 } ?? true, "rows \(rows ?? 0)")
        self.count = count
        self.start = start
        let wanted = min(max(1, rows ?? Int(Double(count).squareRoot().rounded(.up))), max(1, count))
        columns = (count + wanted - 1) / wanted
        self.rows = columns == 0 ? 0 : (count + columns - 1) / columns
        self.rank = min(rank, self.rows, columns)
        header = CodecHeader(of: Self.facts, setting: UInt16(self.rank), count: count)
        memory = try FactorMemory([self.rows * self.rank, columns * self.rank, columns * self.rank, columns])
    }

    private var p: FactorMemory.Factor { memory[0] }
    private var q: FactorMemory.Factor { memory[1] }
    private var startingQ: FactorMemory.Factor { memory[2] }
    private var lastRow: FactorMemory.Factor { memory[3] }

    public var memoryBytes: Int { memory.byteCount }

    /// Takes `rank`, `rows` and `start`.
    convenience init(_ settings: inout NamedSettings, count: Int) throws(InputError) {
        let rank = try settings.integer("rank", default: 4, in: 1...Int(UInt16.max))
        let rows = try settings.integer("rows", default: 0, in: 1...Int(UInt32.max))
        try self.init(count: count, rank: rank, rows: rows == 0 ? nil : rows, start: try settings.choice("start"))
    }

    public var name: String { "low-rank:rank=\(rank),rows=\(rows),start=\(start.rawValue)" }
    public var maximumEncodedBytes: Int { CodecHeader.byteCount + 4 * rank * (rows + columns) }
    public var hasFixedSize: Bool { true }
    public var isUnbiased: Bool { false }
    public var hasMemory: Bool { start == .warm }
    public var relativeErrorBound: Double? { 1 }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try check(vector, bytes)
        header.write(into: &bytes)
        guard count > 0 else { return maximumEncodedBytes }
        try unsafe computeP(of: vector, draw: draw, p: p.pointer)
        try unsafe computeQ(of: vector, p: p.pointer, q: q.pointer)
        unsafe startingQ.pointer.update(from: q.pointer, count: q.count)
        unsafe bytes.withUnsafeMutableBytes { bytes in
            let target = unsafe bytes.baseAddress! + CodecHeader.byteCount
            unsafe target.copyMemory(from: p.pointer, byteCount: 4 * p.count)
            unsafe (target + 4 * p.count).copyMemory(from: q.pointer, byteCount: 4 * q.count)
        }
        return maximumEncodedBytes
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try expand(bytes, into: &vector, adding: nil)
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try expand(bytes, into: &vector, adding: scale)
    }

    // MARK: Aggregation

    /// P, `rank` vectors of `rows` floats one after the other, then Q, `rank` vectors of `columns`.
    public var roundCounts: [Int] { [rows * rank, columns * rank] }
    public var feedsBackOwnContribution: Bool { true }

    public func contribute(
        _ vector: Span<Float>, to round: Int, share: Float, draw: CodecDraw, floats: inout MutableSpan<Float>
    ) throws(CodecError) {
        guard vector.count == count else { throw .wrongCount(found: vector.count, expected: count) }
        try checkRounds(floats)
        guard count > 0 else { return }
        try unsafe floats.withUnsafeMutableBufferPointer { floats throws(CodecError) in
            let p = floats.baseAddress!
            if round == 0 { return try unsafe computeP(of: vector, draw: draw, p: p) }
            unsafe scale(p, by: share, count: rows * rank)
            try unsafe computeQ(of: vector, p: p, q: p + rows * rank)
        }
    }

    /// Keeps Q as the start of the next step.
    public func recover(
        from floats: inout MutableSpan<Float>, share: Float, draw: CodecDraw, into vector: inout MutableSpan<Float>
    ) throws(CodecError) {
        try check(vector)
        try checkRounds(floats)
        guard count > 0 else { return }
        unsafe floats.withUnsafeMutableBufferPointer { floats in
            let p = floats.baseAddress!
            let q = unsafe p + rows * rank
            unsafe scale(q, by: share, count: columns * rank)
            unsafe startingQ.pointer.update(from: q, count: columns * rank)
            hasStart = true
            unsafe expand(p: p, q: q, into: &vector, adding: nil)
        }
    }

    // MARK: The steps

    private func computeP(of vector: Span<Float>, draw: CodecDraw, p: UnsafeMutablePointer<Float>) throws(CodecError) {
        prepareStart(draw)
        unsafe withMatrix(vector) { matrix in
            unsafe multiply(matrix, by: startingQ.pointer, rank: rank, into: p)
        }
        // A NaN or an infinity makes its whole row of P so.
        try unsafe checkFinite(p, rows * rank, of: vector)
        hasStart = true
    }

    private func computeQ(
        of vector: Span<Float>, p: UnsafeMutablePointer<Float>, q: UnsafeMutablePointer<Float>
    ) throws(CodecError) {
        unsafe orthonormalize(p, rank: rank, length: rows)
        unsafe withMatrix(vector) { matrix in
            unsafe multiplyTransposed(matrix, by: p, rank: rank, into: q)
        }
        try unsafe checkFinite(q, columns * rank, of: vector)
    }

    /// Makes the start orthonormal, which does not change its span; vectors that are new, or that were zero or depended on others,
    /// become random ones, or else they would be so for ever.
    private func prepareStart(_ draw: CodecDraw) {
        if start == .random || !hasStart {
            unsafe startingQ.pointer.update(repeating: 0, count: startingQ.count)
        } else {
            unsafe orthonormalize(startingQ.pointer, rank: rank, length: columns)
        }
        let bits = DrawBits(seed: draw.seed, rank: 0, step: draw.step)
        for k in 0..<rank {
            let vector = unsafe startingQ.pointer + k * columns
            guard (0..<columns).allSatisfy({ unsafe vector[$0] == 0 }) else { continue }
            for j in 0..<columns {
                let element = k * columns + j
                let word = bits.block(UInt64(element / 4))[element % 4]
                unsafe vector[j] = Float(Int32(bitPattern: word)) * 0x1p-31
            }
        }
    }

    private func expand(_ bytes: RawSpan, into vector: inout MutableSpan<Float>, adding scale: Float?)
        throws(CodecError)
    {
        try check(vector)
        try header.check(bytes, length: maximumEncodedBytes)
        guard count > 0 else { return }
        unsafe bytes.withUnsafeBytes { bytes in
            let source = unsafe bytes.baseAddress! + CodecHeader.byteCount
            unsafe UnsafeMutableRawPointer(p.pointer).copyMemory(from: source, byteCount: 4 * p.count)
            unsafe UnsafeMutableRawPointer(q.pointer).copyMemory(from: source + 4 * p.count, byteCount: 4 * q.count)
        }
        try unsafe checkFinite(p.pointer, p.count, from: CodecHeader.byteCount)
        try unsafe checkFinite(q.pointer, q.count, from: CodecHeader.byteCount + 4 * p.count)
        unsafe expand(p: p.pointer, q: q.pointer, into: &vector, adding: scale)
    }

    private func expand(
        p: UnsafePointer<Float>, q: UnsafePointer<Float>, into vector: inout MutableSpan<Float>, adding scale: Float?
    ) {
        let largest =
            unsafe Double(largestMagnitude(p, count: rows * rank)) * Double(largestMagnitude(q, count: columns * rank))
        let mayOverflow = Double(rank) * largest >= Double(Float.greatestFiniteMagnitude)
        unsafe vector.withUnsafeMutableBufferPointer { vector in
            let expand = unsafe mayOverflow ? expandLargeFactors : expandFactors
            unsafe expand(p, q, rank, rows, columns, vector.baseAddress!, count, scale)
        }
    }

    private func withMatrix(_ vector: Span<Float>, _ body: (PaddedMatrix) -> Void) {
        unsafe vector.withUnsafeBufferPointer { vector in
            let matrix = unsafe PaddedMatrix(
                vector.baseAddress!, count: count, rows: rows, columns: columns, lastRow: lastRow.pointer)
            unsafe body(matrix)
        }
    }

    // MARK: Checks

    /// Throws what made a product of the vector a NaN or an infinity: an element, or a sum that overflowed.
    private func checkFinite(_ product: UnsafePointer<Float>, _ length: Int, of vector: Span<Float>) throws(CodecError)
    {
        guard unsafe firstNonFinite(product, count: length) < length else { return }
        if !vector.indices.allSatisfy({ vector[$0].isFinite }) { throw .notFinite(in: vector) }
        throw .tooLarge
    }

    private func checkFinite(_ factor: UnsafePointer<Float>, _ length: Int, from byte: Int) throws(CodecError) {
        let index = unsafe firstNonFinite(factor, count: length)
        guard index < length else { return }
        throw unsafe .corrupt(byte: byte + 4 * index, found: "\(factor[index])", expected: "a finite float")
    }
}

/// Vectors side by side: in pages of their own where they fill some, else from the heap, since a codec that `hasMemory` is made for
/// every place that compresses.
@safe private final class FactorMemory {
    @safe struct Factor {
        let pointer: UnsafeMutablePointer<Float>
        let count: Int
    }

    private let pages: PageBuffer<Float>?
    private let base: UnsafeMutablePointer<Float>
    private let counts: [Int]
    let byteCount: Int
    /// Below so many floats pages would be mostly empty.
    private static let fewestInPages = 16_384

    init(_ counts: [Int]) throws(InputError) {
        let count = counts.reduce(0, +)
        self.counts = counts
        if count >= Self.fewestInPages {
            let pages = try PageBuffer<Float>(count: count, hugePages: true)
            unsafe base = pages.pointer
            byteCount = pages.byteCount
            self.pages = consume pages
        } else {
            unsafe base = .allocate(capacity: count)
            unsafe base.initialize(repeating: 0, count: count)
            byteCount = 4 * count
            pages = nil
        }
    }

    deinit { if pages == nil { unsafe base.deallocate() } }

    subscript(index: Int) -> Factor {
        unsafe Factor(pointer: base + counts[..<index].reduce(0, +), count: counts[index])
    }
}
