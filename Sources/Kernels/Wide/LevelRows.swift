// A look at the codes of whole units before they are decoded. One thread each on memory that is its own meanwhile.

internal import CPlatformShims

/// Whether a code of `units` units is all ones; 2, 4, 8 or 16 bits.
public func wideHasOnes(bits: Int, _ codes: UnsafeRawPointer, units: Int) -> Bool {
    let lowest: UInt32 = bits == 2 ? 0x5555_5555 : bits == 4 ? 0x1111_1111 : bits == 8 ? 0x0101_0101 : 0x0001_0001
    var seen = Words()
    var unit = 0
    while unit < units {
        // The lowest bit of a code gathers all of them; the others gather bits of two codes and do not count.
        var word = unsafe codes.loadUnaligned(fromByteOffset: 64 &* unit, as: Words.self)
        word = word & relaxed_shift_right16(word, 1)
        if bits > 2 { word = word & relaxed_shift_right16(word, 2) }
        if bits > 4 { word = word & relaxed_shift_right16(word, 4) }
        if bits > 8 { word = word & relaxed_shift_right16(word, 8) }
        seen = seen | word
        unit &+= 1
    }
    return relaxed_is_zero16(seen & lowest) == 0
}
