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

    @inline(never) func writeBF16() -> Bool {
        unsafe write { row, _ in
            let word = bits(of: row)
            return relaxed_narrow16((word &+ (word &>> 16 & 1) &+ 0x7FFF) &>> 16)
        }
    }

    @inline(never) func writeBF16Stochastic() -> Bool {
        unsafe write { row, dither in relaxed_narrow16((bits(of: row) &+ dither) &>> 16) }
    }

    @inline(never) func writeFP16() -> Bool {
        let factor = unsafe Floats(repeating: scale)
        return unsafe write { row, _ in relaxed_fp16_of16(row * factor) }
    }

    @inline(never) func writeFP16Stochastic() -> Bool {
        let factor = unsafe Floats(repeating: scale)
        return unsafe write { row, dither in
            let word = bits(of: row * factor)
            let magnitude = word & 0x7FFF_FFFF
            // Below 2^-14 float16 has steps of 2^-24, and its bits count them.
            let isSmall = relaxed_less16(magnitude, Words(repeating: 0x3880_0000))
            let steps = floats(of: magnitude & isSmall) * 0x1p24 + relaxed_float_of16(dither) * 0x1p-16
            let small = relaxed_truncate16(steps) | (word &>> 16 & 0x8000)
            // Above, it lacks the low 13 bits of a float32; what is left fits exactly.
            let large = relaxed_widen16(relaxed_fp16_of16(floats(of: (word &+ dither &>> 3) & 0xFFFF_E000)))
            return relaxed_narrow16(large ^ (large ^ small) & isSmall)
        }
    }

    @inline(__always) private func write(_ round: (Floats, Words) -> SIMD16<UInt16>) -> Bool {
        var words = unsafe DrawnWords(draw, block: block)
        let stochastic = unsafe draw != nil
        var largest = Words()
        var i = 0
        let count = unsafe pairs &* 32
        while i < count {
            let a = unsafe load(x + i)
            let b = unsafe load(x + (i &+ 16))
            let drawn = stochastic ? words.next() : Words()
            largest = relaxed_max_words16(largest, bits(of: a) & 0x7FFF_FFFF)
            largest = relaxed_max_words16(largest, bits(of: b) & 0x7FFF_FFFF)
            unsafe out.storeBytes(of: round(a, drawn &>> 16), toByteOffset: 2 &* i, as: SIMD16<UInt16>.self)
            unsafe out.storeBytes(of: round(b, drawn & 0xFFFF), toByteOffset: 2 &* i &+ 32, as: SIMD16<UInt16>.self)
            i &+= 32
        }
        return unsafe relaxed_is_zero16(relaxed_less16(Words(repeating: limit), largest)) != 0
    }
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

    @inline(never) func readBF16(_ sink: Sink) -> Bool {
        unsafe read(sink, infinity: 0x7F80) { floats(of: relaxed_widen16($0) &<< 16) }
    }

    @inline(never) func readFP16(_ sink: Sink) -> Bool {
        let factor = unsafe Floats(repeating: unit)
        return unsafe read(sink, infinity: 0x7C00) { relaxed_float_of_fp16($0) * factor }
    }

    @inline(__always) private func read(_ sink: Sink, infinity: UInt32, _ convert: (SIMD16<UInt16>) -> Floats) -> Bool {
        switch sink {
        case .store: unsafe run(.store, infinity, convert)
        case .stream: unsafe run(.stream, infinity, convert)
        case .add: unsafe run(.add, infinity, convert)
        }
    }

    @inline(__always) private func run(_ sink: Sink, _ infinity: UInt32, _ convert: (SIMD16<UInt16>) -> Floats) -> Bool
    {
        let factor = unsafe Floats(repeating: scale)
        var largest = SIMD16<UInt16>()
        var row = 0
        while unsafe row < rows {
            let halves = unsafe from.loadUnaligned(fromByteOffset: 32 &* row, as: SIMD16<UInt16>.self)
            largest = relaxed_max_halves16(largest, halves & 0x7FFF)
            unsafe sink.put(convert(halves), at: y + row &* 16, scale: factor)
            row &+= 1
        }
        return relaxed_is_zero16(relaxed_less16(Words(repeating: infinity &- 1), relaxed_widen16(largest))) != 0
    }
}
