import Collectives
import Compression
import Messaging
import Platform
import Testing

/// Averages by what a codec is linear in, and by sparse messages to all.
@Suite struct NaturalAverageTests {
    static let workerCounts = [1, 2, 3, 4, 7]

    private func run(_ codec: String, _ workers: Int, _ length: Int, iterations: Int = 1) -> CompressedRun {
        CompressedRun(
            collective: .natural, codec: codec, workers: workers, length: length,
            stepSizes: Array(repeating: 1, count: iterations))
    }

    @Test(arguments: [
        "top-k:fraction=0.2", "threshold:rms=1", "nonzeros", "sparsify:probability=0.3",
        "top-k:k=20+quantize:bits=4",
    ])
    func `sparse messages of all are added up in the order of the ranks`(codec: String) throws {
        for workers in Self.workerCounts {
            for length in [0, 1, workers + 1, 300] {
                let run = run(codec, workers, length)
                let serial = SerialCompression(run: run)
                var expected = [Float](repeating: 0, count: length)
                for n in 0..<workers {
                    try serial.add(
                        serial.encoded(run.gradient(n, 0), rank: n, site: 0, t: 0), scale: 1 / Float(workers),
                        to: &expected)
                }
                let outcomes = try run.outcomes()
                #expect(outcomes.allSatisfy { $0.vectors[0] == expected }, "\(workers) x \(length)")
            }
        }
    }

    @Test(arguments: [
        "low-rank:rank=2", "low-rank:rank=1,rows=5,start=random", "count-sketch:rows=3,width=25",
        "random-k:fraction=0.1", "random-k:k=7,scale=none",
    ])
    func `what is linear gives all workers the compressed mean, for the bytes of two halves of a ring`(
        codec: String
    ) throws {
        for workers in Self.workerCounts {
            for length in [0, 1, workers + 1, 300] {
                let run = run(codec, workers, length, iterations: 3)
                let alone = try CodecConfiguration(parsing: codec).makeCodec(count: length)
                let outcomes = try run.outcomes()
                for t in 0..<3 {
                    // The codec's own answer for the mean; one that goes on from before sees every mean.
                    let mean = run.mean(t).map { Float($0) }
                    var bytes = [UInt8](repeating: 0, count: alone.maximumEncodedBytes)
                    var elements = bytes.mutableSpan
                    var space = elements.mutableBytes
                    _ = try alone.encode(mean.span, draw: CodecDraw(seed: run.seed, step: UInt64(t)), into: &space)
                    var expected = mean
                    var target = expected.mutableSpan
                    try alone.decode(bytes.span.bytes, into: &target)
                    let largest = expected.map(abs).max() ?? 0
                    #expect(
                        zip(outcomes[0].vectors[t], expected).allSatisfy { abs($0 - $1) <= 1e-4 * largest },
                        "\(workers) x \(length)")
                    #expect(outcomes.allSatisfy { $0.vectors[t] == outcomes[0].vectors[t] })
                }
                let sent = outcomes.reduce(0) { $0 + $1.sentBytes }
                #expect(sent == 2 * (workers - 1) * outcomes[0].encodedBytes)
            }
        }
    }

    @Test func `sums of sparse vectors get denser on the way, and still take fewer bytes than dense ones`() throws {
        let (workers, length) = (4, 4_000)
        let run = CompressedRun(collective: .ring, codec: "nonzeros", workers: workers, length: length)
        let fabric = try Fabric(count: workers)
        let sent = try fabric.run { communicator in
            let average = try run.average(rank: communicator.rank)
            // Every hundredth element, others in each worker.
            var vector = (0..<length).map { Float($0 % 100 == communicator.rank ? $0 + 1 : 0) }
            try vector.withUnsafeMutableBufferPointer { try average.average($0, step: 0, over: communicator) }
            #expect(vector == (0..<length).map { $0 % 100 < workers ? Float($0 + 1) / 4 : 0 })
            // Of each chunk: with 10, 20, 30 and 40 elements that are not zero, in a message of 12 bytes and 6 for each.
            #expect(average.encodedBytes == 4 * 12 + 6 * (10 + 20 + 30 + 40))
            return communicator.sent.bytes
        }
        #expect(sent.allSatisfy { $0 == 6 * 12 + 6 * (10 + 20 + 30 + 3 * 40) })
    }

    @Test(arguments: ["sign", "quantize:bits=4", "identity", "natural"])
    func `a codec without an aggregation of its own is refused with those that have one`(codec: String) {
        let run = run(codec, 2, 10)
        let error = #expect(throws: InputError.self) { try run.average(rank: 0) }
        #expect(error?.place == "--collective" && error?.expected.contains("low-rank, count-sketch, random-k") == true)
    }
}
