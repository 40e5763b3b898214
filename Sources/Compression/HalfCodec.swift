// Floats of 16 bits (section 3.1.1). One thread per instance.

public import Kernels
public import Platform

/// IEEE float16 (`fp16`) or bfloat16 (`bf16`), 2 bytes per float.
///
/// Encoded form: `CodecHeader` (setting 0); with `fp16` an exponent e as UInt16, 0 ... 112; then d halves of 16 bits, in which h stands for
/// h * 2^e. The exponent is 0 unless a magnitude exceeds 65504, the largest of float16, and then the least with which none does, so
/// that large floats are not cut off. Rounding does not show in the message.
///
/// Stochastic rounding is exact, but for `fp16` below 2^(e-14) in magnitude, where it is right to 2^-14 of a step, and for what lies
/// beyond the largest number of the format times 2^e, which only floats within 1/128 of the largest float32 do: it becomes that number.
public final class HalfCodec: ResizableCodec {
    /// Those of `fp16` and of `bf16`.
    public static func facts(of format: HalfFormat) -> CodecFacts {
        let (name, number, bytes): (_, UInt8, _) = format == .fp16 ? ("fp16", 1, "2 + 2 d") : ("bf16", 2, "2 d")
        return CodecFacts(
            name: name, number: number,
            summary: format == .fp16 ? "IEEE float16 times a power of two for all" : "bfloat16",
            section: "3.1.1", settings: [SettingFacts("rounding", default: "nearest", "`nearest` or `stochastic`")],
            forms: [
                .init("rounding=nearest", bytes: bytes, isUnbiased: false, alpha: "1"),
                .init("rounding=stochastic", bytes: bytes, isUnbiased: true, alpha: nil),
            ], examples: format == .fp16 ? ["fp16"] : ["bf16", "bf16:rounding=stochastic"])
    }

    public private(set) var count: Int
    public let format: HalfFormat
    public let rounding: Rounding
    private var halves: HalfFloats
    private var header: CodecHeader

    public init(
        _ format: HalfFormat, count: Int, rounding: Rounding = .nearest, instructions: InstructionSet = .best
    ) {
        self.count = count
        self.format = format
        self.rounding = rounding
        halves = HalfFloats(format, count: count, instructions: instructions)
        header = CodecHeader(of: Self.facts(of: format), count: count)
    }

    public func resize(to count: Int) {
        self.count = count
        halves.count = count
        header = header.resized(to: count)
    }

    /// With `rounding`, `nearest` or `stochastic`.
    convenience init(_ format: HalfFormat, _ settings: inout NamedSettings, count: Int) throws(InputError) {
        self.init(format, count: count, rounding: try settings.choice("rounding", default: .nearest))
    }

    public var name: String { "\(header.name):rounding=\(rounding.rawValue)" }
    private var headerBytes: Int { CodecHeader.byteCount + (format == .fp16 ? 2 : 0) }
    public var maximumEncodedBytes: Int { headerBytes + 2 * count }
    public var hasFixedSize: Bool { true }
    public var isUnbiased: Bool { rounding == .stochastic }

    /// 1 to the nearest: the error of a float is at most the float, and of one too small for the format it is the float. Of others it is
    /// at most 2^-9 (`bf16`) or 2^-12 (`fp16`) of it: see `errorBound(for:)`. Stochastic rounding has no bound, since tiny floats may
    /// become the smallest number of the format.
    public var relativeErrorBound: Double? { rounding == .nearest ? 1 : nil }

    /// The mean squared error itself.
    public func errorBound(for vector: Span<Float>) -> Double? {
        let magnitude = vector.indices.reduce(Float(0)) { max($0, abs(vector[$1])) }
        let power = Double(sign: .plus, exponent: format.exponent(forMagnitude: magnitude), significand: 1)
        let largest = Double(format.largest) * power
        var sum = 0.0
        for i in vector.indices where vector[i] != 0 {
            let x = Double(abs(vector[i]))
            let step = max(
                format.smallest * power, Double(sign: .plus, exponent: x.exponent - format.fractionBits, significand: 1)
            )
            let above = (x / step) - (x / step).rounded(.down)
            sum += x > largest ? (x - largest) * (x - largest) : rounding.squaredError(above: above) * step * step
        }
        // The rounding of a dither, where it is not exact.
        return sum * (1 + 0x1p-10)
    }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try check(vector, bytes)
        header.write(into: &bytes)
        let draws = rounding == .nearest ? nil : DrawBits(seed: draw.seed, rank: draw.rank, step: draw.step)
        let exponent: Int? = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe vector.withUnsafeBufferPointer { vector in
                guard let x = vector.baseAddress, count > 0 else { return 0 }
                return unsafe halves.encode(x, draws: draws, into: bytes.baseAddress! + headerBytes)
            }
        }
        guard let exponent else { throw .notFinite(in: vector) }
        if format == .fp16 {
            bytes.storeBytes(of: UInt16(exponent).littleEndian, toByteOffset: CodecHeader.byteCount, as: UInt16.self)
        }
        return maximumEncodedBytes
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try decode(bytes, adding: false, scale: 1, into: &vector)
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try decode(bytes, adding: true, scale: scale, into: &vector)
    }

    private func decode(_ bytes: RawSpan, adding: Bool, scale: Float, into vector: inout MutableSpan<Float>)
        throws(CodecError)
    {
        try check(vector)
        try header.check(bytes, length: maximumEncodedBytes)
        var exponent = 0
        if format == .fp16 {
            exponent = Int(bytes.littleEndian(at: CodecHeader.byteCount, as: UInt16.self))
            guard exponent <= format.largestExponent else {
                throw .corrupt(
                    byte: 8, found: "the exponent \(exponent)", expected: "at most \(format.largestExponent)")
            }
        }
        let bad: Int? = unsafe bytes.withUnsafeBytes { bytes in
            unsafe vector.withUnsafeMutableBufferPointer { vector in
                guard let y = vector.baseAddress, count > 0 else { return nil }
                return unsafe halves.decode(
                    bytes.baseAddress! + headerBytes, exponent: exponent, adding: adding, scale: scale, into: y)
            }
        }
        if let bad {
            throw .corrupt(
                byte: headerBytes + 2 * bad, found: "an infinity or a NaN", expected: "a finite \(header.name)")
        }
    }
}
