// Natural compression of whole blocks of 512 floats, and back. One thread each on memory that is its own meanwhile.
//
// A row is sixteen floats, one per lane. Four rows of exponents fill the words of their lanes, 32 rows of signs one word more, so
// that packing and unpacking never cross lanes. A block is 512 bytes of exponents and then 64 of signs.

internal import CPlatformShims

/// Writes `blocks` blocks: a sign, and the exponent after 23 random bits were added to the fraction below it.
///
/// - Parameters:
///   - draw: base and key of a `DrawBits`.
///   - block: the first block to draw from; 4 floats take one.
///   - extremes: the largest magnitude, and the smallest of those that are not zero less 1, both as bits; they are updated.
public func wideNaturalEncode(
    _ x: UnsafePointer<Float>, blocks: Int, draw: UnsafePointer<UInt64>, block: UInt64,
    extremes: UnsafeMutablePointer<UInt32>, into out: UnsafeMutableRawPointer
) {
    var (largest, smallest) = unsafe (LaneWords(repeating: extremes[0]), LaneWords(repeating: extremes[1]))
    var part = 0
    while part < partCount {
        var drawn = unsafe DrawnRows(draw, block: block, part: part)
        var from = unsafe UnsafeRawPointer(x) + 4 &* part &* LaneWords.scalarCount
        var to = unsafe out + 4 &* part &* LaneWords.scalarCount
        var n = 0
        while n < blocks {
            var signs = LaneWords()
            var group = 0
            while group < 8 {
                var exponents = LaneWords()
                var row: UInt32 = 0
                while row < 4 {
                    let bits = unsafe from.loadUnaligned(as: LaneWords.self)
                    let magnitude = bits & 0x7FFF_FFFF
                    largest = maximum(largest, magnitude)
                    smallest = minimum(smallest, magnitude &- 1)
                    let exponent = right(magnitude &+ right(drawn.next(), 9), 23)
                    exponents = right(exponents, 8) | left(exponent, 24)
                    signs = right(signs, 1) | bits & 0x8000_0000
                    unsafe from += 64
                    row &+= 1
                }
                unsafe to.storeBytes(of: exponents, as: LaneWords.self)
                unsafe to += 64
                group &+= 1
            }
            unsafe to.storeBytes(of: signs, as: LaneWords.self)
            unsafe to += 64
            n &+= 1
        }
        part &+= 1
    }
    var lane = 0
    while lane < LaneWords.scalarCount {
        unsafe extremes[0] = largest[lane] > extremes[0] ? largest[lane] : extremes[0]
        unsafe extremes[1] = smallest[lane] < extremes[1] ? smallest[lane] : extremes[1]
        lane &+= 1
    }
}

/// Writes the floats of `blocks` blocks times `factor`, or adds them times `scale` where `adding`.
///
/// - Parameters:
///   - streaming: store past the caches; `y` is then a multiple of 16 bytes, and `relaxed_store_fence` comes after the last call.
public func wideNaturalDecode(
    _ from: UnsafeRawPointer, blocks: Int, factor: Float, streaming: Bool, adding: Bool, scale: Float,
    into y: UnsafeMutablePointer<Float>
) {
    let rows = unsafe NaturalRows(from: from, blocks: blocks, factor: factor, scale: scale, y: y)
    switch Sink(streaming: streaming, adding: adding) {
    case .store: unsafe rows.read(.store)
    case .stream: unsafe rows.read(.stream)
    case .add: unsafe rows.read(.add)
    }
}

@unsafe private struct NaturalRows {
    let from: UnsafeRawPointer
    let blocks: Int
    let factor: Float
    let scale: Float
    let y: UnsafeMutablePointer<Float>

    @inline(__always) func read(_ sink: Sink) {
        let (factors, scales) = unsafe (Floats(repeating: factor), Floats(repeating: scale))
        // The next exponent after the last of a float stands for the largest float there is.
        let top = Words(repeating: 0x7F7F_FFFF)
        var from = unsafe from
        var to = unsafe y
        var n = 0
        while unsafe n < blocks {
            var signs = unsafe from.loadUnaligned(fromByteOffset: 512, as: Words.self)
            var group = 0
            while group < 8 {
                var exponents = unsafe from.loadUnaligned(as: Words.self)
                unsafe from += 64
                var row = 0
                while row < 4 {
                    let power = relaxed_shift_left16(exponents & 0xFF, 23)
                    let bits = relaxed_min_words16(power, top) | relaxed_shift_left16(signs, 31)
                    let values = unsafe unsafeBitCast(bits, to: Floats.self) * factors
                    unsafe sink.put(values, at: to, scale: scales)
                    exponents = relaxed_shift_right16(exponents, 8)
                    signs = relaxed_shift_right16(signs, 1)
                    unsafe to += 16
                    row &+= 1
                }
                group &+= 1
            }
            unsafe from += 64
            n &+= 1
        }
    }
}
