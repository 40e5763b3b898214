// What the codes of a quantized bucket are relative to, and the constants of a bucket whose codes are levels. One thread.

internal import CPlatformShims

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
        /// The step is limit / s rounded up to as few bits as leave every level times the step exact, so that zero decodes to
        /// zero. Beyond the largest float it is rounded down, and limited is what a level stands for.
        func setMap(_ map: UnsafeMutablePointer<Float>, limit: Double, bits: Int, stepBits: Int) {
            let s = Float(levels)
            let numerator = Float(1 << (bits == 16 ? 15 : 16))
            guard limit > 0 else {
                for i in 0..<5 { unsafe map[i] = i == 3 ? 1 : 0 }
                return
            }
            var step = roundedUp(limit / Double(levels), bits: stepBits)
            if !(s * step).isFinite {
                step = .greatestFiniteMagnitude / s
                if !(s * step).isFinite { step = step.nextDown }
            }
            // Sums and quotients must be neither infinite nor denormal.
            let scale: Float = s * step > 0x1p119 ? 0x1p-8 : step < 0x1p-100 ? 0x1p64 : 1
            let largest = Float(min(limit, Double(Float.greatestFiniteMagnitude)))
            // A step that was rounded down must not leave the most negative float below the first code.
            let offset = max(s * (step * scale), largest * scale)
            // Products are monotone, so that no float comes to more than the last code.
            var factor = numerator / (step * scale)
            while offset.addingProduct(largest, scale) * factor > 2 * s * numerator { factor = factor.nextDown }
            unsafe map[0] = -s * step
            unsafe map[1] = step
            unsafe map[2] = offset
            unsafe map[3] = scale
            unsafe map[4] = factor
        }

        /// Significant bits of a step of which every level is exact: so many that levels * (2^bits - 1) is at most 2^24.
        var stepBits: Int { self == .range ? 24 : 63 - (1 << 24 / levels + 1).leadingZeroBitCount }

        /// The smallest float of at most `bits` significant bits that is not below a positive number; infinite where there is none.
        private func roundedUp(_ value: Double, bits: Int) -> Float {
            let nearest = Float(value)
            let pattern = nearest.bitPattern + (Double(nearest) < value ? 1 : 0)
            let significant = pattern < Float.leastNormalMagnitude.bitPattern ? 32 - pattern.leadingZeroBitCount : 24
            let rest = UInt32(1) << UInt32(max(0, significant - bits)) - 1
            return Float(bitPattern: (pattern + rest) & ~rest)
        }
    }
}

/// The sum of squares of `count` floats in doubles, which neither overflow nor vanish; not finite where one of the floats is not.
///
/// Sixteen sums in a fixed order, the same on every machine.
public func sumOfSquares(_ x: UnsafePointer<Float>, count: Int) -> Double {
    let bytes = unsafe UnsafeRawPointer(x)
    var (even, odd) = (SIMD8<Double>(), SIMD8<Double>())
    var i = 0
    while i &+ 16 <= count {
        let a = unsafe SIMD8<Double>(load8(bytes, i))
        let b = unsafe SIMD8<Double>(load8(bytes, i &+ 8))
        unsafe relaxed_prefetch(bytes + 4 &* (i &+ prefetchDistance))
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
