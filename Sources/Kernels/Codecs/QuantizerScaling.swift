// What the codes of a quantized bucket are relative to, and the constants of a bucket whose codes are levels. One thread.

extension Quantizer {
    /// What the codes of a bucket stand for.
    public enum Scaling: Sendable, Equatable {
        /// Knobs from the smallest float of the bucket to the largest (eq. 3.1).
        case range
        /// Levels -s ... s times the l2 norm over s; s in 1 ... 32,767.
        case norm(levels: Int)
        /// Levels -1, 0 and 1 times the largest magnitude.
        case maximum

        /// s; 0 where there are knobs.
        public var levels: Int {
            switch self {
            case .range: 0
            case .norm(let levels): levels
            case .maximum: 1
            }
        }

        /// Bytes of a bucket before its codes.
        var headerBytes: Int { self == .range ? 8 : 4 }

        var isNorm: Bool { if case .norm = self { true } else { false } }

        /// Sets the constants (see `wideQuantize`) of a bucket with levels, none of whose floats is above `limit` in magnitude.
        ///
        /// The step is limit / s rounded up to as few bits as leave every level times the step exact, so that zero decodes to zero. Beyond
        /// the largest float it is rounded down, and limited is what a level stands for.
        func setMap(_ map: UnsafeMutablePointer<Float>, limit: Double, bits: Int) {
            let s = Float(levels)
            let numerator = Float(1 << (bits == 16 ? 15 : 16))
            guard limit > 0 else {
                for i in 0..<5 { unsafe map[i] = i == 3 ? 1 : 0 }
                return
            }
            var step = roundedUp(limit / Double(levels), bits: 63 - (1 << 24 / levels + 1).leadingZeroBitCount)
            if !(s * step).isFinite {
                step = .greatestFiniteMagnitude / s
                if !(s * step).isFinite { step = step.nextDown }
            }
            // Sums and quotients must be neither infinite nor denormal.
            let scale: Float = s * step > 0x1p119 ? 0x1p-8 : step < 0x1p-100 ? 0x1p64 : 1
            let offset = s * (step * scale)
            let largest = Float(min(limit, Double(Float.greatestFiniteMagnitude)))
            // Products are monotone, so that no float comes to more than the last code.
            var factor = numerator / (step * scale)
            while offset.addingProduct(largest, scale) * factor > 2 * s * numerator { factor = factor.nextDown }
            unsafe map[0] = -s * step
            unsafe map[1] = step
            unsafe map[2] = offset
            unsafe map[3] = scale
            unsafe map[4] = factor
        }

        /// The smallest float of at most `bits` significant bits that is not below a positive number; infinite where there is none.
        private func roundedUp(_ value: Double, bits: Int) -> Float {
            let exponent = max(value.exponent - (bits - 1), Float.leastNonzeroMagnitude.exponent)
            let unit = Double(sign: .plus, exponent: exponent, significand: 1)
            return Float((value / unit).rounded(.up) * unit)
        }
    }
}

/// The sum of squares of `count` floats in doubles, which neither overflow nor vanish; not finite where one of the floats is not.
///
/// Sixteen sums in a fixed order, the same on every machine.
func sumOfSquares(_ x: UnsafePointer<Float>, count: Int) -> Double {
    let bytes = unsafe UnsafeRawPointer(x)
    var (even, odd) = (SIMD8<Double>(), SIMD8<Double>())
    var i = 0
    while i &+ 16 <= count {
        let a = unsafe SIMD8<Double>(load8(bytes, i))
        let b = unsafe SIMD8<Double>(load8(bytes, i &+ 8))
        even.addProduct(a, a)
        odd.addProduct(b, b)
        i &+= 16
    }
    let eight = even + odd
    let four = eight.lowHalf + eight.highHalf
    var sum = (four.x + four.z) + (four.y + four.w)
    while i < count {
        let value = unsafe Double(x[i])
        sum.addProduct(value, value)
        i &+= 1
    }
    return sum
}

/// The largest code of `units` units, as `Quantizer` lays them out.
///
/// For numbers of levels that are seldom used: word by word, which is half as fast as decoding.
func largestCode(bits: Int, _ codes: UnsafeRawPointer, units: Int) -> Int {
    let rows = 32 >> min(5, bits.trailingZeroBitCount)
    let words = rows * bits / 32
    let mask = UInt32(1 << bits - 1)
    var largest = SIMD16<UInt32>()
    for unit in 0..<units {
        let start = unsafe codes + 64 * words * unit
        for row in 0..<rows {
            let (word, shift) = (row * bits / 32, UInt32(row * bits % 32))
            var code = unsafe start.loadUnaligned(fromByteOffset: 64 * word, as: SIMD16<UInt32>.self) &>> shift
            if shift + UInt32(bits) > 32 {
                let next = unsafe start.loadUnaligned(fromByteOffset: 64 * (word + 1), as: SIMD16<UInt32>.self)
                code |= next &<< (32 - shift)
            }
            largest = pointwiseMax(largest, code & mask)
        }
    }
    return Int(largest.max())
}
