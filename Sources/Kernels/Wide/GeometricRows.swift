// Distances between elements that are kept independently with one probability. One thread each on memory that is its own meanwhile.

internal import CPlatformShims

/// Writes 8 * `rows` numbers of elements passed over before the next that is kept: floor(log u / log(1 - p)) for u uniform in (0, 1].
///
/// Only additions, multiplications and divisions of double, which give the same bits on every machine.
///
/// - Parameters:
///   - perLogarithm: 1 / log(1 - p), or 0 for p = 1; such that no number exceeds 2^50.
///   - draw: base and key of a `DrawBits`; a number takes 64 bits.
///   - block: the first block to draw from.
public func wideGeometric(
    perLogarithm: Double, rows: Int, draw: UnsafePointer<UInt64>, block: UInt64, into out: UnsafeMutablePointer<UInt64>
) {
    var drawn = unsafe DrawnWords(draw, block: block)
    let one = SIMD8<UInt64>(repeating: 0x3FF0_0000_0000_0000)
    let low = SIMD8<UInt64>(repeating: 0x000F_FFFF_FFFF_FFFF)
    let top = SIMD8<UInt64>(repeating: 0x4330_0000_0000_0000)
    let bias = SIMD8<Double>(repeating: 0x1p52 + 1023)
    let half = SIMD8<Double>(repeating: 0.5)
    // Rounds down, and to 0 what is below it by rounding only.
    let down = SIMD8<Double>(repeating: 0.5 - 0x1p-40)
    let root = SIMD8<Double>(repeating: 1.414_213_562_373_095_1)
    // Adding it rounds to a whole number, which then stands in the low bits.
    let magic = SIMD8<Double>(repeating: 0x1.8p52)
    var row = 0
    while row < rows {
        let words = unsafe unsafeBitCast(drawn.next(), to: SIMD8<UInt64>.self)
        let uniform = unsafe SIMD8<Double>(repeating: 2) - unsafeBitCast(words &>> 12 | one, to: SIMD8<Double>.self)
        let bits = unsafe unsafeBitCast(uniform, to: SIMD8<UInt64>.self)
        // u = 2^(exponent + 1/2) m, with m between sqrt(1/2) and sqrt(2), and log m = log((1 + f) / (1 - f)) as a series in f.
        let mantissa = unsafe unsafeBitCast(bits & low | one, to: SIMD8<Double>.self)
        let exponent = unsafe unsafeBitCast(bits &>> 52 | top, to: SIMD8<Double>.self) - bias + half
        let f = (mantissa - root) / (mantissa + root)
        let s = f * f
        // |f| is at most 0.172, and the first term left out 2 f^19/19.
        var sum = SIMD8<Double>(repeating: 1.0 / 17)
        sum = sum * s + SIMD8<Double>(repeating: 1.0 / 15)
        sum = sum * s + SIMD8<Double>(repeating: 1.0 / 13)
        sum = sum * s + SIMD8<Double>(repeating: 1.0 / 11)
        sum = sum * s + SIMD8<Double>(repeating: 1.0 / 9)
        sum = sum * s + SIMD8<Double>(repeating: 1.0 / 7)
        sum = sum * s + SIMD8<Double>(repeating: 1.0 / 5)
        sum = sum * s + SIMD8<Double>(repeating: 1.0 / 3)
        sum = sum * s + SIMD8<Double>(repeating: 1.0)
        let logarithm = exponent * SIMD8<Double>(repeating: 0.693_147_180_559_945_3) + (f + f) * sum
        let place = logarithm * SIMD8<Double>(repeating: perLogarithm) - down + magic
        let number = unsafe unsafeBitCast(place, to: SIMD8<UInt64>.self) &- unsafeBitCast(magic, to: SIMD8<UInt64>.self)
        unsafe UnsafeMutableRawPointer(out + 8 &* row).storeBytes(of: number, as: SIMD8<UInt64>.self)
        row &+= 1
    }
}
