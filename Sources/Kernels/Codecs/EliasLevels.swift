// Signed levels, most of which are zero, as distances, signs and magnitudes in Elias's code. One thread.

/// The levels of a bucket in a string of bits: for every level that is not zero the distance to its predecessor, a bit that is 1 where it is
/// negative, and its magnitude; then the distance from the last one to one place beyond the bucket.
public enum EliasLevels {
    /// Appends `count` levels, whole numbers of less than 2^24.
    ///
    /// - Parameter distance: how far the next level is from the one that was written last, 1 at the start of a bucket.
    public static func write(
        _ levels: UnsafePointer<Float>, count: Int, distance: inout UInt64, to writer: inout BitWriter
    ) {
        var ahead = distance
        for i in 0..<count {
            let level = unsafe levels[i]
            if level == 0 {
                ahead &+= 1
                continue
            }
            unsafe writer.appendElias(ahead)
            unsafe writer.append(level < 0 ? 1 : 0, 1)
            unsafe writer.appendElias(UInt64(UInt32(abs(level))))
            ahead = 1
        }
        distance = ahead
    }

    /// Writes step * level for the levels of a bucket of `count` floats that are not zero, or adds it times `scale`; false where the bits are not those of
    /// a bucket with levels up to `limit`.
    public static func read(
        _ reader: inout BitReader, count: Int, limit: Int, step: Float, adding scale: Float?,
        into target: UnsafeMutablePointer<Float>
    ) -> Bool {
        // Places are counted from 1.
        var place = 0
        while true {
            guard let distance = unsafe reader.elias(upTo: UInt64(count - place + 1)) else { return false }
            place += Int(distance)
            if place > count { return true }
            guard let sign = unsafe reader.bit(), let level = unsafe reader.elias(upTo: UInt64(limit)) else {
                return false
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

    /// A bound on the bits of a bucket of `count` floats whose levels come from a norm of `levels` steps: to a few bits the most that there can be.
    ///
    /// Most bits are needed where no level is zero: three each with all distances and levels 1. A level l > 1 comes of a float of more than l - 1 steps, and
    /// takes (l - 1)^2 of the levels^2 that the norm allows. Since codes grow at powers of two only, it pays to raise floats to these, those first
    /// that give most bits for their squares.
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
