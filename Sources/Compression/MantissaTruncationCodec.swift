// Floats without their low bits: the book's clipping (section 3.3). One thread per instance.

internal import Kernels
internal import Platform

/// Clears the low k bits of every float32; the 32 - k others travel.
///
/// The sign and, from k = 24 on, only a part of the exponent remain; with 23 bits floats are cut down to a power of two.
///
/// Encoded form: `CodecHeader` (setting: k), then ceil((32 - k) d / 8) bytes, as `HighBits` describes.
public final class MantissaTruncationCodec: ResizableCodec {
    public static let facts = CodecFacts(
        name: "mantissa-truncation", number: 3, summary: "floats without their low k bits", section: "3.3, clipping",
        settings: [SettingFacts("k", default: "16", "bits cleared, 0 to 31")],
        forms: [
            .init(bytes: "ceil((32 - k) d / 8)", isUnbiased: false, alpha: "1"),
            .init("k=0", bytes: "4 d", isUnbiased: true, alpha: "0"),
        ], examples: ["mantissa-truncation:k=16"])

    public private(set) var count: Int
    /// k, 0 ... 31.
    public let droppedBits: Int
    private var highBits: HighBits
    private var header: CodecHeader

    public init(count: Int, droppedBits: Int) {
        precondition((0...31).contains(droppedBits), "\(droppedBits) bits to drop")
        self.count = count
        self.droppedBits = droppedBits
        highBits = HighBits(width: 32 - droppedBits, count: count)
        header = CodecHeader(of: Self.facts, setting: UInt16(droppedBits), count: count)
    }

    public func resize(to count: Int) {
        self.count = count
        highBits.count = count
        header = header.resized(to: count)
    }

    /// With `k`, 16 where it is absent.
    convenience init(_ settings: inout NamedSettings, count: Int) throws(InputError) {
        self.init(count: count, droppedBits: try settings.integer("k", default: 16, in: 0...31))
    }

    public var name: String { "mantissa-truncation:k=\(droppedBits)" }
    public var maximumEncodedBytes: Int { CodecHeader.byteCount + highBits.encodedBytes }
    public var hasFixedSize: Bool { true }
    public var isUnbiased: Bool { droppedBits == 0 }

    /// 1, which denormals reach: they may become 0. A float of at least 2^-126 loses less than 2^(k-23) of itself where k is at most 23:
    /// see `errorBound(for:)`.
    public var relativeErrorBound: Double? { droppedBits == 0 ? 0 : 1 }

    /// The squared error itself.
    public func errorBound(for vector: Span<Float>) -> Double? {
        var sum = 0.0
        for i in vector.indices {
            let kept = Float(bitPattern: vector[i].bitPattern & ~(1 << UInt32(droppedBits) - 1))
            sum += (Double(vector[i]) - Double(kept)) * (Double(vector[i]) - Double(kept))
        }
        return sum
    }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try check(vector, bytes)
        header.write(into: &bytes)
        let isFinite = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe vector.withUnsafeBufferPointer { vector in
                guard let x = vector.baseAddress, count > 0 else { return true }
                return unsafe highBits.pack(x, into: bytes.baseAddress! + CodecHeader.byteCount)
            }
        }
        guard isFinite else { throw .notFinite(in: vector) }
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
        let bad: Int? = unsafe bytes.withUnsafeBytes { bytes in
            unsafe vector.withUnsafeMutableBufferPointer { vector in
                guard let y = vector.baseAddress, count > 0 else { return nil }
                return unsafe highBits.unpack(
                    bytes.baseAddress! + CodecHeader.byteCount, adding: adding, scale: scale, into: y)
            }
        }
        guard let bad else { return }
        if bad == count {
            throw .corrupt(
                byte: maximumEncodedBytes - 1, found: "bits behind the last code", expected: "zeros")
        }
        throw .corrupt(
            byte: CodecHeader.byteCount, found: "an infinity or a NaN as float \(bad)", expected: "finite floats")
    }
}
