import Compression
import Testing

/// Codecs whose floats are added up in place of their messages.
@Suite struct SummedCodecTests {
    static let codecs = [
        "low-rank:rank=2", "low-rank:rank=4,start=random", "count-sketch:rows=1,width=30",
        "count-sketch:rows=4,width=30", "count-sketch:rows=5,width=30,recover=top-k,k=20", "random-k:fraction=0.2",
        "random-k:k=7,scale=none",
    ]

    private func summed(_ name: String, count: Int) throws -> any SummedCodec {
        guard case .sums(let codec) = try CodecSamples.codec(name, count: count).aggregation else {
            throw CodecError.wrongCodec(found: name, expected: "a codec that is summed")
        }
        return codec
    }

    private func contribute(
        _ codec: any SummedCodec, _ vector: [Float], round: Int, share: Float, draw: CodecDraw, _ floats: inout [Float]
    ) throws {
        var span = floats.mutableSpan
        try codec.contribute(vector.span, to: round, share: share, draw: draw, floats: &span)
    }

    private func recovered(
        _ codec: any SummedCodec, share: Float, draw: CodecDraw, _ floats: inout [Float]
    ) throws -> [Float] {
        var result = [Float](repeating: .nan, count: codec.count)
        var span = floats.mutableSpan
        var target = result.mutableSpan
        try codec.recover(from: &span, share: share, draw: draw, into: &target)
        return result
    }

    @Test(arguments: codecs, [1, 3, 8])
    func `workers that add up their floats all recover what the codec makes of the mean`(
        name: String, workers: Int
    ) throws {
        let count = 150
        let share = 1 / Float(workers)
        let codecs = try (0..<workers).map { _ in try summed(name, count: count) }
        let alone = try CodecSamples.codec(name, count: count)
        for step in 0..<3 as Range<UInt64> {
            let draw = CodecDraw(seed: 7, step: step)
            let vectors = (0..<workers).map { worker in
                (0..<count).map { i in Float((i * 7 + worker * 13 + Int(step)) % 9 - 4) }
            }
            let mean = (0..<count).map { i in vectors.reduce(0) { $0 + $1[i] } / Float(workers) }
            var floats = [[Float]](repeating: [Float](repeating: .nan, count: codecs[0].roundFloats), count: workers)
            var start = 0
            for (round, length) in codecs[0].roundCounts.enumerated() {
                for n in 0..<workers {
                    try contribute(codecs[n], vectors[n], round: round, share: share, draw: draw, &floats[n])
                    // A look at one's own contribution changes nothing of it.
                    if round + 1 == codecs[0].roundCounts.count {
                        let before = floats[n]
                        _ = try recovered(codecs[n], share: 1, draw: draw, &floats[n])
                        #expect(floats[n] == before)
                    }
                }
                let sums = (start..<start + length).map { i in floats.reduce(0) { $0 + $1[i] } }
                for n in 0..<workers { floats[n].replaceSubrange(start..<start + length, with: sums) }
                start += length
            }
            let results = try (0..<workers).map { n in
                try recovered(codecs[n], share: share, draw: draw, &floats[n])
            }
            #expect(results.allSatisfy { $0 == results[0] })
            let expected = try alone.decoded(alone.encoded(mean, draw: draw))
            for (found, expected) in zip(results[0], expected) { #expect(abs(found - expected) < 1e-4) }
            #expect(results[0].contains { $0 != 0 })
        }
    }

    @Test(arguments: codecs) func `what is not finite, overflows or has another length is refused`(name: String) throws
    {
        let codec = try summed(name, count: 40)
        let draw = CodecDraw(seed: 7)
        var floats = [Float](repeating: 0, count: codec.roundFloats)
        #expect(throws: CodecError.wrongCount(found: 39, expected: 40)) {
            try contribute(codec, [Float](repeating: 1, count: 39), round: 0, share: 1, draw: draw, &floats)
        }
        var short = [Float](floats.dropLast())
        #expect(throws: CodecError.wrongCount(found: short.count, expected: floats.count)) {
            try contribute(codec, [Float](repeating: 1, count: 40), round: 0, share: 1, draw: draw, &short)
        }
        #expect(throws: CodecError.wrongCount(found: short.count, expected: floats.count)) {
            _ = try recovered(codec, share: 1, draw: draw, &short)
        }
        #expect(throws: CodecError.self) {
            try contribute(codec, [Float](repeating: .nan, count: 40), round: 0, share: 1, draw: draw, &floats)
        }
        if codec is LowRankCodec { return }
        floats = [Float](repeating: .infinity, count: codec.roundFloats)
        #expect(throws: CodecError.tooLarge) { _ = try recovered(codec, share: 1, draw: draw, &floats) }
    }
}
