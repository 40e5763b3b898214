// The vectors of the wide kernels: sixteen lanes, two registers of AVX2 or one of AVX-512. Any thread.
//
// This folder is compiled twice, into Kernels and into KernelsAVX512, and must stand alone: pointers and lanes only, everything else
// inlined. A generic function of the standard library that is not inlined would be emitted for AVX-512 under a name that both share.
// Not for here are therefore `replacing(with:where:)`, `min()`, `addingProduct`, compound assignments such as `|=`, and shifts by what is
// no literal: they go lane by lane, and the optimiser may or may not join the lanes again.

internal import CPlatformShims

typealias Floats = SIMD16<Float>
typealias Words = SIMD16<UInt32>

@inline(__always) func bits(of v: Floats) -> Words { unsafe unsafeBitCast(v, to: Words.self) }
@inline(__always) func floats(of v: Words) -> Floats { unsafe unsafeBitCast(v, to: Floats.self) }

@inline(__always) func load(_ from: UnsafePointer<Float>) -> Floats {
    unsafe UnsafeRawPointer(from).loadUnaligned(as: Floats.self)
}

@inline(__always) func storeFloats(_ values: Floats, to target: UnsafeMutablePointer<Float>) {
    unsafe UnsafeMutableRawPointer(target).storeBytes(of: values, as: Floats.self)
}

/// Stores past the caches; `target` is a multiple of 16 bytes.
@inline(__always) func streamFloats(_ values: Floats, to target: UnsafeMutablePointer<Float>) {
    unsafe relaxed_stream4(target, values.lowHalf.lowHalf)
    unsafe relaxed_stream4(target + 4, values.lowHalf.highHalf)
    unsafe relaxed_stream4(target + 8, values.highHalf.lowHalf)
    unsafe relaxed_stream4(target + 12, values.highHalf.highHalf)
}

/// The sum of the lanes, folded by halves.
@inline(__always) func total(_ sums: SIMD8<Double>) -> Double {
    let four = sums.lowHalf + sums.highHalf
    return (four.x + four.z) + (four.y + four.w)
}

/// What becomes of decoded floats.
enum Sink {
    /// Stored as usual, past the caches (for addresses that are multiples of 16), or added to what is there.
    case store, stream, add

    @inline(__always) init(streaming: Bool, adding: Bool) { self = adding ? .add : streaming ? .stream : .store }

    /// Puts 16 floats at an address, having added `scale` times them where they are to be added.
    @inline(__always) func put(_ values: Floats, at target: UnsafeMutablePointer<Float>, scale: Floats) {
        switch self {
        case .store: unsafe storeFloats(values, to: target)
        case .stream: unsafe streamFloats(values, to: target)
        case .add: unsafe storeFloats(relaxed_fma16(values, scale, load(target)), to: target)
        }
    }
}

// What fills one register: half a row with AVX2, a row with AVX-512. Loops with many live vectors go by these.
#if KERNELS_AVX512
    typealias Lanes = SIMD16<Float>
    typealias LaneWords = SIMD16<UInt32>

    @inline(__always) func rounded(_ v: Lanes) -> LaneWords { relaxed_round16(v) }
    @inline(__always) func numbers(_ v: LaneWords) -> Lanes { relaxed_float_of16(v) }
    @inline(__always) func isZero(_ v: LaneWords) -> Bool { relaxed_is_zero16(v) != 0 }
    @inline(__always) func multiplyAdd(_ a: Lanes, _ b: Lanes, _ c: Lanes) -> Lanes { relaxed_fma16(a, b, c) }
    @inline(__always) func left(_ v: LaneWords, _ bits: UInt32) -> LaneWords { relaxed_shift_left16(v, bits) }
    @inline(__always) func right(_ v: LaneWords, _ bits: UInt32) -> LaneWords { relaxed_shift_right16(v, bits) }
    @inline(__always) func minimum(_ a: LaneWords, _ b: LaneWords) -> LaneWords { relaxed_min_words16(a, b) }
    @inline(__always) func maximum(_ a: LaneWords, _ b: LaneWords) -> LaneWords { relaxed_max_words16(a, b) }
#else
    typealias Lanes = SIMD8<Float>
    typealias LaneWords = SIMD8<UInt32>

    @inline(__always) func rounded(_ v: Lanes) -> LaneWords { relaxed_round8(v) }
    @inline(__always) func numbers(_ v: LaneWords) -> Lanes { relaxed_float_of8(v) }
    @inline(__always) func isZero(_ v: LaneWords) -> Bool { relaxed_is_zero8(v) != 0 }
    @inline(__always) func multiplyAdd(_ a: Lanes, _ b: Lanes, _ c: Lanes) -> Lanes { relaxed_fma8(a, b, c) }
    @inline(__always) func left(_ v: LaneWords, _ bits: UInt32) -> LaneWords { relaxed_shift_left8(v, bits) }
    @inline(__always) func right(_ v: LaneWords, _ bits: UInt32) -> LaneWords { relaxed_shift_right8(v, bits) }
    @inline(__always) func minimum(_ a: LaneWords, _ b: LaneWords) -> LaneWords { relaxed_min_words8(a, b) }
    @inline(__always) func maximum(_ a: LaneWords, _ b: LaneWords) -> LaneWords { relaxed_max_words8(a, b) }
#endif

/// Registers in a row.
var partCount: Int { @inline(__always) get { 16 / LaneWords.scalarCount } }

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

/// `DrawnRows` of whole rows.
struct DrawnWords {
    private var first: DrawnRows
    #if !KERNELS_AVX512
        private var second: DrawnRows
    #endif

    @inline(__always) init(_ state: UnsafePointer<UInt64>?, block: UInt64) {
        first = unsafe DrawnRows(state, block: block, part: 0)
        #if !KERNELS_AVX512
            second = unsafe DrawnRows(state, block: block, part: 1)
        #endif
    }

    @inline(__always) mutating func next() -> Words {
        #if KERNELS_AVX512
            first.next()
        #else
            Words(lowHalf: first.next(), highHalf: second.next())
        #endif
    }
}

/// Packs codes lane by lane: those of a lane one after the other into 32-bit words from the lowest bits on, the words of 16 lanes side by
/// side.
@unsafe struct LanePacker {
    private var to: UnsafeMutableRawPointer
    private var word = LaneWords()
    private var filled: UInt32 = 0

    /// Writes one part of each 64 bytes from `out` on.
    @inline(__always) init(_ out: UnsafeMutableRawPointer, part: Int) {
        unsafe to = out + 4 &* part &* LaneWords.scalarCount
    }

    /// Appends a code of 1 ... 32 bits to each lane; it may begin in one word and end in the next.
    @inline(__always) mutating func put(_ code: LaneWords, bits: UInt32) {
        unsafe word = word | left(code, filled)
        unsafe filled &+= bits
        guard unsafe filled >= 32 else { return }
        unsafe to.storeBytes(of: word, as: LaneWords.self)
        unsafe to += 64
        unsafe filled &-= 32
        unsafe word = filled == 0 ? LaneWords() : right(code, bits &- filled)
    }
}

/// What a `LanePacker` packed, all lanes at once.
@unsafe struct LaneReader {
    private var from: UnsafeRawPointer
    private var word = Words()
    private var rest: UInt32 = 0

    @inline(__always) init(_ from: UnsafeRawPointer) { unsafe self.from = from }

    /// The next code of 1 ... 32 bits of each lane, below garbage.
    @inline(__always) mutating func next(bits: UInt32) -> Words {
        let first = unsafe word
        guard unsafe rest < bits else {
            unsafe word = relaxed_shift_right16(word, bits)
            unsafe rest &-= bits
            return first
        }
        let next = unsafe from.loadUnaligned(as: Words.self)
        unsafe from += 64
        let code = unsafe first | relaxed_shift_left16(next, rest)
        let taken = unsafe bits &- rest
        unsafe word = taken == 32 ? Words() : relaxed_shift_right16(next, taken)
        unsafe rest &+= 32 &- bits
        return code
    }
}
