// One bit per element and a scale per bucket. One thread.

internal import Kernels
public import Platform

/// scale * sign(x), with one scale per bucket: "1-bit quantization" (section 3.1.1), biased.
///
/// sign(0) is +1, for -0.0 as well. With the `l1` norm the scale of a bucket of n elements is the mean of |x|, so that
/// |Q(y) - y|^2 = |y|^2 - l1(y)^2/n, at most (1 - 1/n) |y|^2: a contraction. With `l2` it is the bucket's l2 norm, as some papers have
/// it, and the error grows with n: at most (n - 1) |y|^2.
///
/// Encoded form, 8 + 4 ceil(d/n) + ceil(d/8) bytes: `CodecHeader` (setting: n/8, or 0 for the whole vector; bit 15 for `l2`), then for each
/// bucket its scale as a float32 and its bits, 1 for x < 0, lowest bit first, the last byte filled up with zeros.
public final class SignCodec: FusedFeedbackCodec, ResizableCodec {
    public static let facts = CodecFacts(
        name: "sign", number: 8, summary: "signs, times a bucket's mean magnitude or its norm",
        section: "3.1.1, 1-bit quantization",
        settings: [
            SettingFacts("bucket", default: "512", "floats that share a scale, a multiple of 8, or `whole`"),
            SettingFacts("norm", default: "l1", "`l1`, or `l2`, with which the error grows with n"),
        ],
        forms: [
            .init("norm=l1", bytes: "0", perBucket: "4 + ceil(n / 8)", isUnbiased: false, alpha: "1 - 1 / n"),
            .init("norm=l2", bytes: "0", perBucket: "4 + ceil(n / 8)", isUnbiased: false, alpha: "n - 1"),
        ], examples: ["sign"])

    /// What the scale is made of.
    public enum Norm: String, CaseIterable, Sendable { case l1, l2 }

    public private(set) var count: Int
    public let norm: Norm
    /// Elements of a bucket, of which the last may be shorter; nil for one bucket.
    public let bucket: Int?
    private let instructions: InstructionSet
    private var header: CodecHeader

    /// Buckets of `bucket` elements, a multiple of 8 from 8 to 262,136; nil for one bucket.
    public init(count: Int, bucket: Int? = 512, norm: Norm = .l1, instructions: InstructionSet = .best) {
        precondition(
            bucket.map { $0 >= 8 && $0 <= Self.largestBucket && $0 % 8 == 0 } ?? true, "a bucket of \(bucket!)")
        self.count = count
        self.norm = norm
        self.bucket = bucket
        self.instructions = instructions
        header = CodecHeader(
            of: Self.facts, setting: UInt16((bucket ?? 0) / 8) | (norm == .l2 ? 0x8000 : 0), count: count)
    }

    /// With `bucket` (a multiple of 8, or `whole`) and `norm` (`l1` or `l2`).
    convenience init(_ settings: inout NamedSettings, count: Int) throws(InputError) {
        let bucket = try settings.integer(
            "bucket", default: 512, in: 8...Self.largestBucket, orWord: "whole", meaning: 0)
        guard bucket % 8 == 0 else {
            throw InputError(at: settings.place, found: "bucket=\(bucket)", expected: "a multiple of 8, or whole")
        }
        self.init(count: count, bucket: bucket == 0 ? nil : bucket, norm: try settings.choice("norm"))
    }

    static let largestBucket = 8 * 0x7FFF

    public func resize(to count: Int) {
        self.count = count
        header = header.resized(to: count)
    }

    /// Elements of a full bucket.
    private var size: Int { bucket ?? max(8, (count + 7) / 8 * 8) }
    private var buckets: Int { (count + size - 1) / size }

    public var name: String { "sign:bucket=\(bucket.map(String.init) ?? "whole"),norm=\(norm)" }
    public var maximumEncodedBytes: Int { CodecHeader.byteCount + 4 * buckets + (count + 7) / 8 }
    public var hasFixedSize: Bool { true }
    public var isUnbiased: Bool { false }
    public var relativeErrorBound: Double? {
        let largest = Double(max(1, min(size, count)))
        return norm == .l1 ? 1 - 1 / largest : largest - 1
    }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try check(vector, bytes)
        header.write(into: &bytes)
        let bad = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe vector.withUnsafeBufferPointer { vector in
                unsafe encode(vector, feedback: nil, factor: 0, into: bytes)
            }
        }
        if let bad { throw .notFinite(in: vector, from: bad) }
        return maximumEncodedBytes
    }

    /// The elements of v and the scales of their buckets stand for the residual: to subtract these at once would be a second pass.
    public var feedbackCount: Int { count + buckets }

    public func encode(
        _ vector: Span<Float>, feedback memory: inout MutableSpan<Float>, scale: Float, draw: CodecDraw,
        into bytes: inout MutableRawSpan
    ) throws(CodecError) -> Int {
        try check(vector, bytes)
        try checkFeedback(memory)
        header.write(into: &bytes)
        let bad = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe vector.withUnsafeBufferPointer { vector in
                unsafe memory.withUnsafeMutableBufferPointer { memory in
                    unsafe encode(vector, feedback: memory.baseAddress, factor: scale, into: bytes)
                }
            }
        }
        if let bad { throw .notFinite(in: memory.span, from: bad) }
        return maximumEncodedBytes
    }

    public func settle(_ memory: inout MutableSpan<Float>) {
        precondition(memory.count == feedbackCount, "\(memory.count) floats for the feedback of \(count)")
        unsafe memory.withUnsafeMutableBufferPointer { memory in
            guard let memory = memory.baseAddress else { return }
            unsafe Signs.settle(memory, count: count, bucket: size, instructions: instructions)
        }
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try decode(bytes, adding: false, scale: 1, into: &vector)
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try decode(bytes, adding: true, scale: scale, into: &vector)
    }

    private func encode(
        _ vector: UnsafeBufferPointer<Float>, feedback: UnsafeMutablePointer<Float>?, factor: Float,
        into bytes: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard let x = vector.baseAddress, count > 0 else { return nil }
        return unsafe Signs.encode(
            x, count: count, bucket: size, l2: norm == .l2, feedback: feedback, factor: factor,
            into: bytes.baseAddress! + CodecHeader.byteCount, instructions: instructions)
    }

    private func decode(_ bytes: RawSpan, adding: Bool, scale: Float, into vector: inout MutableSpan<Float>)
        throws(CodecError)
    {
        try check(vector)
        try header.check(bytes, length: maximumEncodedBytes)
        let bad: Int? = unsafe bytes.withUnsafeBytes { bytes in
            unsafe vector.withUnsafeMutableBufferPointer { vector in
                guard let y = vector.baseAddress, count > 0 else { return nil }
                return unsafe Signs.decode(
                    bytes.baseAddress! + CodecHeader.byteCount, count: count, bucket: size, adding: adding,
                    scale: scale, into: y, instructions: instructions)
            }
        }
        if let bad {
            throw .corrupt(
                byte: CodecHeader.byteCount + bad, found: "a bucket that no encoder writes",
                expected: "a finite scale of at least 0, and zeros behind the last bit")
        }
    }
}
