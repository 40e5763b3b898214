import Kernels
import Testing

@Suite struct KeySortingTests {
    @Test(arguments: [0, 1, 2, 100, 2_048, 2_049, 10_000]) func `keys come in order, each as often as before`(
        count: Int
    ) {
        var stream = RandomStream(seed: 3)
        for bits in [3, 11, 33] as [UInt64] {
            let values = (0..<count).map { _ in stream.next(upperBound: 1 << bits) }
            var sorted = values
            sortByKey(&sorted)
            // The lowest bit is no part of the key.
            #expect(sorted.map { $0 >> 1 } == values.map { $0 >> 1 }.sorted())
            #expect(sorted.sorted() == values.sorted())
        }
    }
}
