// Rounding to powers of two at random (Horváth, Ho, Horváth, Sahu, Canini, Richtárik 2019). One thread per instance.

internal import Kernels
public import Platform

/// Natural compression: 2^e <= |x| < 2^(e + 1) becomes 2^(e + 1) with the probability |x| / 2^e - 1 and otherwise 2^e, with the sign of x.
///
/// 9 bits a float. Unbiased, to the last bit of the draw: the 23 bits of the fraction are the probability. The variance of an element is at
/// most x^2 / 8, denormals included: a vector that has some is encoded times 2^23. Only where the same vector has floats above 2^104 too are
/// denormals rounded between 0 and 2^-126, with an error of 2^-127 at the most each. Beyond 2^127 the next power is no float,
/// and the largest float stands for it, with a mean that is right to half of its last digit.
///
/// Encoded form: `CodecHeader` (setting: 1 where the floats are times 2^23, otherwise 0), then d + ceil(d / 8) bytes as `NaturalCoder`
/// describes.
public final class NaturalCodec: Codec {
    public let count: Int
    private let coder: NaturalCoder
    private let headers: (plain: CodecHeader, scaled: CodecHeader)

    public init(count: Int, instructions: InstructionSet = .best) {
        self.count = count
        coder = NaturalCoder(count: count, instructions: instructions)
        headers = (
            CodecHeader(kind: .natural, setting: 0, count: count), CodecHeader(kind: .natural, setting: 1, count: count)
        )
    }

    public var name: String { "natural" }
    public var maximumEncodedBytes: Int { CodecHeader.byteCount + coder.encodedBytes }
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
                return unsafe coder.encode(x, draws: draws, into: bytes.baseAddress! + CodecHeader.byteCount)
            }
        }
        switch outcome {
        case .plain: headers.plain.write(into: &bytes)
        case .scaled: headers.scaled.write(into: &bytes)
        case .notFinite: throw .notFinite(in: vector)
        }
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
        // The setting is 1 or 0: as the header says, where there is one.
        let isScaled = unsafe bytes.byteCount > 2 && bytes.unsafeLoad(fromByteOffset: 2, as: UInt8.self) == 1
        try (isScaled ? headers.scaled : headers.plain).check(bytes, length: maximumEncodedBytes)
        let isFilled = unsafe bytes.withUnsafeBytes { bytes in
            unsafe vector.withUnsafeMutableBufferPointer { vector in
                guard let y = vector.baseAddress, count > 0 else { return true }
                return unsafe coder.decode(
                    bytes.baseAddress! + CodecHeader.byteCount, isScaled: isScaled, adding: adding, scale: scale,
                    into: y)
            }
        }
        guard isFilled else {
            throw .corrupt(byte: maximumEncodedBytes - 1, found: "signs of no float", expected: "zeros")
        }
    }
}
