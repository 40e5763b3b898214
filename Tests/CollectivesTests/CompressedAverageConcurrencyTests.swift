import Collectives
import Compression
import Kernels
import Messaging
import Platform
import SwitchModel
import Testing

/// Averages of compressed vectors on real threads; these run under ThreadSanitizer as well.
@Suite struct CompressedAverageConcurrencyTests {
    static let workerCounts = [1, 2, 3, 4, 7, 8, 13]
    static let chunked = CompressedLayout.allCases.filter { $0 != .natural }

    private static func lengths(_ workers: Int) -> Set<Int> { [0, 1, workers - 1, workers, workers + 1, 1_000] }

    @Test(arguments: chunked, workerCounts)
    func `without loss every rank ends with the mean, to the same bits in every run and clock`(
        layout: CompressedLayout, workers: Int
    ) throws {
        for length in Self.lengths(workers) {
            var run = CompressedRun(layout: layout, codec: "identity", workers: workers, length: length)
            let mean = run.mean(0).map { $0 * Double(workers) }
            let outcomes = try run.outcomes()
            let found = outcomes[0].vectors[0]
            #expect(
                CollectiveRun.isSum(found.map { $0 * Float(workers) }, mean, terms: workers), "\(workers) x \(length)")
            #expect(outcomes.allSatisfy { $0.vectors[0] == found }, "\(workers) x \(length): ranks differ")
            run.clock = .virtual(CollectiveRun.cost)
            #expect(try run.outcomes().allSatisfy { $0.vectors[0] == found })
        }
    }

    @Test(arguments: ["quantize:bits=2,bucket=16", "qsgd:levels=4,layout=elias", "top-k:fraction=0.2", "count-sketch"])
    func `servers and rings give what eq. 3.2 and 3.3 say, to the bit`(codec: String) throws {
        for workers in Self.workerCounts {
            for length in [0, workers - 1, workers + 1, 230] {
                for layout in Self.chunked {
                    let run = CompressedRun(
                        layout: layout, codec: codec, workers: workers, length: length, stepSizes: [1, 1])
                    let serial = SerialCompression(run: run)
                    let outcomes = try run.outcomes()
                    for t in 0..<2 {
                        let expected = try layout == .ring ? serial.ringAverage(t: t) : serial.serverAverage(t: t)
                        #expect(
                            outcomes.allSatisfy { $0.vectors[t] == expected }, "\(layout) \(workers) x \(length), \(t)")
                    }
                }
            }
        }
    }
}
