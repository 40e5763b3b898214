import Kernels
import Testing

@Suite struct RandomConsumerTests {
    @Test func `no two consumers see the same word, whatever seeds, ranks and steps they use`() {
        var seen: Set<UInt64> = []
        var count = 0
        for consumer in RandomConsumer.allCases {
            // Neighbouring seeds and steps, and those that once kept consumers apart.
            for (seed, rank, step) in [
                (0, 0, 0), (1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1), (~1, 0, 0), (1, 0, 1 << 63), (1, 0xC0DEC, 0),
            ] as [(UInt64, UInt32, UInt64)] {
                var stream = RandomStream(seed: seed, for: consumer, rank: rank, step: step)
                for _ in 0..<64 { seen.insert(stream.next()) }
                count += 64
            }
        }
        #expect(seen.count == count && count == RandomConsumer.allCases.count * 8 * 64)
    }

    @Test func `under one seed no two consumers have one key, and no two seeds for one consumer`() {
        let seeds: [UInt64] = [0, 1, 2, 3, 1 << 32, .max, 0x9E37_79B9_7F4A_7C15]
        let keys = RandomConsumer.allCases.map { consumer in seeds.map { consumer.key(seed: $0) } }
        #expect(Set(keys.joined()).count == seeds.count * RandomConsumer.allCases.count)
    }

    @Test func `the bits of codecs are none that a stream of their own consumer gives`() {
        let bits = DrawBits(seed: 1, rank: 2, step: 3)
        let drawn = (0..<64).map { unsafe unsafeBitCast(bits.block($0), to: SIMD2<UInt64>.self) }
        let taken = Set(drawn.flatMap { [$0.x, $0.y] })
        for consumer in RandomConsumer.allCases {
            var stream = RandomStream(seed: 1, for: consumer, rank: 2, step: 3)
            for _ in 0..<256 { #expect(!taken.contains(stream.next())) }
        }
    }
}
