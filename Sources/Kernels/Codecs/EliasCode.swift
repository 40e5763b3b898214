// Elias's recursive (omega) code for positive whole numbers, in a stream of bits that fills each byte from its highest bit. One
// thread.

/// The omega code of n >= 1: the binary digits of n, before them those of (their number - 1), and so on down to 1, whose digits
/// are left out; a zero bit ends it. 1 is `0`, 2 `100`, 3 `110`, 4 `101000`, 16 `10100100000`.
public enum EliasCode {
    /// Numbers up to here are encoded and decoded: their codes have at most 46 bits.
    public static let largest: UInt64 = 1 << 33

    /// The code at the lowest bits, and how many it has; 1 <= n <= `largest`.
    @inlinable public static func code(of n: UInt64) -> (bits: UInt64, length: Int) {
        var bits: UInt64 = 0
        var length = 1
        var n = n
        while n > 1 {
            let digits = 64 &- n.leadingZeroBitCount
            bits |= n &<< UInt64(truncatingIfNeeded: length)
            length &+= digits
            n = UInt64(truncatingIfNeeded: digits &- 1)
        }
        return (bits, length)
    }

    /// Bits of the code of n.
    public static func length(of n: UInt64) -> Int { code(of: n).length }
}

/// Appends codes to memory that has room for them.
@unsafe public struct BitWriter {
    @usableFromInline var next: UnsafeMutableRawPointer
    @usableFromInline var pending: UInt64 = 0
    @usableFromInline var pendingCount = 0

    @inlinable public init(to start: UnsafeMutableRawPointer) { unsafe next = start }

    /// Appends the lowest `length` bits of `bits`, the highest of them first; the others are zero, and `length` is at most 32.
    @inline(__always) @inlinable public mutating func append(_ bits: UInt64, _ length: Int) {
        unsafe pending = pending &<< UInt64(truncatingIfNeeded: length) | bits
        unsafe pendingCount &+= length
        if unsafe pendingCount >= 32 {
            unsafe pendingCount &-= 32
            let word = unsafe UInt32(truncatingIfNeeded: pending &>> UInt64(truncatingIfNeeded: pendingCount))
            unsafe next.storeBytes(of: word.bigEndian, as: UInt32.self)
            unsafe next += 4
        }
    }

    /// Appends the omega code of n.
    @inline(__always) @inlinable public mutating func appendElias(_ n: UInt64) {
        if n == 1 { return unsafe append(0, 1) }
        let (bits, length) = EliasCode.code(of: n)
        if length > 32 { unsafe append(bits &>> 32, length &- 32) }
        unsafe append(length > 32 ? bits & 0xFFFF_FFFF : bits, min(length, 32))
    }

    /// Writes what is pending, with zeros up to a whole byte, and returns the end.
    @inlinable public mutating func finish() -> UnsafeMutableRawPointer {
        while unsafe pendingCount > 0 {
            let byte =
                unsafe pendingCount >= 8 ? pending &>> UInt64(pendingCount - 8) : pending &<< UInt64(8 - pendingCount)
            unsafe next.storeBytes(of: UInt8(truncatingIfNeeded: byte), as: UInt8.self)
            unsafe next += 1
            unsafe pendingCount -= 8
        }
        return unsafe next
    }
}

/// Takes codes from memory, any bytes whatever, and never reads beyond its end.
@unsafe public struct BitReader {
    @usableFromInline let start: UnsafeRawPointer
    @usableFromInline let bitCount: Int
    /// Bits taken so far, at most the bits there are.
    public internal(set) var position = 0

    public init(from start: UnsafeRawPointer, byteCount: Int) {
        unsafe self.start = start
        unsafe bitCount = 8 * byteCount
    }

    /// Whether `window` holds 57 bits of the message, none beyond its end.
    @inline(__always) var hasWindow: Bool { unsafe position &+ 57 <= bitCount }

    /// Passes over bits that were taken from `window`.
    @inline(__always) mutating func skip(_ bits: Int) { unsafe position &+= bits }

    /// The next bits at the top, at least 57 of them; beyond the end they are zeros.
    @inline(__always) var window: UInt64 {
        let byte = unsafe position &>> 3
        if unsafe byte &+ 8 <= bitCount &>> 3 {
            let word = unsafe UInt64(bigEndian: start.loadUnaligned(fromByteOffset: byte, as: UInt64.self))
            return unsafe word &<< UInt64(truncatingIfNeeded: position & 7)
        }
        var word: UInt64 = 0
        for i in 0..<8 where unsafe byte + i < bitCount / 8 {
            unsafe word |= UInt64(start.load(fromByteOffset: byte + i, as: UInt8.self)) &<< UInt64(56 - 8 * i)
        }
        return unsafe word &<< UInt64(position & 7)
    }

    /// The next bit, 0 or 1; nil at the end.
    @inline(__always) public mutating func bit() -> UInt64? {
        guard unsafe position < bitCount else { return nil }
        let bit = unsafe window &>> 63
        unsafe position &+= 1
        return bit
    }

    /// The number whose omega code comes next; nil where there is none up to `limit`, which is at most `EliasCode.largest`.
    @inline(__always) public mutating func elias(upTo limit: UInt64) -> UInt64? {
        var n: UInt64 = 1
        while unsafe position < bitCount {
            let bits = unsafe window
            if bits &>> 63 == 0 {
                unsafe position &+= 1
                return n <= limit ? n : nil
            }
            // n + 1 digits follow, the number itself or the count of the next: 34 at the most, as `window` has them.
            guard n < 34 else { return nil }
            let digits = Int(truncatingIfNeeded: n) &+ 1
            guard unsafe digits <= bitCount &- position else { return nil }
            n = bits &>> UInt64(truncatingIfNeeded: 64 &- digits)
            unsafe position &+= digits
        }
        return nil
    }

    /// Whether nothing but zeros is left, less than a byte of them.
    public func isAtEnd() -> Bool {
        let left = unsafe bitCount - position
        return unsafe left < 8 && (left == 0 || window &>> UInt64(64 - left) == 0)
    }
}

/// Codes of small numbers, and the numbers of short codes, ready to be looked up.
@safe public struct EliasTables: ~Copyable {
    /// For each number below 256 its code, and its length times 2^16.
    let codes: UnsafeMutablePointer<UInt32>
    /// For all 12 bits that may come next the number whose code they begin with, and 16 times that code's length below it; 0
    /// where it is longer.
    let numbers: UnsafeMutablePointer<UInt16>
    static let numberBits: UInt64 = 12

    public init() {
        unsafe codes = .allocate(capacity: 256)
        unsafe numbers = .allocate(capacity: 1 << 12)
        unsafe numbers.update(repeating: 0, count: 1 << 12)
        unsafe codes[0] = 0
        for n in 1..<256 {
            let (bits, length) = EliasCode.code(of: UInt64(n))
            unsafe codes[n] = UInt32(bits) | UInt32(length) << 16
            guard length <= 12 else { continue }
            let first = Int(bits) << (12 - length)
            for next in first..<(first + 1 << (12 - length)) { unsafe numbers[next] = UInt16(n << 4 | length) }
        }
    }

    deinit {
        unsafe codes.deallocate()
        unsafe numbers.deallocate()
    }
}
