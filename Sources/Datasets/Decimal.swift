// Decimal text to the nearest Float or Double, the innermost part of reading. Every worker thread runs this on its own chunk.
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

    /// A number as it is written: `mantissa` times ten to the `exponent`.
    private struct Written {
        var isNegative: Bool
        /// The first 18 digits that count.
        var mantissa: Int64 = 0
        var exponent = 0
        /// Whether digits follow that the mantissa leaves out.
        var isCut = false
    }

    /// Reads `[+-] digits [. digits] [e [+-] digits]` at `p` and moves `p` past it; nil where there is no such number.
    ///
    /// The text must be readable, and end in a byte that cannot continue a number.
    @inline(__always)
    private static func scan(_ p: inout UnsafePointer<UInt8>, point: UInt8) -> Written? {
        var number = Written(isNegative: unsafe p[0] == UInt8(ascii: "-"))
        if unsafe number.isNegative || p[0] == UInt8(ascii: "+") { unsafe p += 1 }
        var leftOut = 0
        let integerStart = unsafe p
        unsafe digits(&p, &number.mantissa, leftOut: &leftOut)
        number.exponent = leftOut
        var digitCount = unsafe p - integerStart
        if unsafe p[0] == point {
            unsafe p += 1
            let fractionStart = unsafe p
            var leftOutBehind = 0
            unsafe digits(&p, &number.mantissa, leftOut: &leftOutBehind)
            let count = unsafe p - fractionStart
            digitCount += count
            number.exponent -= count - leftOutBehind
            leftOut += leftOutBehind
        }
        if digitCount == 0 { return nil }
        number.isCut = leftOut > 0
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
            if unsafe q == first { return nil }
            number.exponent += isMinus ? -written : written
            unsafe p = unsafe q
        }
        return number
    }

    /// The number at `p`, as `scan` reads it, as the nearest Float.
    ///
    /// NaN where there is none; infinite beyond Float's range.
    @inline(never)
    package static func parse(_ p: inout UnsafePointer<UInt8>, powers: UnsafePointer<Double>) -> Float {
        let start = unsafe p
        guard let number = unsafe scan(&p, point: UInt8(ascii: ".")) else { return .nan }
        if number.mantissa == 0 { return number.isNegative ? -0.0 : 0 }
        if abs(number.exponent) <= tableLimit {
            let power = unsafe powers[abs(number.exponent)]
            let magnitude = number.exponent < 0 ? Double(number.mantissa) / power : Double(number.mantissa) * power
            if magnitude >= 0x1p-125 && magnitude < 0x1p128 && !isDoubtful(magnitude) {
                return Float(number.isNegative ? -magnitude : magnitude)
            }
        }
        return unsafe Float(String(decoding: UnsafeBufferPointer(start: start, count: p - start), as: UTF8.self))
            ?? .nan
    }

    /// The number at `p`, with `point` before its fraction, as the nearest Double.
    ///
    /// NaN where there is none; infinite beyond Double's range.
    @inline(never)
    package static func parseDouble(
        _ p: inout UnsafePointer<UInt8>, powers: UnsafePointer<Double>, point: UInt8 = UInt8(ascii: ".")
    ) -> Double {
        let start = unsafe p
        guard let number = unsafe scan(&p, point: point) else { return .nan }
        if number.mantissa == 0 { return number.isNegative ? -0.0 : 0 }
        if !number.isCut, let magnitude = unsafe nearest(number.mantissa, number.exponent, powers) {
            return number.isNegative ? -magnitude : magnitude
        }
        let text = unsafe String(decoding: UnsafeBufferPointer(start: start, count: p - start), as: UTF8.self)
        let usual = point == UInt8(ascii: ".") ? text : text.replacing(String(UnicodeScalar(point)), with: ".")
        return Double(usual) ?? .nan
    }

    /// The Double nearest to `mantissa`, above 0, times ten to the `exponent`; nil where that takes more than 64 bits to say.
    @inline(__always)
    private static func nearest(_ mantissa: Int64, _ exponent: Int, _ powers: UnsafePointer<Double>) -> Double? {
        if mantissa <= 1 << 53 && abs(exponent) <= 22 {
            // Both are exact, so that the result is rounded once.
            let power = unsafe powers[abs(exponent)]
            return exponent < 0 ? Double(mantissa) / power : Double(mantissa) * power
        }
        if exponent > 0 || exponent < -27 { return nil }
        // The quotient by a power of five to 63 bits or more, of which the last says whether anything follows: its conversion to
        // Double is the one rounding.
        var (five, square, rest) = (UInt64(1), UInt64(5), -exponent)
        while rest > 0 {
            if rest & 1 == 1 { five &*= square }
            square &*= square
            rest &>>= 1
        }
        let (a, b) = (mantissa.leadingZeroBitCount, five.leadingZeroBitCount)
        let numerator = UInt64(mantissa) &<< UInt64(a)
        let (quotient, left) = (five &<< UInt64(b)).dividingFullWidth((numerator &>> 1, numerator &<< 63))
        return Double(sign: .plus, exponent: exponent - 63 - a + b, significand: 1)
            * Double(quotient | (left == 0 ? 0 : 1))
    }

    /// What a whole number of more than 53 bits, however it is written, is above its nearest Double; 0 for any other number, and nil where
    /// digits alone are more than 16 bits of difference can say.
    static func remainder(of text: UnsafeBufferPointer<UInt8>, from value: Double) -> Int16? {
        if value.magnitude < 0x1p53 { return 0 }
        let limit = Int128(1) << 70
        // Digits so far without the zeros behind them; how many zeros these are; digits behind the point.
        var (whole, zeros, places) = (Int128(0), 0, 0)
        var exponent = 0
        var isPlain = true
        let isSigned = unsafe text[0] == UInt8(ascii: "-") || text[0] == UInt8(ascii: "+")
        for k in (isSigned ? 1 : 0)..<text.count {
            let byte = unsafe text[k]
            if byte | 0x20 == UInt8(ascii: "e") {
                isPlain = false
                exponent = unsafe Int(String(decoding: text[(k + 1)...], as: UTF8.self)) ?? 0
                break
            }
            let digit = byte &- 48
            if digit > 9 {
                if byte != UInt8(ascii: ".") && byte != UInt8(ascii: ",") { return 0 }
                isPlain = false
                continue
            }
            if !isPlain { places += 1 }
            zeros += 1
            if digit == 0 { continue }
            guard let longer = raised(whole, zeros, limit: limit) else { return isPlain ? nil : 0 }
            (whole, zeros) = (longer + Int128(digit), 0)
        }
        let scale = zeros + exponent - places
        // No whole number, or one of more than names need.
        guard scale >= 0, let number = raised(whole, scale, limit: limit), isPlain || number >> 64 == 0 else {
            return isPlain ? nil : 0
        }
        return Int16(exactly: (value < 0 ? -number : number) - Int128(value))
    }

    /// A number with so many zeros behind it; nil beyond a limit.
    private static func raised(_ number: Int128, _ zeros: Int, limit: Int128) -> Int128? {
        var number = number
        for _ in 0..<min(zeros, 40) {
            number *= 10
            if number > limit { return nil }
        }
        return number
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
