// The vectors of the wide kernels: sixteen lanes, two registers of AVX2 or one of AVX-512. Any thread.
//
// This folder is compiled twice, into Kernels and into KernelsAVX512, and must stand alone: pointers and lanes only, everything else
// inlined. A generic function of the standard library that is not inlined would be emitted for AVX-512 under a name that both share. These go
// lane by lane and then through an optimiser that may or may not join the lanes again, and are not for here: `replacing(with:where:)`,
// `min()`, `addingProduct`, compound assignments such as `|=`, and shifts by what is no literal.

internal import CPlatformShims

typealias Floats = SIMD16<Float>
typealias Words = SIMD16<UInt32>

@inline(__always) func load(_ from: UnsafePointer<Float>) -> Floats {
    unsafe UnsafeRawPointer(from).loadUnaligned(as: Floats.self)
}

@inline(__always) func store(_ values: Floats, to target: UnsafeMutablePointer<Float>) {
    unsafe UnsafeMutableRawPointer(target).storeBytes(of: values, as: Floats.self)
}

/// Stores past the caches; `target` is a multiple of 16 bytes.
@inline(__always) func stream(_ values: Floats, to target: UnsafeMutablePointer<Float>) {
    unsafe relaxed_stream4(target, values.lowHalf.lowHalf)
    unsafe relaxed_stream4(target + 4, values.lowHalf.highHalf)
    unsafe relaxed_stream4(target + 8, values.highHalf.lowHalf)
    unsafe relaxed_stream4(target + 12, values.highHalf.highHalf)
}

// What fills one register: half a row with AVX2, a row with AVX-512. Loops with many live vectors go by these.
#if KERNELS_AVX512
    typealias Lanes = SIMD16<Float>
    typealias LaneWords = SIMD16<UInt32>

    @inline(__always) func rounded(_ v: Lanes) -> LaneWords { relaxed_round16(v) }
    @inline(__always) func floats(_ v: LaneWords) -> Lanes { relaxed_float_of16(v) }
    @inline(__always) func isZero(_ v: LaneWords) -> Bool { relaxed_is_zero16(v) != 0 }
    @inline(__always) func multiplyAdd(_ a: Lanes, _ b: Lanes, _ c: Lanes) -> Lanes { relaxed_fma16(a, b, c) }
    @inline(__always) func left(_ v: LaneWords, _ bits: UInt32) -> LaneWords { relaxed_shift_left16(v, bits) }
    @inline(__always) func right(_ v: LaneWords, _ bits: UInt32) -> LaneWords { relaxed_shift_right16(v, bits) }
#else
    typealias Lanes = SIMD8<Float>
    typealias LaneWords = SIMD8<UInt32>

    @inline(__always) func rounded(_ v: Lanes) -> LaneWords { relaxed_round8(v) }
    @inline(__always) func floats(_ v: LaneWords) -> Lanes { relaxed_float_of8(v) }
    @inline(__always) func isZero(_ v: LaneWords) -> Bool { relaxed_is_zero8(v) != 0 }
    @inline(__always) func multiplyAdd(_ a: Lanes, _ b: Lanes, _ c: Lanes) -> Lanes { relaxed_fma8(a, b, c) }
    @inline(__always) func left(_ v: LaneWords, _ bits: UInt32) -> LaneWords { relaxed_shift_left8(v, bits) }
    @inline(__always) func right(_ v: LaneWords, _ bits: UInt32) -> LaneWords { relaxed_shift_right8(v, bits) }
#endif

/// Registers in a row.
var partCount: Int { @inline(__always) get { 16 / LaneWords.scalarCount } }

/// Floats by which the first of two passes over a tile asks for memory ahead: two tiles of 512, since the second pass, in between, asks for
/// none and the processor's own prefetcher loses the track.
var prefetchDistance: Int { @inline(__always) get { 1024 } }

/// Random words for rows of sixteen lanes: row r takes the blocks 4 r ..< 4 r + 4 of a `DrawBits`, and a part of the row its share.
struct DrawnRows {
    // The words that a Weyl sequence adds for a block, as in `DrawBits`.
    private static var low: UInt64 { @inline(__always) get { 0x9E37_79B9_7F4A_7C15 } }
    private static var high: UInt64 { @inline(__always) get { 0xBB67_AE85_84CA_A73B } }

    #if KERNELS_AVX512
        private var counter: SIMD8<UInt64>
        private let key: SIMD8<UInt64>
    #else
        private var counter0, counter1: SIMD2<UInt64>
        private let key: SIMD2<UInt64>
    #endif

    /// Starts at the row whose first block is `block`; `state` holds base and key of the `DrawBits`, two words each, or is nil where
    /// nothing will be drawn.
    @inline(__always) init(_ state: UnsafePointer<UInt64>?, block: UInt64, part: Int) {
        guard let state = unsafe state else {
            #if KERNELS_AVX512
                (counter, key) = (SIMD8(), SIMD8())
            #else
                (counter0, counter1, key) = (SIMD2(), SIMD2(), SIMD2())
            #endif
            return
        }
        let index = block &+ UInt64(truncatingIfNeeded: 2 &* part)
        let (low, high) = (Self.low, Self.high)
        let (a, b) = unsafe (state[0] &+ index &* low, state[1] &+ index &* high)
        let (k, l) = unsafe (state[2], state[3])
        #if KERNELS_AVX512
            counter = SIMD8(
                a, b, a &+ low, b &+ high, a &+ 2 &* low, b &+ 2 &* high, a &+ 3 &* low, b &+ 3 &* high)
            key = SIMD8(k, l, k, l, k, l, k, l)
        #else
            counter0 = SIMD2(a, b)
            counter1 = SIMD2(a &+ low, b &+ high)
            key = SIMD2(k, l)
        #endif
    }

    /// The words of the next row.
    @inline(__always) mutating func next() -> LaneWords {
        let (low, high) = (4 &* Self.low, 4 &* Self.high)
        #if KERNELS_AVX512
            let words = relaxed_aes_round4(relaxed_aes_round4(relaxed_aes_round4(counter, key), key), key)
            counter = counter &+ SIMD8(low, high, low, high, low, high, low, high)
        #else
            let words = SIMD4(lowHalf: DrawBits.scramble(counter0, key), highHalf: DrawBits.scramble(counter1, key))
            counter0 = counter0 &+ SIMD2(low, high)
            counter1 = counter1 &+ SIMD2(low, high)
        #endif
        return unsafe unsafeBitCast(words, to: LaneWords.self)
    }
}

/// Random words for rows of sixteen lanes, as in `DrawnRows`, all lanes at once.
struct FullRows {
    #if KERNELS_AVX512
        private var rows: DrawnRows
    #else
        private var low, high: DrawnRows
    #endif

    @inline(__always) init(_ draw: UnsafePointer<UInt64>, block: UInt64) {
        #if KERNELS_AVX512
            rows = unsafe DrawnRows(draw, block: block, part: 0)
        #else
            low = unsafe DrawnRows(draw, block: block, part: 0)
            high = unsafe DrawnRows(draw, block: block, part: 1)
        #endif
    }

    @inline(__always) mutating func next() -> Words {
        #if KERNELS_AVX512
            return rows.next()
        #else
            return Words(lowHalf: low.next(), highHalf: high.next())
        #endif
    }
}
