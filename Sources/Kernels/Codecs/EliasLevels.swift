// Signed levels, most of which are zero, as distances, signs and magnitudes in Elias's code. One thread.

internal import CPlatformShims

/// The levels of a bucket in a string of bits: for every level that is not zero the distance to its predecessor, a bit that is 1
/// where it is negative, and its magnitude; then the distance from the last one to one place beyond the bucket.
public enum EliasLevels {
    /// Appends `count` levels, whole numbers of less than 2^24.
    ///
    /// - Parameter distance: how far the next level is from the one that was written last, 1 at the start of a bucket.
    public static func write(
        _ levels: UnsafePointer<Float>, count: Int, distance: inout UInt64, tables: borrowing EliasTables,
        to writer: inout BitWriter
    ) {
        // How far the first level of the 64 is from the one that was written last; it wraps below zero within them.
        var next = distance
        var i = 0
        while i < count {
            // Zeros are passed over 64 at a time: a test of each would be mispredicted at most levels that are not.
            let length = min(64, count &- i)
            var nonzero = unsafe nonzeroBits(levels + i, count: length)
            while nonzero != 0 {
                let at = nonzero.trailingZeroBitCount
                nonzero &= nonzero &- 1
                let level = unsafe levels[i &+ at]
                let ahead = next &+ UInt64(at)
                next = 0 &- UInt64(at)
                let magnitude = UInt64(UInt32(abs(level)))
                let sign: UInt64 = level < 0 ? 1 : 0
                if ahead | magnitude < 256 {
                    let (a, b) = unsafe (UInt64(tables.codes[Int(ahead)]), UInt64(tables.codes[Int(magnitude)]))
                    let bits = ((a & 0xFFFF) << 1 | sign) &<< (b >> 16) | b & 0xFFFF
                    unsafe writer.append(bits, Int(a >> 16 &+ b >> 16 &+ 1))
                } else {
                    unsafe writer.appendElias(ahead)
                    unsafe writer.append(sign, 1)
                    unsafe writer.appendElias(magnitude)
                }
            }
            next &+= UInt64(length)
            i &+= 64
        }
        distance = next
    }

    /// Bit i says whether level i of at most 64 is not zero.
    @inline(__always)
    private static func nonzeroBits(_ levels: UnsafePointer<Float>, count: Int) -> UInt64 {
        var bits: UInt64 = 0
        if count == 64 {
            for part in 0..<4 {
                let lanes = unsafe UnsafeRawPointer(levels + 16 * part).loadUnaligned(as: SIMD16<Float>.self)
                bits |= UInt64(relaxed_nonzero_lanes16(lanes)) << UInt64(16 * part)
            }
        } else {
            for i in 0..<count where unsafe levels[i] != 0 { bits |= 1 << UInt64(i) }
        }
        return bits
    }

    /// Writes step * level for the levels of a bucket of `count` floats that are not zero, or adds it times `scale`; false where
    /// the bits are not those of a bucket with levels up to `limit`.
    public static func read(
        _ reader: inout BitReader, count: Int, limit: Int, step: Float, tables: borrowing EliasTables,
        adding scale: Float?, into target: UnsafeMutablePointer<Float>
    ) -> Bool {
        // Places are counted from 1.
        var place = 0
        while true {
            let sign: UInt64
            let level: UInt64
            var window: UInt64 = 0
            var first: UInt64 = 0
            var second: UInt64 = 0
            if unsafe reader.hasWindow {
                window = unsafe reader.window
                first = unsafe UInt64(tables.numbers[Int(window &>> 52)])
                window = window &<< (first & 15)
                second = unsafe UInt64(tables.numbers[Int((window &<< 1) &>> 52)])
            }
            if first != 0 && second != 0 && place &+ Int(first &>> 4) <= count {
                place &+= Int(first &>> 4)
                sign = window &>> 63
                level = second &>> 4
                guard level <= limit else { return false }
                unsafe reader.skip(Int(first & 15 &+ second & 15 &+ 1))
            } else {
                guard let distance = unsafe reader.elias(upTo: UInt64(count - place + 1)) else { return false }
                place += Int(distance)
                if place > count { return true }
                guard let next = unsafe reader.bit(), let number = unsafe reader.elias(upTo: UInt64(limit)) else {
                    return false
                }
                (sign, level) = (next, number)
            }
            let magnitude = Float(UInt32(truncatingIfNeeded: level)) * step
            let value = sign == 1 ? -magnitude : magnitude
            if let scale {
                unsafe target[place - 1] += scale * value
            } else {
                unsafe target[place - 1] = value
            }
        }
    }

    /// A bound on the bits of a bucket of `count` floats whose levels come from a norm of `levels` steps: to a few bits the most
    /// that there can be.
    ///
    /// Most bits are needed where no level is zero: three each with all distances and levels 1. A level l > 1 comes of a float of
    /// more than l - 1 steps, and takes (l - 1)^2 of the levels^2 that the norm allows. Since codes grow at powers of two only,
    /// it pays to raise floats to these, those first that give most bits for their squares.
    public static func maximumBits(count: Int, levels: Int) -> Int {
        // Places are rounded to float32, up to 2 * levels * 2^-24 steps off, which each of the floats might gain.
        let norm = Double(levels) * (1 + Double(count).squareRoot() * 0x1p-22)
        var budget = norm * norm
        var bits = 3.0 * Double(count) + 1
        var (cost, length) = (0.0, EliasCode.length(of: 1))
        var power = 1
        while power <= levels {
            // The next power on the upper hull of (cost, length).
            var best: (power: Int, cost: Double, length: Int, gain: Double)?
            var next = power * 2
            while next <= levels {
                let nextCost = Double(next - 1) * Double(next - 1)
                let nextLength = EliasCode.length(of: UInt64(next))
                let gain = Double(nextLength - length) / (nextCost - cost)
                if gain > best?.gain ?? 0 { best = (next, nextCost, nextLength, gain) }
                next *= 2
            }
            guard let best, budget > 0 else { break }
            let raised = min(Double(count), budget / (best.cost - cost))
            bits += raised * Double(best.length - length)
            budget -= raised * (best.cost - cost)
            (power, cost, length) = (best.power, best.cost, best.length)
        }
        return Int(bits)
    }
}
