// A linear sketch: the vector folded into a few rows by hashes, and estimated from them (Charikar, Chen, Farach-Colton 2002; for
// gradients Ivkin et al. 2019). One thread.

internal import Kernels
public import Platform

/// A table of `rows` x `width` floats; in each row every element is added, with a sign, to one column, both by a hash.
///
/// An element is estimated by the median over the rows of its sign times its column. In one row the estimate is the element plus
/// the others that hash alike with random signs: its mean is the element and its variance at most |y|^2 / width. The sign of the
/// element itself turns the errors of all rows over together and leaves their distribution as it is, so the median of any number
/// of rows (of an even number: the mean of the two in the middle) is unbiased too. Half of the rows have an error at least as
/// large as the median's, so E|Q(y) - y|^2 <= rows / ceil(rows / 2) * (d - 1) / width * |y|^2: never more than twice that of one
/// row, and large errors are rare.
///
/// With `recover=top-k` only the k largest estimates are kept (of equal ones those with the lowest index). That is biased,
/// without a bound for every y; it finds the heavy hitters of a vector that has them.
///
/// The hashes follow from the draw's seed and step, not from its rank.
///
/// **Aggregation.** The sum of the tables of several vectors is the table of their sum. So workers with the same seed and step add up
/// their tables, 4 rows width bytes each, and recover the sum of the vectors. What feeds back is v_n less the result.
///
/// Encoded form: `CodecHeader` (setting: rows), then seed and step as 64-bit integers, then the table in float32, row by row.
public final class CountSketchCodec: SummedCodec {
    public static let facts = CodecFacts(
        name: "count-sketch", number: 14, summary: "a table of hashed sums; medians estimate",
        section: "Charikar et al. 2002",
        settings: [
            SettingFacts("rows", default: "5", "1 to 255"),
            SettingFacts("width", default: nil, "floats of a row, d / 50 by default"),
            SettingFacts("recover", default: "all", "`all` estimates, or `top-k` of them"),
            SettingFacts("k", default: nil, "with `top-k`: how many, d / 100 by default"),
        ],
        forms: [
            .init(
                "recover=all", bytes: "16 + 4 rows width", isUnbiased: true,
                alpha: "rows / ceil(rows / 2) (d - 1) / width"),
            .init("recover=top-k", bytes: "16 + 4 rows width", isUnbiased: false, alpha: nil),
        ], examples: ["count-sketch"])

    /// What becomes of the estimates.
    public enum Recovery: String, CaseIterable, Sendable {
        case all
        case topK = "top-k"
    }

    public let count: Int
    public let rows: Int
    /// Floats of a row.
    public let width: Int
    public let recovery: Recovery
    /// Estimates that are kept where `recovery` is `topK`.
    public let k: Int

    private let header: CodecHeader
    private let table: PageBuffer<Float>
    private let hashes: PageBuffer<SketchHash>
    private let space: PageBuffer<Float>
    private let estimates: PageBuffer<Float>
    private let histogram: PageBuffer<UInt32>

    /// - Parameters:
    ///   - count: floats of a vector.
    ///   - rows: 1 to 255.
    ///   - width: 1 to 2^31; nil for a fiftieth of `count`.
    ///   - recovery: what becomes of the estimates.
    ///   - k: at least 1; nil for a hundredth of `count`. More than `count` means all.
    public init(
        count: Int, rows: Int = 5, width: Int? = nil, recovery: Recovery = .all, k: Int? = nil
    ) throws(InputError) {
        precondition((1...255).contains(rows), "rows \(rows)")
        let width = width ?? max(1, (count + 49) / 50)
        let k = min(count, k ?? max(1, (count + 99) / 100))
        precondition(width >= 1 && width <= 1 << 31, "width \(width)")
        precondition(k >= 0, "k \(k)")
        self.count = count
        self.rows = rows
        self.width = width
        self.recovery = recovery
        self.k = k
        header = CodecHeader(of: Self.facts, setting: UInt16(rows), count: count)
        table = try PageBuffer(count: rows * width, hugePages: true)
        hashes = try PageBuffer(count: rows)
        space = try PageBuffer(count: rows * sketchBlock)
        estimates = try PageBuffer(count: recovery == .topK ? count : sketchBlock, hugePages: true)
        histogram = try PageBuffer(count: 2_048)
    }

    public var memoryBytes: Int {
        table.byteCount + hashes.byteCount + space.byteCount + estimates.byteCount + histogram.byteCount
    }

    /// Takes `rows`, `width`, `recover` and `k`.
    convenience init(_ settings: inout NamedSettings, count: Int) throws(InputError) {
        let rows = try settings.integer("rows", default: 5, in: 1...255)
        let width = try settings.integer("width", default: 0, in: 1...1 << 31)
        let recovery = try settings.choice("recover", Recovery.self)
        let k = recovery == .topK ? try settings.integer("k", default: 0, in: 1...Int(UInt32.max)) : 0
        try self.init(
            count: count, rows: rows, width: width == 0 ? nil : width, recovery: recovery, k: k == 0 ? nil : k)
    }

    public var name: String {
        let recover = recovery == .topK ? ",recover=top-k,k=\(max(1, k))" : ",recover=all"
        return "count-sketch:rows=\(rows),width=\(width)" + recover
    }
    public var maximumEncodedBytes: Int { Self.tableOffset + 4 * tableCount }
    public var hasFixedSize: Bool { true }
    public var isUnbiased: Bool { recovery == .all }
    public var relativeErrorBound: Double? {
        guard recovery == .all else { return nil }
        return Double(rows) / Double((rows + 1) / 2) * Double(max(0, count - 1)) / Double(width)
    }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try check(vector, bytes)
        header.write(into: &bytes)
        bytes.storeBytes(of: draw.seed.littleEndian, toByteOffset: CodecHeader.byteCount, as: UInt64.self)
        bytes.storeBytes(of: draw.step.littleEndian, toByteOffset: CodecHeader.byteCount + 8, as: UInt64.self)
        try unsafe sketch(vector, draw, table.pointer)
        unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe (bytes.baseAddress! + Self.tableOffset).copyMemory(from: table.pointer, byteCount: 4 * tableCount)
        }
        return maximumEncodedBytes
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try decode(bytes, &vector, adding: nil)
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try decode(bytes, &vector, adding: scale)
    }

    // MARK: Aggregation

    /// Floats of a table.
    public var tableCount: Int { rows * width }
    public var roundCounts: [Int] { [tableCount] }
    public var feedsBackOwnContribution: Bool { false }

    /// Writes the table of the vector.
    public func contribute(
        _ vector: Span<Float>, to round: Int, share: Float, draw: CodecDraw, floats table: inout MutableSpan<Float>
    ) throws(CodecError) {
        guard vector.count == count else { throw .wrongCount(found: vector.count, expected: count) }
        try checkRounds(table)
        try unsafe table.withUnsafeMutableBufferPointer { table throws(CodecError) in
            try unsafe sketch(vector, draw, table.baseAddress!)
        }
    }

    /// Throws `wrongCount` (of the vector or of the table), or `tooLarge` where the table holds a NaN or an infinity.
    public func recover(
        from table: inout MutableSpan<Float>, share: Float, draw: CodecDraw, into vector: inout MutableSpan<Float>
    ) throws(CodecError) {
        try check(vector)
        try checkRounds(table)
        let isFinite = unsafe table.withUnsafeMutableBufferPointer { source in
            unsafe self.table.pointer.update(from: source.baseAddress!, count: tableCount)
            unsafe scale(self.table.pointer, by: share, count: tableCount)
            return unsafe firstNonFinite(self.table.pointer, count: tableCount) == tableCount
        }
        guard isFinite else { throw .tooLarge }
        recover(seed: draw.seed, step: draw.step, &vector, adding: nil)
    }

    // MARK: The steps

    /// Where the table starts in a message.
    private static let tableOffset = CodecHeader.byteCount + 16

    private func sketch(
        _ vector: Span<Float>, _ draw: CodecDraw, _ table: UnsafeMutablePointer<Float>
    ) throws(CodecError) {
        unsafe table.update(repeating: 0, count: tableCount)
        unsafe vector.withUnsafeBufferPointer { vector in
            guard let elements = vector.baseAddress else { return }
            for r in 0..<rows {
                let hash = SketchHash(seed: draw.seed, step: draw.step, row: r, width: width)
                unsafe addToSketch(elements, count: count, hash: hash, row: table + r * width)
            }
        }
        // A NaN or an infinity stays in its column.
        guard unsafe firstNonFinite(table, count: tableCount) == tableCount else {
            if !vector.indices.allSatisfy({ vector[$0].isFinite }) { throw .notFinite(in: vector) }
            throw .tooLarge
        }
    }

    private func decode(
        _ bytes: RawSpan, _ vector: inout MutableSpan<Float>, adding scale: Float?
    ) throws(CodecError) {
        try check(vector)
        try header.check(bytes, length: maximumEncodedBytes)
        let seed = bytes.littleEndian(at: CodecHeader.byteCount, as: UInt64.self)
        let step = bytes.littleEndian(at: CodecHeader.byteCount + 8, as: UInt64.self)
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe UnsafeMutableRawPointer(table.pointer).copyMemory(
                from: bytes.baseAddress! + Self.tableOffset, byteCount: 4 * tableCount)
        }
        let wrong = unsafe firstNonFinite(table.pointer, count: tableCount)
        guard wrong == tableCount else {
            let value = unsafe table.pointer[wrong]
            throw .corrupt(byte: Self.tableOffset + 4 * wrong, found: "\(value)", expected: "a finite float")
        }
        recover(seed: seed, step: step, &vector, adding: scale)
    }

    /// Writes the estimates from `table` over the vector, or adds them to it.
    private func recover(seed: UInt64, step: UInt64, _ vector: inout MutableSpan<Float>, adding scale: Float?) {
        for r in 0..<rows {
            unsafe hashes.pointer[r] = SketchHash(seed: seed, step: step, row: r, width: width)
        }
        for start in stride(from: 0, to: count, by: sketchBlock) {
            let size = min(sketchBlock, count - start)
            let target = unsafe estimates.pointer + (recovery == .topK ? start : 0)
            unsafe sketchEstimates(
                table: table.pointer, width: width, hashes: UnsafeBufferPointer(start: hashes.pointer, count: rows),
                start: start, count: size, space: space.pointer, into: target)
            if recovery == .all { unsafe put(target, &vector, start, size, adding: scale) }
        }
        if recovery == .topK && count > 0 {
            keepLargest()
            unsafe put(estimates.pointer, &vector, 0, count, adding: scale)
        }
    }

    /// Zeroes all but the k largest estimates.
    private func keepLargest() {
        var (threshold, ties) = unsafe largestMagnitudes(
            estimates.pointer, count: count, k: k, histogram: histogram.pointer)
        for i in 0..<count {
            let magnitude = unsafe abs(estimates.pointer[i])
            if magnitude == threshold {
                ties -= 1
                if ties < 0 { unsafe estimates.pointer[i] = 0 }
            } else if magnitude < threshold {
                unsafe estimates.pointer[i] = 0
            }
        }
    }

    private func put(
        _ source: UnsafePointer<Float>, _ vector: inout MutableSpan<Float>, _ start: Int, _ size: Int,
        adding scale: Float?
    ) {
        unsafe vector.withUnsafeMutableBufferPointer { vector in
            let target = unsafe vector.baseAddress! + start
            if let scale {
                for i in 0..<size { unsafe target[i] += scale * source[i] }
            } else {
                unsafe target.update(from: source, count: size)
            }
        }
    }
}
