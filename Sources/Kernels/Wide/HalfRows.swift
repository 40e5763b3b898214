// Floats of 16 bits from and to float32, 32 at a time: bfloat16, the upper half of a float32, and IEEE float16. One thread each on
// memory that is its own meanwhile.

internal import CPlatformShims

/// Rounds 32 * `pairs` floats to halves and says whether no magnitude has bits above `limit`, and so none is a NaN.
///
/// - Parameters:
///   - bf16: bfloat16, otherwise float16.
///   - scale: what float16 is made of is x * scale; bfloat16 takes no notice.
///   - draw: base and key of a `DrawBits`, to round up with the probability that makes the mean right; nil rounds to the nearest, ties
///     to even. Of each two rows the first takes the upper half of a word.
///   - block: the first block to draw from; 8 floats take one.
public func wideHalves(
    bf16: Bool, _ x: UnsafePointer<Float>, pairs: Int, scale: Float, limit: UInt32, draw: UnsafePointer<UInt64>?,
    block: UInt64, into out: UnsafeMutableRawPointer
) -> Bool {
    let rows = unsafe HalfRows(x: x, pairs: pairs, scale: scale, limit: limit, draw: draw, block: block, out: out)
    if bf16 { return unsafe draw == nil ? rows.writeBF16() : rows.writeBF16Stochastic() }
    return unsafe draw == nil ? rows.writeFP16() : rows.writeFP16Stochastic()
}

@unsafe private struct HalfRows {
    let x: UnsafePointer<Float>
    let pairs: Int
    let scale: Float
    let limit: UInt32
    let draw: UnsafePointer<UInt64>?
    let block: UInt64
    let out: UnsafeMutableRawPointer

    // A loop of its own for each; a closure for what differs would not be inlined.
    @inline(never) func writeBF16() -> Bool { unsafe write(bf16: true, stochastic: false) }
    @inline(never) func writeBF16Stochastic() -> Bool { unsafe write(bf16: true, stochastic: true) }
    @inline(never) func writeFP16() -> Bool { unsafe write(bf16: false, stochastic: false) }
    @inline(never) func writeFP16Stochastic() -> Bool { unsafe write(bf16: false, stochastic: true) }

    @inline(__always) private func write(bf16: Bool, stochastic: Bool) -> Bool {
        var words = unsafe DrawnWords(stochastic ? draw : nil, block: block)
        let factor = unsafe Floats(repeating: scale)
        var largest = Words()
        var i = 0
        let count = unsafe pairs &* 32
        while i < count {
            let a = unsafe load(x + i)
            let b = unsafe load(x + (i &+ 16))
            largest = relaxed_max_words16(largest, bits(of: a) & 0x7FFF_FFFF)
            largest = relaxed_max_words16(largest, bits(of: b) & 0x7FFF_FFFF)
            let drawn = stochastic ? words.next() : Words()
            let (first, second): (SIMD16<UInt16>, SIMD16<UInt16>)
            if bf16 {
                first = halves(bf16: bits(of: a), stochastic ? drawn &>> 16 : toNearest(bits(of: a)))
                second = halves(bf16: bits(of: b), stochastic ? drawn & 0xFFFF : toNearest(bits(of: b)))
            } else if stochastic {
                first = halves(fp16: bits(of: a * factor), drawn &>> 16)
                second = halves(fp16: bits(of: b * factor), drawn & 0xFFFF)
            } else {
                first = relaxed_fp16_of16(a * factor)
                second = relaxed_fp16_of16(b * factor)
            }
            unsafe out.storeBytes(of: first, toByteOffset: 2 &* i, as: SIMD16<UInt16>.self)
            unsafe out.storeBytes(of: second, toByteOffset: 2 &* i &+ 32, as: SIMD16<UInt16>.self)
            i &+= 32
        }
        return unsafe relaxed_is_zero16(relaxed_less16(Words(repeating: limit), largest)) != 0
    }
}

/// What rounds to the nearest: nearly half a step, and the rest where the lowest bit that stays is odd.
@inline(__always) private func toNearest(_ word: Words) -> Words { relaxed_bit_16_of16(word) &+ 0x7FFF }

@inline(__always) private func halves(bf16 word: Words, _ dither: Words) -> SIMD16<UInt16> {
    relaxed_narrow16((word &+ dither) &>> 16)
}

/// Rounds up with the probability that makes the mean right, by 16 random bits in each lane.
@inline(__always) private func halves(fp16 word: Words, _ dither: Words) -> SIMD16<UInt16> {
    let magnitude = word & 0x7FFF_FFFF
    // Below 2^-14 float16 has steps of 2^-24, and its bits count them.
    let isSmall = relaxed_less16(magnitude, Words(repeating: 0x3880_0000))
    let steps = floats(of: magnitude & isSmall) * 0x1p24 + relaxed_float_of16(dither) * 0x1p-16
    let small = relaxed_truncate16(steps) | (word &>> 16 & 0x8000)
    // Above, it lacks the low 13 bits of a float32; what is left fits exactly.
    let large = relaxed_widen16(relaxed_fp16_of16(floats(of: (word &+ dither &>> 3) & 0xFFFF_E000)))
    return relaxed_narrow16(large ^ (large ^ small) & isSmall)
}

/// Turns 16 * `rows` halves to floats, times `unit`, and says whether all are finite.
///
/// - Parameters:
///   - unit: a power of two, for float16 only.
///   - streaming: store past the caches; `y` is then a multiple of 16 bytes, and `relaxed_store_fence` comes after the last call.
///   - adding: y += scale * x instead of y = x.
public func wideFloats(
    bf16: Bool, _ from: UnsafeRawPointer, rows: Int, unit: Float, streaming: Bool, adding: Bool, scale: Float,
    into y: UnsafeMutablePointer<Float>
) -> Bool {
    let floats = unsafe FloatRows(from: from, rows: rows, unit: unit, scale: scale, y: y)
    let sink = Sink(streaming: streaming, adding: adding)
    return unsafe bf16 ? floats.readBF16(sink) : floats.readFP16(sink)
}

@unsafe private struct FloatRows {
    let from: UnsafeRawPointer
    let rows: Int
    let unit: Float
    let scale: Float
    let y: UnsafeMutablePointer<Float>

    @inline(never) func readBF16(_ sink: Sink) -> Bool { unsafe read(bf16: true, sink) }
    @inline(never) func readFP16(_ sink: Sink) -> Bool { unsafe read(bf16: false, sink) }

    @inline(__always) private func read(bf16: Bool, _ sink: Sink) -> Bool {
        switch sink {
        case .store: unsafe run(bf16: bf16, .store)
        case .stream: unsafe run(bf16: bf16, .stream)
        case .add: unsafe run(bf16: bf16, .add)
        }
    }

    @inline(__always) private func run(bf16: Bool, _ sink: Sink) -> Bool {
        let (factors, units) = unsafe (Floats(repeating: scale), Floats(repeating: unit))
        var largest = SIMD16<UInt16>()
        var row = 0
        while unsafe row < rows {
            let halves = unsafe from.loadUnaligned(fromByteOffset: 32 &* row, as: SIMD16<UInt16>.self)
            largest = relaxed_max_halves16(largest, halves & 0x7FFF)
            let values = bf16 ? floats(of: relaxed_widen16(halves) &<< 16) : relaxed_float_of_fp16(halves) * units
            unsafe sink.put(values, at: y + row &* 16, scale: factors)
            row &+= 1
        }
        let last: UInt32 = bf16 ? 0x7F7F : 0x7BFF
        return relaxed_is_zero16(relaxed_less16(Words(repeating: last), relaxed_widen16(largest))) != 0
    }
}
