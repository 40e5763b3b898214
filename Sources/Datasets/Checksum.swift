// The checksum of arrays. Every worker thread runs this on blocks of its own.

/// A 64-bit checksum of an array, the sum over its blocks, so that workers can share them out in any way.
///
/// Multiply-xor over 8-byte words in eight lanes: each step is one-to-one in the word and in the lane, so that a change in one
/// word always shows. Guards against damage, not against malice.
package enum Checksum {
    /// Bytes of a block: small enough to be in the processor's cache when it was just read.
    static let blockBytes = 256 << 10

    /// The sum over all blocks of an array.
    package static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var sum: UInt64 = 0
        for (number, begin) in stride(from: 0, to: bytes.count, by: blockBytes).enumerated() {
            let end = min(bytes.count, begin + blockBytes)
            unsafe sum &+= ofBlock(number, UnsafeRawBufferPointer(rebasing: bytes[begin..<end]))
        }
        return sum
    }

    /// What block `number` of an array adds to its checksum.
    static func ofBlock(_ number: Int, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
        guard let base = bytes.baseAddress else { return 0 }
        let seed = UInt64(truncatingIfNeeded: number) &* factor
        let factors = SIMD4(repeating: factor)
        // A product waits for the one before it in its lane: two vectors keep the processor busy.
        var (a, b) = (SIMD4(1, 2, 3, 4) &+ seed, SIMD4(5, 6, 7, 8) &+ seed)
        var position = 0
        while position &+ 64 <= bytes.count {
            let words = unsafe base + position
            a = unsafe (a ^ words.loadUnaligned(as: SIMD4<UInt64>.self)) &* factors
            b = unsafe (b ^ words.loadUnaligned(fromByteOffset: 32, as: SIMD4<UInt64>.self)) &* factors
            position &+= 64
        }
        var sum = UInt64(bytes.count)
        for k in position..<bytes.count { unsafe sum = (sum ^ UInt64(bytes[k])) &* factor }
        for lane in 0..<8 {
            // The high bits, to which all others have spread, come back to the low ones.
            sum = (sum ^ (lane < 4 ? a[lane] : b[lane - 4])) &* factor
            sum ^= sum &>> 32
        }
        return sum
    }

    /// Odd, with bits all over: 2^64 over the golden ratio.
    fileprivate static let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
}

extension SparseDataset {
    /// A checksum of the rows and their labels, as they are trained on.
    package var checksum: UInt64 {
        unsafe Checksum.of(arrays: [
            UnsafeRawBufferPointer(UnsafeBufferPointer(start: rows.rowOffsets, count: rowCount + 1)),
            UnsafeRawBufferPointer(UnsafeBufferPointer(start: rows.indices, count: nonzeroCount)),
            UnsafeRawBufferPointer(UnsafeBufferPointer(start: rows.values, count: nonzeroCount)),
            UnsafeRawBufferPointer(UnsafeBufferPointer(start: rows.labels, count: rowCount)),
        ])
    }
}

extension DenseDataset {
    /// A checksum of the rows and their labels, as they are trained on.
    package var checksum: UInt64 {
        unsafe Checksum.of(arrays: [
            UnsafeRawBufferPointer(UnsafeBufferPointer(start: rows.values, count: rowCount * columns.count)),
            UnsafeRawBufferPointer(UnsafeBufferPointer(start: rows.labels, count: rowCount)),
        ])
    }
}

extension Checksum {
    /// Of several arrays in this order.
    fileprivate static func of(arrays: [UnsafeRawBufferPointer]) -> UInt64 {
        unsafe arrays.reduce(0) { unsafe ($0 ^ of($1)) &* factor }
    }
}
