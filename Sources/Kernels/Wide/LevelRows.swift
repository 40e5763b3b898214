// A look at the codes of whole units before they are decoded. One thread each on memory that is its own meanwhile.

internal import CPlatformShims

/// Whether no code of `units` units, laid out as for `wideDequantize`, is above `last`, which is 2 for 2 bits.
public func wideIsWithin(bits: Int, _ codes: UnsafeRawPointer, units: Int, last: UInt32) -> Bool {
    var largest = Words()
    var from = unsafe codes
    let words = units &* (bits &>> bits.trailingZeroBitCount)
    var n = 0
    switch bits {
    case 2:
        while n < units {
            let word = unsafe from.loadUnaligned(as: Words.self)
            largest = largest | word & relaxed_shift_right16(word, 1)
            unsafe from += 64
            n &+= 1
        }
        return relaxed_is_zero16(largest & 0x5555_5555) != 0
    case 4:
        while n < units {
            let word = unsafe from.loadUnaligned(as: Words.self)
            let (low, high) = (word & 0x0F0F_0F0F, relaxed_shift_right16(word, 4) & 0x0F0F_0F0F)
            largest = relaxed_max_word_bytes16(largest, relaxed_max_word_bytes16(low, high))
            unsafe from += 64
            n &+= 1
        }
        let lasts = Words(repeating: last &* 0x0101_0101)
        return relaxed_is_zero16(relaxed_max_word_bytes16(largest, lasts) ^ lasts) != 0
    case 8:
        while n < units {
            largest = unsafe relaxed_max_word_bytes16(largest, from.loadUnaligned(as: Words.self))
            unsafe from += 64
            n &+= 1
        }
        let lasts = Words(repeating: last &* 0x0101_0101)
        return relaxed_is_zero16(relaxed_max_word_bytes16(largest, lasts) ^ lasts) != 0
    case 16:
        while n < units {
            largest = unsafe relaxed_max_word_halves16(largest, from.loadUnaligned(as: Words.self))
            unsafe from += 64
            n &+= 1
        }
        let lasts = Words(repeating: last &* 0x0001_0001)
        return relaxed_is_zero16(relaxed_max_word_halves16(largest, lasts) ^ lasts) != 0
    default:
        // Codes that begin in one word may end in the next.
        let width = UInt32(truncatingIfNeeded: bits)
        var word = Words()
        var left: UInt32 = 0
        while n < words || left >= width {
            var code = word
            if left < width {
                word = unsafe from.loadUnaligned(as: Words.self)
                unsafe from += 64
                n &+= 1
                code = code | relaxed_shift_left16(word, left)
                word = relaxed_shift_right16(word, width &- left)
                left &+= 32 &- width
            } else {
                word = relaxed_shift_right16(word, width)
                left &-= width
            }
            largest = relaxed_max_words16(largest, code & (1 &<< width &- 1))
        }
        let lasts = Words(repeating: last)
        return relaxed_is_zero16(relaxed_max_words16(largest, lasts) ^ lasts) != 0
    }
}
