// Min-max quantization of whole units of a bucket (eq. 3.1), and back. One thread each on memory that is its own meanwhile.
//
// A row is sixteen floats, one per lane. A lane packs its codes one after the other into 32-bit words, the first at the lowest bits,
// and the words of the sixteen lanes lie side by side: packing and unpacking never cross lanes. A unit is the fewest rows that fill
// whole words: 512 / gcd(bits, 32) floats in 16 * bits / gcd(bits, 32) words.

internal import CPlatformShims

/// Writes the smallest and the largest of `count` floats, which is at least 1. A NaN is passed over or written.
public func wideRange(_ x: UnsafePointer<Float>, count: Int, into range: UnsafeMutablePointer<Float>) {
    guard count >= 16 else {
        var (low, high) = unsafe (x[0], x[0])
        var i = 1
        while i < count {
            let value = unsafe x[i]
            if value < low { low = value }
            if value > high { high = value }
            i &+= 1
        }
        unsafe range[0] = low
        unsafe range[1] = high
        return
    }
    // The last vector overlaps its predecessor where the count is odd. Two chains each, since a minimum takes longer than a load. A lane
    // that began with a NaN would pass over floats; where the first is one, all lanes do.
    let first = unsafe Floats(repeating: x[0])
    let last = unsafe load(x + (count &- 16))
    var (low0, high0) = (relaxed_min16(last, first), relaxed_max16(last, first))
    var (low1, high1) = (low0, high0)
    var i = 0
    while i &+ 32 <= count {
        let a = unsafe load(x + i)
        let b = unsafe load(x + (i &+ 16))
        unsafe relaxed_prefetch(x + (i &+ prefetchDistance))
        unsafe relaxed_prefetch(x + (i &+ prefetchDistance &+ 16))
        low0 = relaxed_min16(a, low0)
        low1 = relaxed_min16(b, low1)
        high0 = relaxed_max16(a, high0)
        high1 = relaxed_max16(b, high1)
        i &+= 32
    }
    if i &+ 16 <= count {
        let a = unsafe load(x + i)
        low0 = relaxed_min16(a, low0)
        high0 = relaxed_max16(a, high0)
    }
    unsafe range[0] = relaxed_smallest16(relaxed_min16(low0, low1))
    unsafe range[1] = relaxed_largest16(relaxed_max16(high0, high1))
}

/// residual = x + scale * residual, then `wideRange` of it. Asks for no memory ahead: `wideQuantize` does, which takes longer.
public func wideFeedbackRange(
    _ x: UnsafePointer<Float>, residual: UnsafeMutablePointer<Float>, scale: Float, count: Int,
    into range: UnsafeMutablePointer<Float>
) {
    let factor = Floats(repeating: scale)
    var low0 = unsafe Floats(repeating: x[0].addingProduct(residual[0], scale))
    var (low1, high0, high1) = (low0, low0, low0)
    var i = 0
    while i &+ 32 <= count {
        let a = unsafe relaxed_fma16(load(residual + i), factor, load(x + i))
        let b = unsafe relaxed_fma16(load(residual + (i &+ 16)), factor, load(x + (i &+ 16)))
        unsafe storeFloats(a, to: residual + i)
        unsafe storeFloats(b, to: residual + (i &+ 16))
        low0 = relaxed_min16(a, low0)
        low1 = relaxed_min16(b, low1)
        high0 = relaxed_max16(a, high0)
        high1 = relaxed_max16(b, high1)
        i &+= 32
    }
    var low = relaxed_smallest16(relaxed_min16(low0, low1))
    var high = relaxed_largest16(relaxed_max16(high0, high1))
    while i < count {
        let value = unsafe x[i].addingProduct(residual[i], scale)
        unsafe residual[i] = value
        if value < low { low = value }
        if value > high { high = value }
        i &+= 1
    }
    unsafe range[0] = low
    unsafe range[1] = high
}

/// Floats by which one pass over a bucket asks for memory ahead: two buckets of 512, since the other pass, in between, asks for none and
/// the processor's own prefetcher loses the track. Of use wherever a loop moves two vectors, too.
var prefetchDistance: Int { @inline(__always) get { 1024 } }

/// Writes the codes of `units` units of x and says whether all were finite: a code is round((x * scale + offset) * factor) + dither
/// without the low bits, which are the fraction.
///
/// - Parameters:
///   - map: low, step, offset, scale, factor of the bucket; offset is -low * scale, and a code c stands for low + c * step, with one bit
///     for low or step itself.
///   - draw: base and key of a `DrawBits`, or nil to round to the nearest.
///   - block: the first block to draw from; 8 floats take one.
///   - residual: where x - Q(x) is left, or nil; may be x itself.
///   - gradient: with a residual, the floats that `wideFeedbackRange` has added to make x.
public func wideQuantize(
    bits: Int, _ x: UnsafePointer<Float>, units: Int, map: UnsafePointer<Float>, draw: UnsafePointer<UInt64>?,
    block: UInt64, residual: UnsafeMutablePointer<Float>?, gradient: UnsafePointer<Float>,
    into out: UnsafeMutableRawPointer
) -> Bool {
    // Where a row has two parts, the second is to find the floats in the first-level cache.
    let unitCount = 512 &>> (bits.trailingZeroBitCount < 5 ? bits.trailingZeroBitCount : 5)
    let unitsAtOnce = 2_048 / unitCount
    var isFinite = true
    var unit = 0
    while unit < units {
        let start = unit &* unitCount
        let rows = unsafe QuantizedRows(
            x: x + start, units: units &- unit < unitsAtOnce ? units &- unit : unitsAtOnce, map: map, draw: draw,
            block: block &+ UInt64(truncatingIfNeeded: start / 8), residual: residual.map { unsafe $0 + start },
            gradient: gradient + start, out: out + start &* bits / 8)
        let areFinite: Bool
        switch unsafe map[3] == 1 ? bits : 0 {
        case 8: unsafe areFinite = rows.write8()
        case 4: unsafe areFinite = rows.write4()
        case 2: unsafe areFinite = rows.write2()
        case 1: unsafe areFinite = rows.write1()
        default: unsafe areFinite = rows.write(bits: UInt32(truncatingIfNeeded: bits))
        }
        isFinite = isFinite && areFinite
        unit &+= unitsAtOnce
    }
    return isFinite
}

@unsafe private struct QuantizedRows {
    let x: UnsafePointer<Float>
    let units: Int
    let map: UnsafePointer<Float>
    let draw: UnsafePointer<UInt64>?
    let block: UInt64
    let residual: UnsafeMutablePointer<Float>?
    let gradient: UnsafePointer<Float>
    let out: UnsafeMutableRawPointer

    // A function for each: the compiler inlines only so much into one.
    @inline(never) func write8() -> Bool { unsafe residual == nil ? writePacked(8, false) : writePacked(8, true) }
    @inline(never) func write4() -> Bool { unsafe residual == nil ? writePacked(4, false) : writePacked(4, true) }
    @inline(never) func write2() -> Bool { unsafe residual == nil ? writePacked(2, false) : writePacked(2, true) }
    @inline(never) func write1() -> Bool { unsafe residual == nil ? writePacked(1, false) : writePacked(1, true) }
    @inline(never) func write(bits: UInt32) -> Bool {
        unsafe residual == nil ? writeAny(bits, false) : writeAny(bits, true)
    }

    /// 1, 2, 4 or 8 bits and a scale of 1: four rows at a time, whose codes never straddle a word.
    @inline(__always) private func writePacked(_ bits: UInt32, _ feedback: Bool) -> Bool {
        let coder = unsafe Coder(map, bits: bits, scaled: false, feedback: feedback)
        let stochastic = unsafe draw != nil
        let rowsPerUnit = Int(32 / bits)
        var seen = LaneWords()
        var part = 0
        while part < partCount {
            var drawn = unsafe DrawnRows(draw, block: block, part: part)
            var from = unsafe x + part &* LaneWords.scalarCount
            var error =
                unsafe (feedback ? residual! : UnsafeMutablePointer(mutating: x)) + part &* LaneWords.scalarCount
            var ahead = unsafe gradient + part &* LaneWords.scalarCount
            var to = unsafe out + 4 &* part &* LaneWords.scalarCount
            var word = LaneWords()
            var row = 0
            let rows = unsafe units &* rowsPerUnit
            while row < rows {
                let (first, second) = stochastic ? (drawn.next(), drawn.next()) : (coder.half, coder.half)
                let a = unsafe coder.code(from, first &>> 16, error)
                let b = unsafe coder.code(from + 16, first & 0xFFFF, error + 16)
                let c = unsafe coder.code(from + 32, second &>> 16, error + 32)
                let d = unsafe coder.code(from + 48, second & 0xFFFF, error + 48)
                seen = seen | (a | b) | (c | d)
                #if KERNELS_AVX512
                    // One instruction for each, which shifts two words as one.
                    word = right(word, bits) | left(a, 32 &- bits)
                    word = right(word, bits) | left(b, 32 &- bits)
                    word = right(word, bits) | left(c, 32 &- bits)
                    word = right(word, bits) | left(d, 32 &- bits)
                #else
                    let four = a | left(b, bits) | (left(c, 2 &* bits) | left(d, 3 &* bits))
                    word = bits == 8 ? four : right(word, 4 &* bits) | left(four, 32 &- 4 &* bits)
                #endif
                if feedback {
                    unsafe askAhead(error, ahead)
                    unsafe ahead += 64
                }
                unsafe from += 64
                unsafe error += 64
                row &+= 4
                if row & (rowsPerUnit &- 1) == 0 {
                    unsafe to.storeBytes(of: word, as: LaneWords.self)
                    unsafe to += 64
                }
            }
            part &+= 1
        }
        return isZero(right(seen, bits))
    }

    /// Asks for the memory of four rows to come.
    @inline(__always) private func askAhead(_ error: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>) {
        var i = prefetchDistance
        while i < prefetchDistance &+ 64 {
            unsafe relaxed_prefetch(error + i)
            unsafe relaxed_prefetch(gradient + i)
            i &+= 16
        }
    }

    /// Any number of bits from 1 to 16 and any scale: a code may begin in one word and end in the next.
    @inline(__always) private func writeAny(_ bits: UInt32, _ feedback: Bool) -> Bool {
        let coder = unsafe Coder(map, bits: bits, scaled: true, feedback: feedback)
        let stochastic = unsafe draw != nil
        var seen = LaneWords()
        var part = 0
        while part < partCount {
            var rows = unsafe DrawnRows(draw, block: block, part: part)
            var from = unsafe x + part &* LaneWords.scalarCount
            var error =
                unsafe (feedback ? residual! : UnsafeMutablePointer(mutating: x)) + part &* LaneWords.scalarCount
            var ahead = unsafe gradient + part &* LaneWords.scalarCount
            var packer = unsafe LanePacker(out, part: part)
            var drawn = coder.half
            var row = 0
            let count = unsafe units &* (32 &>> bits.trailingZeroBitCount)
            while row < count {
                if stochastic && row & 1 == 0 { drawn = rows.next() }
                let dither = row & 1 == 0 ? right(drawn, 32 &- coder.fraction) : drawn & (1 &<< coder.fraction &- 1)
                let code = unsafe coder.code(from, dither, error)
                seen = seen | code
                unsafe packer.put(code, bits: bits)
                if feedback {
                    unsafe relaxed_prefetch(error + prefetchDistance)
                    unsafe relaxed_prefetch(ahead + prefetchDistance)
                    unsafe ahead += 16
                }
                unsafe from += 16
                unsafe error += 16
                row &+= 1
            }
            part &+= 1
        }
        return isZero(right(seen, bits))
    }
}

/// The constants of a bucket in every lane.
private struct Coder {
    let low, step, offset, scale, factor: Lanes
    let bits: UInt32
    let scaled, feedback: Bool
    /// Bits of the fraction below the code; 16 would not fit beside a code of 16.
    var fraction: UInt32 { @inline(__always) get { bits == 16 ? 15 : 16 } }
    /// One half of a step in either half of a word: what rounds to the nearest.
    var half: LaneWords { @inline(__always) get { LaneWords(repeating: 0x8000_0000 | 1 &<< (fraction &- 1)) } }

    @inline(__always) init(_ map: UnsafePointer<Float>, bits: UInt32, scaled: Bool, feedback: Bool) {
        low = unsafe Lanes(repeating: map[0])
        step = unsafe Lanes(repeating: map[1])
        offset = unsafe Lanes(repeating: scaled ? map[2] : 0)
        scale = unsafe Lanes(repeating: scaled ? map[3] : 1)
        factor = unsafe Lanes(repeating: map[4])
        self.bits = bits
        self.scaled = scaled
        self.feedback = feedback
    }

    /// The codes of one part of a row; with feedback x - Q(x) is left in `error`. A NaN becomes 2^31 and so a code of more than `bits` bits.
    @inline(__always) func code(
        _ x: UnsafePointer<Float>, _ dither: LaneWords, _ error: UnsafeMutablePointer<Float>
    ) -> LaneWords {
        let value = unsafe UnsafeRawPointer(x).loadUnaligned(as: Lanes.self)
        let place = scaled ? multiplyAdd(value, scale, offset) : value - low
        let codes = right(rounded(place * factor) &+ dither, fraction)
        guard feedback else { return codes }
        let decoded: Lanes
        if bits == 1 {
            let (first, second) = unsafe (
                unsafeBitCast(low, to: LaneWords.self), unsafeBitCast(step, to: LaneWords.self)
            )
            decoded = unsafe unsafeBitCast(first ^ (first ^ second) & (0 &- codes), to: Lanes.self)
        } else {
            decoded = multiplyAdd(numbers(codes), step, low)
        }
        unsafe UnsafeMutableRawPointer(error).storeBytes(of: value - decoded, as: Lanes.self)
        return codes
    }
}

/// Decodes `units` units: y = Q(x), or y += scale * Q(x) where `adding`.
///
/// - Parameters:
///   - map: low and step of the bucket.
///   - streaming: store past the caches; `y` is then a multiple of 16 bytes, and `relaxed_store_fence` comes after the last call.
public func wideDequantize(
    bits: Int, _ from: UnsafeRawPointer, units: Int, map: UnsafePointer<Float>, streaming: Bool, adding: Bool,
    scale: Float, into y: UnsafeMutablePointer<Float>
) {
    let codes = unsafe CodedRows(from: from, units: units, map: map, scale: scale, y: y)
    let sink = Sink(streaming: streaming, adding: adding)
    switch bits {
    case 8: unsafe codes.read8(sink)
    case 4: unsafe codes.read4(sink)
    case 2: unsafe codes.read2(sink)
    case 1: unsafe codes.read1(sink)
    default: unsafe codes.read(bits: UInt32(truncatingIfNeeded: bits), sink)
    }
}

/// The knobs of a bucket in every lane.
private struct Knobs {
    let low, step: Floats
    let bits: UInt32

    @inline(__always) init(_ map: UnsafePointer<Float>, bits: UInt32) {
        low = unsafe Floats(repeating: map[0])
        step = unsafe Floats(repeating: map[1])
        self.bits = bits
    }

    @inline(__always) func decoded(_ codes: Words) -> Floats {
        guard bits == 1 else { return relaxed_fma16(relaxed_float_of16(codes), step, low) }
        let (first, second) = unsafe (unsafeBitCast(low, to: Words.self), unsafeBitCast(step, to: Words.self))
        return floats(of: first ^ (first ^ second) & (0 &- codes))
    }
}

@unsafe private struct CodedRows {
    let from: UnsafeRawPointer
    let units: Int
    let map: UnsafePointer<Float>
    let scale: Float
    let y: UnsafeMutablePointer<Float>

    @inline(never) func read8(_ sink: Sink) { unsafe readPacked(8, sink) }
    @inline(never) func read4(_ sink: Sink) { unsafe readPacked(4, sink) }
    @inline(never) func read2(_ sink: Sink) { unsafe readPacked(2, sink) }
    @inline(never) func read1(_ sink: Sink) { unsafe readPacked(1, sink) }

    @inline(__always) private func readPacked(_ bits: UInt32, _ sink: Sink) {
        switch sink {
        case .store: unsafe readRows(bits, .store)
        case .stream: unsafe readRows(bits, .stream)
        case .add: unsafe readRows(bits, .add)
        }
    }

    @inline(never) func read(bits: UInt32, _ sink: Sink) {
        switch sink {
        case .store: unsafe readAny(bits, .store)
        case .stream: unsafe readAny(bits, .stream)
        case .add: unsafe readAny(bits, .add)
        }
    }

    @inline(__always) private func readRows(_ bits: UInt32, _ sink: Sink) {
        let knobs = unsafe Knobs(map, bits: bits)
        let factor = unsafe Floats(repeating: scale)
        let mask: UInt32 = 1 &<< bits &- 1
        let rowsPerWord = Int(32 / bits)
        let rows = unsafe units &* rowsPerWord
        var word = Words()
        var from = unsafe from
        var row = 0
        while row < rows {
            if row & (rowsPerWord &- 1) == 0 {
                word = unsafe from.loadUnaligned(as: Words.self)
                unsafe from += 64
            }
            let to = unsafe y + row &* 16
            unsafe sink.put(knobs.decoded(word & mask), at: to, scale: factor)
            unsafe sink.put(knobs.decoded(relaxed_shift_right16(word, bits) & mask), at: to + 16, scale: factor)
            unsafe sink.put(knobs.decoded(relaxed_shift_right16(word, 2 &* bits) & mask), at: to + 32, scale: factor)
            unsafe sink.put(knobs.decoded(relaxed_shift_right16(word, 3 &* bits) & mask), at: to + 48, scale: factor)
            if bits < 8 { word = relaxed_shift_right16(word, 4 &* bits) }
            row &+= 4
        }
    }

    @inline(__always) private func readAny(_ bits: UInt32, _ sink: Sink) {
        let knobs = unsafe Knobs(map, bits: bits)
        let mask: UInt32 = 1 &<< bits &- 1
        let factor = unsafe Floats(repeating: scale)
        var reader = unsafe LaneReader(from)
        let rows = unsafe units &* (32 &>> bits.trailingZeroBitCount)
        var row = 0
        while row < rows {
            unsafe sink.put(knobs.decoded(reader.next(bits: bits) & mask), at: y + row &* 16, scale: factor)
            row &+= 1
        }
    }
}
