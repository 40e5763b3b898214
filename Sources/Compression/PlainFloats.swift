// Messages that hold a vector as it is. The codec's one thread.

internal import Kernels

extension Codec {
    /// Writes a header and the floats of a vector, 8 + 4 d bytes, and returns that number; throws where one is not finite.
    func encodePlain(
        _ vector: Span<Float>, _ header: CodecHeader, into bytes: inout MutableRawSpan
    ) throws(CodecError) -> Int {
        header.write(into: &bytes)
        let isFinite = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe vector.withUnsafeBytes { vector in
                guard let source = vector.baseAddress, let start = bytes.baseAddress else { return true }
                return unsafe copyFinite(into: start + CodecHeader.byteCount, from: source, count: count)
            }
        }
        guard isFinite else { throw .notFinite(in: vector) }
        return CodecHeader.byteCount + 4 * count
    }

    /// Reads what `encodePlain` wrote with this header: over the vector, or scale times it added where a scale is given.
    func decodePlain(
        _ bytes: RawSpan, _ header: CodecHeader, adding scale: Float?, to vector: inout MutableSpan<Float>
    ) throws(CodecError) {
        try check(vector)
        try header.check(bytes, length: CodecHeader.byteCount + 4 * count)
        let isFinite = unsafe vector.withUnsafeMutableBytes { vector in
            unsafe bytes.withUnsafeBytes { bytes in
                guard let target = vector.baseAddress, let start = bytes.baseAddress else { return true }
                let floats = unsafe start + CodecHeader.byteCount
                guard let scale else { return unsafe copyFinite(into: target, from: floats, count: count) }
                return unsafe addFinite(into: target, from: floats, scale: scale, count: count)
            }
        }
        guard isFinite else { throw notFinite(bytes) }
    }

    /// Where a message of the right length holds a float that is not finite.
    private func notFinite(_ bytes: RawSpan) -> CodecError {
        var byte = CodecHeader.byteCount
        var value = Float.nan
        while byte < bytes.byteCount {
            value = Float(bitPattern: bytes.littleEndian(at: byte, as: UInt32.self))
            if !value.isFinite { break }
            byte += 4
        }
        return .corrupt(byte: byte, found: "\(value)", expected: "a finite float")
    }
}
