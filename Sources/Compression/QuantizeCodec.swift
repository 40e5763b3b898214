// Quantization to uniform knobs between the smallest and the largest float (section 3.1.1). One thread per instance.

internal import Kernels
public import Platform

/// Eq. 3.1: every float of a bucket becomes one of 2^bits knobs from the bucket's smallest float to its largest.
///
/// Encoded form: `CodecHeader` (setting: the bits), the bucket's length as UInt32 (0: the whole vector), then the buckets one after the
/// other, each 8 + ceil(bits * n / 8) bytes for its n floats, as `Quantizer` describes. Rounding does not show in it.
///
/// A draw decides on 16 random bits per float, so the mean is right to 2^-17 of a step, and to the rounding of float32: 2^-22 of the
/// bucket's largest magnitude, which with 16 bits is 1/32 of a step. Nearest rounding is to 2^-16 of a step, ties upwards.
public final class QuantizeCodec: FusedFeedbackCodec, ResizableCodec {
    public static let facts = CodecFacts(
        name: "quantize", number: 4, summary: "2^bits knobs from a bucket's least float to its largest",
        section: "eq. 3.1",
        settings: [
            SettingFacts("bits", default: "8", "1 to 16"), .bucket,
            SettingFacts("rounding", default: "stochastic", "`stochastic` or `nearest`"),
        ],
        forms: ["stochastic", "nearest"].map {
            .init(
                "rounding=\($0)", bytes: "4", perBucket: "8 + ceil(bits n / 8)", isUnbiased: $0 == "stochastic",
                alpha: "(n - 2) / (2 (2^bits - 1)^2)")
        }, examples: ["quantize:bits=8", "quantize:bits=4", "quantize:bits=2"])

    public private(set) var count: Int
    public let bits: Int
    /// Floats in a bucket; 0 for the whole vector.
    public let bucket: Int
    public let rounding: Rounding
    private var quantizer: Quantizer
    private var header: CodecHeader
    private static let headerBytes = CodecHeader.byteCount + 4

    /// `bits` are 1 ... 16; `bucket` floats share a range, 1 ... 2^32 - 1, or 0 for the whole vector; multiples of 512 are fastest.
    public init(
        count: Int, bits: Int = 8, bucket: Int = 512, rounding: Rounding = .stochastic,
        instructions: InstructionSet = .best
    ) {
        precondition((0...Int(UInt32.max)).contains(bucket), "a bucket of \(bucket)")
        self.count = count
        self.bits = bits
        self.bucket = bucket
        self.rounding = rounding
        quantizer = Quantizer(
            bits: bits, count: count, bucket: max(1, bucket == 0 ? count : bucket), instructions: instructions)
        header = CodecHeader(of: Self.facts, setting: UInt16(bits), count: count)
    }

    public func resize(to count: Int) {
        self.count = count
        quantizer.resize(count: count, bucket: max(1, bucket == 0 ? count : bucket))
        header = header.resized(to: count)
    }

    /// With `bits`, `bucket` (a number of floats, or `whole`) and `rounding` (`stochastic` or `nearest`).
    convenience init(_ settings: inout NamedSettings, count: Int) throws(InputError) {
        self.init(
            count: count, bits: try settings.integer("bits", default: 8, in: 1...16),
            bucket: try settings.integer("bucket", default: 512, in: 1...Int(UInt32.max), orWord: "whole", meaning: 0),
            rounding: try settings.choice("rounding"))
    }

    public var name: String {
        "quantize:bits=\(bits),bucket=\(bucket == 0 ? "whole" : "\(bucket)"),rounding=\(rounding.rawValue)"
    }
    public var maximumEncodedBytes: Int { Self.headerBytes + quantizer.encodedBytes }
    public var hasFixedSize: Bool { true }
    public var isUnbiased: Bool { rounding == .stochastic }

    /// (B - 2) / (2 (2^bits - 1)^2) for buckets of B floats: a float's error is at most Delta^2/4 with Delta the distance of the knobs,
    /// (max - min)^2 is at most 2 |y|^2, and the smallest and the largest float are knobs. Of denormals it may be four times that, since
    /// their steps are whole.
    public var relativeErrorBound: Double? {
        let size = Double(min(quantizer.bucket, count))
        let levels = Double(1 << bits - 1)
        return Self.withRounding((max(0, size - 2) / (2 * levels * levels)), squares: size)
    }

    /// The sum of (x - c)(c' - x) over all floats, with c and c' the knobs on either side; nearest: of the smaller square.
    public func errorBound(for vector: Span<Float>) -> Double? {
        var sum = 0.0
        var squares = 0.0
        for start in stride(from: 0, to: vector.count, by: quantizer.bucket) {
            let range = start..<min(vector.count, start + quantizer.bucket)
            let values = range.map { Double(vector[$0]) }
            guard let low = values.min(), let high = values.max(), low < high else { continue }
            let levels = Double(1 << bits - 1)
            var step = (high - low) / levels
            if step < 0x1p-126 { step = (step * 0x1p149).rounded(.up) * 0x1p-149 }
            for value in values {
                let place = (value - low) / step
                let above = place - min(levels - 1, place.rounded(.down))
                sum += rounding.squaredError(above: above) * step * step
            }
            squares += Double(values.count) * max(high * high, low * low)
        }
        return Self.withRounding(sum, squares: squares)
    }

    /// A sum of squared errors, increased by what rounding to float32 adds: 2^-22 of the square root of `squares`.
    private static func withRounding(_ sum: Double, squares: Double) -> Double {
        let root = sum.squareRoot() + 0x1p-22 * squares.squareRoot()
        return root * root
    }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try check(vector, bytes)
        writeHeader(into: &bytes)
        let bad = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe vector.withUnsafeBufferPointer { vector in
                unsafe encode(vector, residual: nil, scale: 0, draw: draw, into: bytes)
            }
        }
        if let bad { throw .notFinite(in: vector, from: bad) }
        return maximumEncodedBytes
    }

    public func encode(
        _ vector: Span<Float>, feedback residual: inout MutableSpan<Float>, scale: Float, draw: CodecDraw,
        into bytes: inout MutableRawSpan
    ) throws(CodecError) -> Int {
        try check(vector, bytes)
        try checkFeedback(residual)
        writeHeader(into: &bytes)
        let bad = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe vector.withUnsafeBufferPointer { vector in
                unsafe residual.withUnsafeMutableBufferPointer { residual in
                    unsafe encode(vector, residual: residual.baseAddress, scale: scale, draw: draw, into: bytes)
                }
            }
        }
        // The sum now stands in the residual.
        if let bad { throw .notFinite(in: residual.span, from: bad) }
        return maximumEncodedBytes
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try decode(bytes, adding: false, scale: 1, into: &vector)
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try decode(bytes, adding: true, scale: scale, into: &vector)
    }

    private func writeHeader(into bytes: inout MutableRawSpan) {
        header.write(into: &bytes)
        bytes.storeBytes(of: UInt32(bucket).littleEndian, toByteOffset: CodecHeader.byteCount, as: UInt32.self)
    }

    private func encode(
        _ vector: UnsafeBufferPointer<Float>, residual: UnsafeMutablePointer<Float>?, scale: Float, draw: CodecDraw,
        into bytes: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard let x = vector.baseAddress, count > 0 else { return nil }
        let draws = rounding == .nearest ? nil : DrawBits(seed: draw.seed, rank: draw.rank, step: draw.step)
        return unsafe quantizer.encode(
            x, residual: residual, feedback: scale, draws: draws, into: bytes.baseAddress! + Self.headerBytes)
    }

    private func decode(_ bytes: RawSpan, adding: Bool, scale: Float, into vector: inout MutableSpan<Float>)
        throws(CodecError)
    {
        try check(vector)
        try header.check(bytes, length: maximumEncodedBytes)
        let found = bytes.littleEndian(at: CodecHeader.byteCount, as: UInt32.self)
        guard found == bucket else {
            throw .wrongCodec(found: "quantize in buckets of \(found)", expected: "in buckets of \(bucket)")
        }
        let bad: Int? = unsafe bytes.withUnsafeBytes { bytes in
            unsafe vector.withUnsafeMutableBufferPointer { vector in
                guard let y = vector.baseAddress, count > 0 else { return nil }
                return unsafe quantizer.decode(
                    bytes.baseAddress! + Self.headerBytes, adding: adding, scale: scale, into: y)
            }
        }
        if let bad {
            throw .corrupt(
                byte: Self.headerBytes + bad, found: "a bucket that no encoder writes",
                expected: "a finite float and a step, or zeros behind the last code")
        }
    }
}
