// One round of AES encryption: an instruction where there is one, otherwise the same bits in plain Swift. Any thread.

public import CPlatformShims

/// One round of AES encryption of the block `state` (FIPS 197): ShiftRows, SubBytes, MixColumns, then xor with `key`.
@inline(__always) @inlinable
public func aesRound(_ state: SIMD2<UInt64>, _ key: SIMD2<UInt64>) -> SIMD2<UInt64> {
    relaxed_has_aes_round() != 0 ? relaxed_aes_round(state, key) : portableAESRound(state, key)
}

/// What `aesRound` computes, without the instruction: for processors that lack it, and the reference for those that have it.
public func portableAESRound(_ state: SIMD2<UInt64>, _ key: SIMD2<UInt64>) -> SIMD2<UInt64> {
    let bytes = unsafe unsafeBitCast(state, to: SIMD16<UInt8>.self)
    var result = SIMD16<UInt8>()
    for column in 0..<4 {
        // ShiftRows takes row r of this column from r columns further right.
        let s = (0..<4).reduce(into: SIMD4<UInt8>()) { s, row in
            s[row] = substitution[Int(bytes[4 * ((column + row) % 4) + row])]
        }
        for row in 0..<4 {
            let (a, b, c, d) = (s[row], s[(row + 1) % 4], s[(row + 2) % 4], s[(row + 3) % 4])
            result[4 * column + row] = doubled(a) ^ doubled(b) ^ b ^ c ^ d
        }
    }
    return unsafe unsafeBitCast(result, to: SIMD2<UInt64>.self) ^ key
}

/// x * 2 in the field of AES, GF(2)[x] / (x^8 + x^4 + x^3 + x + 1).
private func doubled(_ x: UInt8) -> UInt8 { x &<< 1 ^ (x & 0x80 != 0 ? 0x1B : 0) }

/// SubBytes: the inverse in the field (0 for 0), then an affine map of its bits.
private let substitution: [UInt8] = {
    var table = [UInt8](repeating: 0x63, count: 256)
    // p runs through the powers of the generator 3, q through their inverses.
    var p: UInt8 = 1
    var q: UInt8 = 1
    repeat {
        p ^= doubled(p)
        q ^= q &<< 1
        q ^= q &<< 2
        q ^= q &<< 4
        if q & 0x80 != 0 { q ^= 0x09 }
        let rotations = (1...4).reduce(q) { $0 ^ (q &<< UInt8($1) | q &>> UInt8(8 - $1)) }
        table[Int(p)] = rotations ^ 0x63
    } while p != 1
    return table
}()
