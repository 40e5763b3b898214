// TernGrad: -1, 0 or 1 times the largest magnitude (Wen et al. 2017). One thread per instance.

internal import Kernels
public import Platform

/// Every float x of a bucket becomes m sign(x) with the probability |x| / m and otherwise 0; m is the largest magnitude of the
/// bucket.
///
/// Unbiased. The error is exactly the sum of |x| (m - |x|): the less, the more alike the magnitudes are. A draw decides on 16
/// random bits per float, so the mean is right to 2^-17 of m.
///
/// Encoded form: `CodecHeader` (setting 0), the bucket's length as UInt32 (0: the whole vector), then the buckets one after the
/// other, each 4 + ceil(n / 4) bytes for its n floats: m in float32, then 0, 1 or 2 for -1, 0 or 1 in 2 bits as `Quantizer`
/// describes. (Five to a byte would save a fifth, and cost a division or a table for every byte.)
public final class TernaryCodec: FusedFeedbackCodec, ResizableCodec {
    public static let facts = CodecFacts(
        name: "ternary", number: 7, summary: "-1, 0 or 1 times a bucket's largest magnitude, drawn",
        section: "TernGrad, Wen et al. 2017", settings: [.bucket],
        forms: [.init(bytes: "4", perBucket: "4 + ceil(n / 4)", isUnbiased: true, alpha: "(sqrt(n) - 1) / 2")],
        examples: ["ternary"])

    public private(set) var count: Int
    /// Floats in a bucket; 0 for the whole vector.
    public let bucket: Int
    private var message: LevelMessage

    /// `bucket` floats share a scale, 1 ... 2^32 - 1, or 0 for the whole vector; multiples of 512 are fastest.
    public init(count: Int, bucket: Int = 512, instructions: InstructionSet = .best) {
        self.count = count
        self.bucket = bucket
        message = LevelMessage(
            of: Self.facts, setting: 0, count: count, bucket: bucket, scaling: .maximum, instructions: instructions)
    }

    public func resize(to count: Int) {
        self.count = count
        message.resize(to: count)
    }

    /// Takes `bucket`.
    convenience init(_ settings: inout NamedSettings, count: Int) throws(InputError) {
        self.init(
            count: count,
            bucket: try settings.integer(
                "bucket", default: 512, in: 1...Int(UInt32.max), orWord: "whole", meaning: 0))
    }

    public var name: String { "ternary:bucket=\(bucket == 0 ? "whole" : "\(bucket)")" }
    public var maximumEncodedBytes: Int { message.byteCount }
    public var hasFixedSize: Bool { true }
    public var isUnbiased: Bool { true }

    /// (sqrt(n) - 1) / 2 for buckets of n floats: the error of one float m and n - 1 floats m / (sqrt(n) + 1), the worst there are.
    public var relativeErrorBound: Double? {
        (max(1, Double(min(message.quantizer.bucket, count)).squareRoot()) - 1) / 2
    }

    /// The error itself.
    public func errorBound(for vector: Span<Float>) -> Double? {
        var sum = 0.0
        for start in stride(from: 0, to: vector.count, by: message.quantizer.bucket) {
            let range = start..<min(vector.count, start + message.quantizer.bucket)
            let largest = range.reduce(0.0) { max($0, Double(abs(vector[$1]))) }
            for i in range { sum += Double(abs(vector[i])) * (largest - Double(abs(vector[i]))) }
        }
        return sum
    }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try check(vector, bytes)
        try unsafe message.encode(vector, draw: draw, into: &bytes, levels: nil)
        return maximumEncodedBytes
    }

    public func encode(
        _ vector: Span<Float>, feedback residual: inout MutableSpan<Float>, scale: Float, draw: CodecDraw,
        into bytes: inout MutableRawSpan
    ) throws(CodecError) -> Int {
        try check(vector, bytes)
        try checkFeedback(residual)
        try unsafe message.encode(vector, feedback: &residual, scale: scale, draw: draw, into: &bytes, levels: nil)
        return maximumEncodedBytes
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try check(vector)
        try message.decode(bytes, adding: false, scale: 1, into: &vector)
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try check(vector)
        try message.decode(bytes, adding: true, scale: scale, into: &vector)
    }
}
