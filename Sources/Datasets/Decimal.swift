// Decimal text to the nearest Float, the innermost part of reading. Every worker thread runs this on its own chunk.
//
// A number is a mantissa of at most 18 digits times a power of ten. In Double it takes at most three roundings (mantissa,
// power, product; a nineteenth digit left out counts for less than one), so the result is within 3 ulp of the truth, and
// rounding it to Float is right unless a point half way between two Floats lies as near. Those few, and results outside
// Float's normal range, go to the standard library.

package enum Decimal {
    static let tableLimit = 60
    /// 10^0 ... 10^tableLimit in Double, each the nearest; fetched once per chunk, since a global costs a check per use.
    /// Never written after it is made.
    package nonisolated(unsafe) static let powers: UnsafePointer<Double> = {
        let table = UnsafeMutablePointer<Double>.allocate(capacity: tableLimit + 1)
        for k in 0...tableLimit { unsafe (table + k).initialize(to: Double("1e\(k)")!) }
        return unsafe UnsafePointer(table)
    }()

    /// Whether rounding this Double to Float could go the wrong way: within 8 ulp of a point half way between two Floats.
    @inline(__always) static func isDoubtful(_ value: Double) -> Bool {
        (value.bitPattern & 0x1FFF_FFFF) &- 0x0FFF_FFF8 <= 16
    }

    /// The high bit of the lowest byte that is no digit, and arbitrary bits above it; `text` is 8 bytes xor "00000000".
    @inline(__always) static func nonDigits(_ text: UInt64) -> UInt64 {
        ((text &+ 0x7676_7676_7676_7676) | text) & 0x8080_8080_8080_8080
    }

    /// The number written by 8 digits, the first in the lowest byte, each 0 to 9 (SWAR: pairs, then fours, then eight).
    @inline(__always) static func eightDigits(_ digits: UInt64) -> UInt64 {
        let pairs = digits &* 10 &+ digits &>> 8
        let low = (pairs & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064
        let high = (pairs &>> 16 & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001
        return (low &+ high) &>> 32
    }

    /// Eight bytes of text xor "00000000", the first in the lowest byte.
    @inline(__always) static func load(_ p: UnsafePointer<UInt8>) -> UInt64 {
        unsafe UInt64(littleEndian: UnsafeRawPointer(p).loadUnaligned(as: UInt64.self)) ^ 0x3030_3030_3030_3030
    }

    /// Reads `[+-] digits [. digits] [e [+-] digits]` at `p` and moves `p` past it.
    ///
    /// NaN where there is no such number; infinite beyond Float's range. The text must be readable, and end in a byte that
    /// cannot continue a number.
    @inline(never)
    package static func parse(_ p: inout UnsafePointer<UInt8>, powers: UnsafePointer<Double>) -> Float {
        let start = unsafe p
        let isNegative = unsafe p[0] == UInt8(ascii: "-")
        if unsafe isNegative || p[0] == UInt8(ascii: "+") { unsafe p += 1 }
        var mantissa: Int64 = 0
        var exponent = 0
        let integerStart = unsafe p
        unsafe digits(&p, &mantissa, leftOut: &exponent)
        var digitCount = unsafe p - integerStart
        if unsafe p[0] == UInt8(ascii: ".") {
            unsafe p += 1
            let fractionStart = unsafe p
            var leftOut = 0
            unsafe digits(&p, &mantissa, leftOut: &leftOut)
            let count = unsafe p - fractionStart
            digitCount += count
            exponent -= count - leftOut
        }
        if digitCount == 0 { return .nan }
        if unsafe p[0] | 0x20 == UInt8(ascii: "e") {
            var q = unsafe p + 1
            let isMinus = unsafe q[0] == UInt8(ascii: "-")
            if unsafe isMinus || q[0] == UInt8(ascii: "+") { unsafe q += 1 }
            var written = 0
            let first = unsafe q
            while unsafe q[0] &- 48 < 10 {
                written = unsafe min(written * 10 + Int(q[0] &- 48), 1_000_000_000)
                unsafe q += 1
            }
            if unsafe q == first { return .nan }
            exponent += isMinus ? -written : written
            unsafe p = unsafe q
        }
        if mantissa == 0 { return isNegative ? -0.0 : 0 }
        if abs(exponent) <= tableLimit {
            let power = unsafe powers[abs(exponent)]
            let magnitude = exponent < 0 ? Double(mantissa) / power : Double(mantissa) * power
            if magnitude >= 0x1p-125 && magnitude < 0x1p128 && !isDoubtful(magnitude) {
                return Float(isNegative ? -magnitude : magnitude)
            }
        }
        return unsafe Float(String(decoding: UnsafeBufferPointer(start: start, count: p - start), as: UTF8.self))
            ?? .nan
    }

    /// Appends digits to the mantissa up to 18 significant ones and counts those left out.
    @inline(__always)
    private static func digits(_ p: inout UnsafePointer<UInt8>, _ mantissa: inout Int64, leftOut: inout Int) {
        while true {
            let digit = unsafe p[0] &- 48
            if digit > 9 { return }
            if mantissa < 100_000_000_000_000_000 {
                mantissa = mantissa &* 10 &+ Int64(digit)
            } else {
                leftOut &+= 1
            }
            unsafe p += 1
        }
    }
}
