// What QSGD and ternary messages have in common: a header, the bucket's length, and the levels of the buckets. One thread per
// instance.

internal import Kernels
internal import Platform

/// The encoding of vectors of one length in signed levels of a step for each bucket.
struct LevelMessage: ~Copyable {
    private(set) var header: CodecHeader
    private(set) var quantizer: Quantizer
    private let bucket: UInt32
    static let headerBytes = CodecHeader.byteCount + 4

    /// `bucket` is 0 for the whole vector.
    init(
        of facts: CodecFacts, setting: UInt16, count: Int, bucket: Int, scaling: Quantizer.Scaling,
        instructions: InstructionSet
    ) {
        precondition((0...Int(UInt32.max)).contains(bucket), "a bucket of \(bucket)")
        header = CodecHeader(of: facts, setting: setting, count: count)
        self.bucket = UInt32(bucket)
        quantizer = Quantizer(
            levels: scaling, count: count, bucket: max(1, bucket == 0 ? count : bucket), instructions: instructions)
    }

    /// Goes on with vectors of another length.
    mutating func resize(to count: Int) {
        header = header.resized(to: count)
        quantizer.resize(count: count, bucket: max(1, bucket == 0 ? count : Int(bucket)))
    }

    /// Bytes of a message in the dense layout.
    var byteCount: Int { Self.headerBytes + quantizer.encodedBytes }

    /// Writes the header into `bytes` and the buckets to `levels`, or behind the header where that is nil.
    func encode(
        _ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan, levels: UnsafeMutableRawPointer?
    ) throws(CodecError) {
        let bad = unsafe vector.withUnsafeBufferPointer { vector in
            unsafe encode(vector, residual: nil, scale: 0, draw, &bytes, levels)
        }
        if let bad { throw .notFinite(in: vector, from: bad) }
    }

    /// The same for v = vector + scale * residual, leaving residual = v - Q(v).
    func encode(
        _ vector: Span<Float>, feedback residual: inout MutableSpan<Float>, scale: Float, draw: CodecDraw,
        into bytes: inout MutableRawSpan, levels: UnsafeMutableRawPointer?
    ) throws(CodecError) {
        let bad = unsafe vector.withUnsafeBufferPointer { vector in
            unsafe residual.withUnsafeMutableBufferPointer { residual in
                unsafe encode(vector, residual: residual.baseAddress, scale: scale, draw, &bytes, levels)
            }
        }
        // The sum now stands in the residual.
        if let bad { throw .notFinite(in: residual.span, from: bad) }
    }

    private func encode(
        _ vector: UnsafeBufferPointer<Float>, residual: UnsafeMutablePointer<Float>?, scale: Float, _ draw: CodecDraw,
        _ bytes: inout MutableRawSpan, _ levels: UnsafeMutableRawPointer?
    ) -> Int? {
        header.write(into: &bytes)
        bytes.storeBytes(of: bucket.littleEndian, toByteOffset: CodecHeader.byteCount, as: UInt32.self)
        guard let x = vector.baseAddress, quantizer.count > 0 else { return nil }
        let draws = DrawBits(seed: draw.seed, rank: draw.rank, step: draw.step)
        return unsafe bytes.withUnsafeMutableBytes { bytes in
            let target = unsafe levels ?? bytes.baseAddress! + Self.headerBytes
            return unsafe quantizer.encode(x, residual: residual, feedback: scale, draws: draws, into: target)
        }
    }

    /// Throws where a message does not start with this header and the bucket's length.
    func checkHeader(_ bytes: RawSpan) throws(CodecError) {
        try header.check(bytes)
        guard bytes.byteCount >= Self.headerBytes else {
            throw .wrongLength(found: bytes.byteCount, expected: Self.headerBytes)
        }
        let found = bytes.littleEndian(at: CodecHeader.byteCount, as: UInt32.self)
        guard found == bucket else {
            let name = header.name
            throw .wrongCodec(found: "\(name) in buckets of \(found)", expected: "\(name) in buckets of \(bucket)")
        }
    }

    /// Decodes a message in the dense layout over a vector of the right length, or adds it.
    func decode(
        _ bytes: RawSpan, adding: Bool, scale: Float, into vector: inout MutableSpan<Float>
    ) throws(CodecError) {
        try checkHeader(bytes)
        guard bytes.byteCount == byteCount else { throw .wrongLength(found: bytes.byteCount, expected: byteCount) }
        let bad: Int? = unsafe bytes.withUnsafeBytes { bytes in
            unsafe vector.withUnsafeMutableBufferPointer { vector in
                guard let y = vector.baseAddress, quantizer.count > 0 else { return nil }
                let from = unsafe bytes.baseAddress! + Self.headerBytes
                return unsafe quantizer.decode(from, adding: adding, scale: scale, into: y)
            }
        }
        if let bad {
            throw .corrupt(
                byte: Self.headerBytes + bad, found: "a bucket that no encoder writes",
                expected: "a finite step, levels that exist, and zeros behind the last")
        }
    }
}
