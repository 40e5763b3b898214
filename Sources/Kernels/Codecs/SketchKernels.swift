// The table of a count sketch: adding a vector to it, and the estimates that it gives. One thread.
//
// Shape: eight hashes come out of the cipher at a time and are spread to scalar additions, which no instruction does better; the
// estimates of one block of elements are gathered row by row and their medians taken eight elements at a time.

/// The hashes of one row of a count sketch: a column and a sign for every element, from 32 bits of a `DrawBits`.
///
/// The highest bit is the sign. The other 31 bits choose the column: column c is hit with a probability of 1 / width, to 2^-31.
@frozen public struct SketchHash: Sendable {
    @usableFromInline let bits: DrawBits
    @usableFromInline let width: UInt64

    /// The hashes of row `row` below 2^20 of a table that is `width` floats wide, at most 2^31.
    public init(seed: UInt64, step: UInt64, row: Int, width: Int) {
        bits = DrawBits(seed: seed, rank: 0, step: step, purpose: UInt32(row))
        self.width = UInt64(width)
    }

    @inline(__always) func column(_ word: UInt32) -> Int {
        Int(truncatingIfNeeded: (UInt64(word & 0x7FFF_FFFF) &* width) &>> 31)
    }

    /// The value with the element's sign upon it.
    @inline(__always) func signed(_ value: Float, _ word: UInt32) -> Float {
        Float(bitPattern: value.bitPattern ^ word & 0x8000_0000)
    }
}

/// row[column(i)] += sign(i) * vector[i] for `count` elements.
public func addToSketch(
    _ vector: UnsafePointer<Float>, count: Int, hash: SketchHash, row: UnsafeMutablePointer<Float>
) {
    var words = hash.bits.cursor(at: 0)
    var i = 0
    while i < count {
        let word = words.next()
        for lane in 0..<min(8, count &- i) {
            unsafe row[hash.column(word[lane])] += hash.signed(vector[i &+ lane], word[lane])
        }
        i &+= 8
    }
}

/// Elements whose estimates are taken at a time.
public let sketchBlock = 256

/// estimates[i] = the median over the rows of sign(i) * row[column(i)], for the `count` elements from `start` on, at most
/// `sketchBlock` of them; of an even number of rows the mean of the two in the middle.
///
/// - Parameters:
///   - start: a multiple of 8.
///   - table: the rows, one after the other.
///   - space: room for `sketchBlock` floats for each row.
public func sketchEstimates(
    table: UnsafePointer<Float>, width: Int, hashes: UnsafeBufferPointer<SketchHash>, start: Int, count: Int,
    space: UnsafeMutablePointer<Float>, into estimates: UnsafeMutablePointer<Float>
) {
    let rows = hashes.count
    for r in 0..<rows {
        let hash = unsafe hashes[r]
        let row = unsafe table + r * width
        let target = unsafe space + r * sketchBlock
        var words = hash.bits.cursor(at: UInt64(start / 4))
        var i = 0
        while i < count {
            let word = words.next()
            for lane in 0..<8 {
                unsafe target[i &+ lane] = hash.signed(row[hash.column(word[lane])], word[lane])
            }
            i &+= 8
        }
    }
    var i = 0
    while i < count {
        let median = unsafe medianOfRows(UnsafeMutableRawPointer(space + i), rows: rows)
        if i &+ 8 <= count {
            unsafe store8(median, estimates, i)
        } else {
            for lane in 0..<(count &- i) { unsafe estimates[i &+ lane] = median[lane] }
        }
        i &+= 8
    }
}

/// The median of eight elements over rows that lie `sketchBlock` floats apart, which insertion sorts on the way.
@inline(__always)
private func medianOfRows(_ space: UnsafeMutableRawPointer, rows: Int) -> SIMD8<Float> {
    var r = 1
    while r < rows {
        var smaller = unsafe load8(space, r &* sketchBlock)
        var k = r
        while k > 0 {
            let other = unsafe load8(space, (k &- 1) &* sketchBlock)
            let isBelow = smaller .< other
            unsafe store8(smaller.replacing(with: other, where: isBelow), space, k &* sketchBlock)
            smaller = other.replacing(with: smaller, where: isBelow)
            k &-= 1
        }
        unsafe store8(smaller, space, 0)
        r &+= 1
    }
    let upper = unsafe load8(space, rows / 2 &* sketchBlock)
    guard rows % 2 == 0 else { return upper }
    let lower = unsafe load8(space, (rows / 2 &- 1) &* sketchBlock)
    // Halved first: the sum of two finite floats may be infinite.
    return lower * 0.5 + upper * 0.5
}

/// The k-th largest magnitude among `count` finite floats, and how many of those equal to it belong to the k largest.
///
/// Three passes, one for each digit of 11, 10 and 10 bits of the magnitudes, which are ordered like their bit patterns;
/// `histogram` has room for 2,048 counters; 1 <= k <= count.
public func largestMagnitudes(
    _ values: UnsafePointer<Float>, count: Int, k: Int, histogram: UnsafeMutablePointer<UInt32>
) -> (threshold: Float, ties: Int) {
    var prefix: UInt32 = 0
    var known: UInt32 = 0
    var wanted = k
    for (shift, digits) in [(20, 2_048), (10, 1_024), (0, 1_024)] as [(UInt32, Int)] {
        unsafe histogram.update(repeating: 0, count: digits)
        for i in 0..<count {
            let bits = unsafe values[i].bitPattern & 0x7FFF_FFFF
            if bits & known == prefix { unsafe histogram[Int(bits &>> shift) & (digits - 1)] += 1 }
        }
        var digit = digits - 1
        while unsafe Int(histogram[digit]) < wanted {
            unsafe wanted -= Int(histogram[digit])
            digit -= 1
        }
        prefix |= UInt32(digit) &<< shift
        known |= UInt32(digits - 1) &<< shift
    }
    return (Float(bitPattern: prefix), wanted)
}
