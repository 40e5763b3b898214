import Collectives
import Compression
import Platform
import Testing

/// What a rank keeps for its averages, and what it says of that.
@Suite struct CompressedMemoryTests {
    /// Bytes in pages that `body` leaves behind on this thread, and what it made.
    private func pages<Made>(_ body: () throws -> Made) rethrows -> (bytes: Int, made: Made) {
        let before = threadPageBytes()
        let made = try body()
        return (threadPageBytes() - before, made)
    }

    private static let codecs = [
        "quantize:bits=4", "sign", "top-k:fraction=0.1", "random-k:fraction=0.1", "low-rank", "count-sketch",
        "qsgd:layout=elias",
        "sparsify", "nonzeros", "top-k:fraction=0.1+quantize:bits=4",
    ]

    @Test(arguments: CompressedCollective.allCases, codecs)
    func `a rank says what it takes`(collective: CompressedCollective, codec: String) throws {
        for (workers, length) in [(1, 100), (7, 20_000), (64, 3_000)] {
            for hasFeedback in [false, true] {
                let run = CompressedRun(
                    collective: collective, codec: codec, workers: workers, length: length, hasFeedback: hasFeedback)
                guard collective != .natural || (try? run.average(rank: 0)) != nil else { continue }
                let (bytes, average) = try pages { try run.average(rank: 0) }
                // Beside pages there are tables, and codecs with a memory that is on no page.
                let unpaged = average.memoryBytes - bytes
                #expect(bytes > 0 && unpaged >= 0, "\(workers): \(bytes) of \(average.memoryBytes)")
                #expect(codec == "low-rank" || unpaged <= 1_024 + 64 * workers, "\(workers): \(unpaged) not on pages")
            }
        }
    }

    @Test(
        arguments: [CompressedCollective.multiServer, .ring],
        ["sign", "quantize:bits=4", "low-rank", "top-k:fraction=0.1"])
    func `what a rank takes grows with the vector and not by a page for each of its peers`(
        collective: CompressedCollective, codec: String
    ) throws {
        func taken(workers: Int) throws -> Int {
            let run = CompressedRun(
                collective: collective, codec: codec, workers: workers, length: 10_000, hasFeedback: true)
            return try pages { try run.average(rank: 0) }.bytes
        }
        let (few, many) = try (taken(workers: 4), taken(workers: 1_000))
        // Messages have headers; a page for each peer would be four megabytes.
        #expect(many <= few + 1_000 * 100, "\(few), then \(many)")
    }

    @Test func `residuals of many places are as those of one place each`() throws {
        let codec = try CodecConfiguration(parsing: "sign").makeCodec(count: 50)
        let place = FeedbackCodec(codec)
        let memory = try FeedbackMemory(floatCounts: Array(repeating: place.floatCount, count: 3))
        let alone = try (0..<3).map { _ in try ErrorFeedback(codec) }
        for t in 0..<4 {
            let stepSize = 1 / Double(1 + t)
            memory.begin(stepSize: stepSize)
            for site in 0..<3 {
                let vector = CollectiveRun.input(rank: site, length: 50, seed: UInt64(t + 1))
                var (ours, theirs) = ([UInt8](repeating: 0, count: 100), [UInt8](repeating: 0, count: 100))
                var ourSpan = ours.mutableSpan
                var one = ourSpan.mutableBytes
                var theirSpan = theirs.mutableSpan
                var other = theirSpan.mutableBytes
                let draw = CodecDraw(seed: 1, step: UInt64(t))
                let length = try memory.encode(vector.span, at: site, by: place, draw: draw, into: &one)
                let expected = try alone[site].encode(vector.span, stepSize: stepSize, draw: draw, into: &other)
                #expect(length == expected)
                let residual = memory.withResidual(at: site, by: place) { span in span.indices.map { span[$0] } }
                #expect(alone[site].withResidual { span in span.indices.map { span[$0] } } == residual)
            }
        }
    }
}
