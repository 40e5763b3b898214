import Kernels
import Testing

@Suite struct RandomStreamTests {
    /// The known answers published with Random123 for philox4x32 with 10 rounds.
    @Test func `the bijection gives the published answers`() {
        #expect(
            philox4x32(counter: SIMD4(repeating: 0), key: SIMD2(repeating: 0))
                == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
        #expect(
            philox4x32(counter: SIMD4(repeating: .max), key: SIMD2(repeating: .max))
                == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
        #expect(
            philox4x32(
                counter: SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), key: SIMD2(0xa409_3822, 0x299f_31d0)
            )
                == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
    }

    @Test func `a stream depends on seed, rank and step and on nothing else`() {
        func first(_ seed: UInt64, _ rank: UInt32, _ step: UInt64) -> [UInt64] {
            var stream = RandomStream(seed: seed, rank: rank, step: step)
            return (0..<5).map { _ in stream.next() }
        }
        #expect(first(1, 2, 3) == first(1, 2, 3))
        let others = [first(1 << 40, 2, 3), first(2, 2, 3), first(1, 3, 3), first(1, 2, 4), first(1, 2, 3 + 1 << 40)]
        #expect(Set(others.joined()).union(first(1, 2, 3)).count == 30)
    }

    @Test func `bounded draws are uniform within the standard error`() {
        var stream = RandomStream(seed: 7)
        var counts = [Int](repeating: 0, count: 6)
        let draws = 60_000
        for _ in 0..<draws { counts[Int(stream.next(upperBound: 6))] += 1 }
        let expected = Double(draws) / 6
        let standardError = (expected * (1 - 1.0 / 6)).squareRoot()
        for count in counts { #expect(abs(Double(count) - expected) < 4.5 * standardError) }
    }

    @Test func `unit draws lie in the unit interval and have mean one half`() {
        var stream = RandomStream(seed: 8)
        var sum = 0.0
        for _ in 0..<20_000 {
            let u = stream.nextUnitFloat()
            #expect(u >= 0 && u < 1)
            sum += Double(u)
        }
        #expect(abs(sum / 20_000 - 0.5) < 4.5 * (1.0 / 12 / 20_000).squareRoot())
    }
}
