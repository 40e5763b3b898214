import Kernels
import Testing

@Suite struct DrawBitsTests {
    /// FIPS 197, appendix B: the state at the start of round 1, its round key, and the state at the start of round 2.
    @Test func `the round and its plain reference give the published example`() {
        let state = block("193de3bea0f4e22b9ac68d2ae9f84808")
        let key = block("a0fafe1788542cb123a339392a6c7605")
        let next = block("a49c7ff2689f352b6b5bea43026a5049")
        #expect(aesRound(state, key) == next)
        #expect(portableAESRound(state, key) == next)
    }

    @Test func `the round equals its plain reference on every byte value`() {
        for i in 0..<UInt64(256) {
            let state = SIMD2(i &* 0x0101_0101_0101_0101, i &* 0x0101_0101_0101_0101 &+ 0x0706_0504_0302_0100)
            #expect(aesRound(state, SIMD2(i, 7)) == portableAESRound(state, SIMD2(i, 7)))
        }
    }

    @Test func `blocks are the same by index, in pairs and in order, and the first ones never change`() {
        let bits = DrawBits(seed: 1, rank: 2, step: 3)
        var cursor = bits.cursor(at: 5)
        for i in stride(from: UInt64(5), to: 25, by: 2) {
            let expected = SIMD8(lowHalf: bits.block(i), highHalf: bits.block(i + 1))
            #expect(bits.pair(i) == expected)
            #expect(cursor.next() == expected)
        }
        #expect(bits.block(0) == SIMD4(335_702_381, 1_899_941_617, 223_910_019, 2_905_714_083))
        #expect(bits.block(1 << 40) == SIMD4(4_261_290_614, 2_750_397_129, 3_287_332_690, 1_871_572_465))
    }

    @Test func `bits depend on seed, rank, step and purpose`() {
        let draws = [
            DrawBits(seed: 1, rank: 2, step: 3), DrawBits(seed: 1 << 40, rank: 2, step: 3),
            DrawBits(seed: 1, rank: 3, step: 3), DrawBits(seed: 1, rank: 2, step: 3 + 1 << 40),
            DrawBits(seed: 1, rank: 2, step: 3, purpose: 1),
        ]
        #expect(Set(draws.map { $0.block(0) }).count == draws.count)
    }

    /// Fields of 8 bits of a block, and the xor of a field with that of a block a little further on.
    @Test(arguments: [0, 1, 2, 5, 32] as [UInt64])
    func `fields are uniform and independent of those of near blocks`(distance: UInt64) {
        let bits = DrawBits(seed: 11, rank: 0, step: distance)
        let count = 2_000
        var counts = [Int](repeating: 0, count: 256)
        for i in 0..<UInt64(count) {
            let word = distance == 0 ? bits.block(i) : bits.block(i) ^ bits.block(i + distance)
            for lane in 0..<4 {
                for shift in stride(from: UInt32(0), to: 32, by: 8) { counts[Int(word[lane] &>> shift & 255)] += 1 }
            }
        }
        let expected = Double(16 * count) / 256
        let chiSquare = counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
        #expect(abs(chiSquare - 255) < 4.5 * (2.0 * 255).squareRoot())
    }

    /// A block from its bytes in hexadecimal.
    private func block(_ text: String) -> SIMD2<UInt64> {
        let digits = text.map { UInt64($0.hexDigitValue!) }
        func word(_ from: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | (digits[from + 2 * $1] << 4 | digits[from + 2 * $1 + 1]) << UInt64(8 * $1) }
        }
        return SIMD2(word(0), word(16))
    }
}
