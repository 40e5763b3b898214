import RelaxedSGD
import Testing

@testable import Own

/// The codec alone, and in the library's algorithms.
@Suite struct SquareLevelsCodecTests {
    static let y: [Float] = [0, -0, 0.001, -0.02, 0.3, -0.5, 0.75, 1, -1, 0.11, 0.49]
    static let levels = 7

    private func encoded(_ codec: SquareLevelsCodec, _ y: [Float], step: UInt64) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: codec.maximumEncodedBytes)
        var memory = bytes.mutableSpan
        var span = memory.mutableBytes
        let count = try codec.encode(y.span, draw: CodecDraw(seed: 5, step: step), into: &span)
        #expect(count == CodecHeader.byteCount + 4 + y.count)
        return bytes
    }

    private func decoded(_ codec: SquareLevelsCodec, _ bytes: [UInt8]) throws -> [Float] {
        var y = [Float](repeating: .nan, count: codec.count)
        var span = y.mutableSpan
        try codec.decode(bytes.span.bytes, into: &span)
        return y
    }

    @Test func `the mean over draws is the vector within its standard error, the error within its bound`() throws {
        let codec = SquareLevelsCodec(count: Self.y.count, levels: Self.levels)
        let draws = 4_000
        var (sum, squares, error) = ([Double](repeating: 0, count: Self.y.count), Self.y.map { _ in 0.0 }, 0.0)
        for step in 0..<draws {
            let q = try decoded(codec, encoded(codec, Self.y, step: UInt64(step)))
            for j in q.indices {
                let difference = Double(q[j]) - Double(Self.y[j])
                sum[j] += difference
                squares[j] += difference * difference
                error += difference * difference
            }
        }
        for j in sum.indices {
            let deviation = (squares[j] / Double(draws)).squareRoot()
            #expect(abs(sum[j] / Double(draws)) <= 5 * deviation / Double(draws).squareRoot() + 1e-6, "\(Self.y[j])")
        }
        #expect(squares.contains { $0 > 0 })
        let norm = Self.y.reduce(0.0) { $0 + Double($1) * Double($1) }
        #expect(error / Double(draws) <= codec.relativeErrorBound! * norm)
    }

    @Test func `a draw gives the same bytes again, another one others, and floats on levels stay as they are`() throws {
        let codec = SquareLevelsCodec(count: Self.y.count, levels: Self.levels)
        #expect(try encoded(codec, Self.y, step: 1) == encoded(codec, Self.y, step: 1))
        #expect(try encoded(codec, Self.y, step: 1) != encoded(codec, Self.y, step: 2))
        let levels = (0...4).flatMap { i in [Float(i * i), -Float(i * i)] }
        let exact = SquareLevelsCodec(count: levels.count, levels: 4)
        #expect(try decoded(exact, encoded(exact, levels, step: 1)) == levels)
        let zeros = [Float](repeating: 0, count: levels.count)
        #expect(try decoded(exact, encoded(exact, zeros, step: 1)) == zeros)
    }

    @Test func `what is not finite, and what no encoder wrote, is refused`() throws {
        let codec = SquareLevelsCodec(count: 3, levels: Self.levels)
        #expect(throws: CodecError.notFinite(index: 1, value: .infinity)) {
            try encoded(codec, [1, .infinity, 2], step: 0)
        }
        let bytes = try encoded(codec, [1, 2, 3], step: 0)
        for (byte, value) in [(0, 9), (1, 7), (2, 3), (4, 2), (11, 0xff), (12, 100)] {
            var wrong = bytes
            wrong[byte] = UInt8(value)
            #expect(throws: CodecError.self, "byte \(byte)") { try decoded(codec, wrong) }
        }
        #expect(throws: CodecError.wrongLength(found: 14, expected: 15)) { try decoded(codec, bytes.dropLast()) }
    }

    @Test(arguments: ["csgd", "ec-sgd"])
    func `the library's algorithms compress with it, by the same bits on all clocks`(
        algorithm: String
    ) throws {
        func run(_ clock: FabricClock, levels: Int) throws -> TrainingResult {
            try trained(algorithm, workers: 3) {
                $0.exchange.codec = try CodecConfiguration(
                    parsing: "square-levels:levels=\(levels)", of: SquareLevelsCodec.kinds)
                $0.clock.kind = clock
                $0.clock.computeSeconds = 1e-3
            }
        }
        let virtual = FabricClock.virtual(try NetworkCost(latencySeconds: 1e-3, secondsPerMegabyte: 1))
        let result = try run(.native, levels: 7)
        #expect(try run(virtual, levels: 7).parameters == result.parameters)
        #expect(try run(virtual, levels: 5).parameters != result.parameters)
        let exchange = try #require(result.record.exchange)
        #expect(exchange.codec == "square-levels:levels=7")
        // 7 floats are sent in chunks of 2, 2 and 3, each with 12 bytes and one for each float.
        #expect(abs(try #require(exchange.compressionRatio) - 28.0 / 43) < 1e-9)
        let plain = try trained("gradient-aggregation", workers: 3)
        let loss = result.record.points[result.record.keptPoint].loss
        #expect(loss < 0.5 * result.record.points[0].loss)
        #expect(abs(loss - plain.record.points[plain.record.keptPoint].loss) < 0.05 * loss)
    }

    @Test func `a misspelt codec is told the nearest of the library's and this package's`() {
        #expect(throws: InputError.self) {
            try CodecConfiguration(parsing: "square-levels:leels=3", of: SquareLevelsCodec.kinds)
        }
        do {
            _ = try CodecConfiguration(parsing: "square-level", of: SquareLevelsCodec.kinds)
            Issue.record("taken")
        } catch {
            #expect(error.description.contains("did you mean square-levels?"), "\(error)")
        }
    }
}
