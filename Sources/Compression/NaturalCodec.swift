// Rounding to powers of two at random (Horváth, Ho, Horváth, Sahu, Canini, Richtárik 2019). One thread per instance.

internal import Kernels
public import Platform

/// Natural compression: 2^e <= |x| < 2^(e + 1) becomes 2^(e + 1) with the probability |x| / 2^e - 1 and otherwise 2^e, with the
/// sign of x.
///
/// 9 bits a float. Unbiased, to the last bit of the draw: the 23 bits of the fraction are the probability. The variance of an
/// element is at most x^2 / 8, denormals included: a vector that has some is encoded times 2^23. Only where the same vector has
/// floats above 2^104 too are denormals rounded between 0 and 2^-126, with an error of 2^-127 at the most each. Beyond 2^127 the
/// next power is no float, and the largest float stands for it, with a mean that is right to half of its last digit.
///
/// Encoded form: `CodecHeader` (setting 0), then as UInt32 the power of two by which the floats were multiplied, 0 or 23, then d
/// + ceil(d / 8) bytes as `NaturalCoder` describes.
public final class NaturalCodec: ResizableCodec {
    public static let facts = CodecFacts(
        name: "natural", number: 6, summary: "one of the two powers of two around a float, drawn",
        section: "Horvath et al. 2019",
        forms: [.init(bytes: "4 + d + ceil(d / 8)", isUnbiased: true, alpha: "1 / 8")], examples: ["natural"])

    public private(set) var count: Int
    private var coder: NaturalCoder
    private var header: CodecHeader
    private static let headerBytes = CodecHeader.byteCount + 4

    public init(count: Int, instructions: InstructionSet = .best) {
        self.count = count
        coder = NaturalCoder(count: count, instructions: instructions)
        header = CodecHeader(of: Self.facts, count: count)
    }

    public func resize(to count: Int) {
        self.count = count
        coder.count = count
        header = header.resized(to: count)
    }

    public var name: String { "natural" }
    public var maximumEncodedBytes: Int { Self.headerBytes + coder.encodedBytes }
    public var hasFixedSize: Bool { true }
    public var isUnbiased: Bool { true }
    public var relativeErrorBound: Double? { 0.125 }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try check(vector, bytes)
        let draws = DrawBits(seed: draw.seed, rank: draw.rank, step: draw.step)
        let outcome = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe vector.withUnsafeBufferPointer { vector in
                guard let x = vector.baseAddress, count > 0 else { return NaturalCoder.Outcome.plain }
                return unsafe coder.encode(x, draws: draws, into: bytes.baseAddress! + Self.headerBytes)
            }
        }
        if outcome == .notFinite { throw .notFinite(in: vector) }
        header.write(into: &bytes)
        let power: UInt32 = outcome == .scaled ? 23 : 0
        bytes.storeBytes(of: power.littleEndian, toByteOffset: CodecHeader.byteCount, as: UInt32.self)
        return maximumEncodedBytes
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try decode(bytes, adding: false, scale: 1, into: &vector)
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try decode(bytes, adding: true, scale: scale, into: &vector)
    }

    private func decode(
        _ bytes: RawSpan, adding: Bool, scale: Float, into vector: inout MutableSpan<Float>
    ) throws(CodecError) {
        try check(vector)
        try header.check(bytes, length: maximumEncodedBytes)
        let power = bytes.littleEndian(at: CodecHeader.byteCount, as: UInt32.self)
        guard power == 0 || power == 23 else {
            throw .corrupt(byte: CodecHeader.byteCount, found: "\(power)", expected: "0 or 23")
        }
        let isFilled = unsafe bytes.withUnsafeBytes { bytes in
            unsafe vector.withUnsafeMutableBufferPointer { vector in
                guard let y = vector.baseAddress, count > 0 else { return true }
                return unsafe coder.decode(
                    bytes.baseAddress! + Self.headerBytes, isScaled: power == 23, adding: adding, scale: scale,
                    into: y)
            }
        }
        guard isFilled else {
            throw .corrupt(byte: maximumEncodedBytes - 1, found: "signs of no float", expected: "zeros")
        }
    }
}
