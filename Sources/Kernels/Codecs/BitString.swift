// Codes of few bits one after the other, the lowest bit of a byte first: the ends of vectors that fill no whole unit of the wide kernels.
// Any thread, on memory that is its own meanwhile.

/// Appends codes of 1 ... 32 bits.
@unsafe struct BitStringWriter {
    private var out: UnsafeMutableRawPointer
    private var string: UInt64 = 0
    private var filled = 0

    init(_ out: UnsafeMutableRawPointer) { unsafe self.out = out }

    mutating func put(_ code: UInt32, bits: Int) {
        unsafe string |= UInt64(code) << UInt64(filled)
        unsafe filled += bits
        while unsafe filled >= 8 { unsafe writeByte() }
    }

    /// Fills the last byte up with zeros; returns the end.
    mutating func finish() -> UnsafeMutableRawPointer {
        if unsafe filled > 0 { unsafe writeByte() }
        return unsafe out
    }

    private mutating func writeByte() {
        unsafe out.storeBytes(of: UInt8(truncatingIfNeeded: string), as: UInt8.self)
        unsafe out += 1
        unsafe string >>= 8
        unsafe filled -= 8
    }
}

/// Takes codes of 1 ... 32 bits.
@unsafe struct BitStringReader {
    /// The first byte not looked at.
    private(set) var from: UnsafeRawPointer
    private var string: UInt64 = 0
    private var left = 0

    init(_ from: UnsafeRawPointer) { unsafe self.from = from }

    mutating func next(bits: Int) -> UInt32 {
        while unsafe left < bits {
            unsafe string |= UInt64(from.load(as: UInt8.self)) << UInt64(left)
            unsafe from += 1
            unsafe left += 8
        }
        let code = unsafe UInt32(truncatingIfNeeded: string & (1 << UInt64(bits) - 1))
        unsafe string >>= UInt64(bits)
        unsafe left -= bits
        return code
    }

    /// Whether what is left of the last byte is zeros.
    var restIsZero: Bool { unsafe string == 0 }
}
