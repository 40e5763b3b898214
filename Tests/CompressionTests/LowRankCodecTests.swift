import Compression
import Kernels
import Testing

@Suite struct LowRankCodecTests {
    /// A matrix of the given rank and size, row by row.
    private func matrix(rank: Int, rows: Int, columns: Int, seed: UInt64) -> [Float] {
        var stream = RandomStream(seed: seed)
        func unit() -> Float { 2 * stream.nextUnitFloat() - 1 }
        let left = (0..<rank).map { _ in (0..<rows).map { _ in unit() } }
        let right = (0..<rank).map { _ in (0..<columns).map { _ in unit() } }
        return (0..<rows * columns).map { at in
            (0..<rank).reduce(0) { $0 + left[$1][at / columns] * right[$1][at % columns] }
        }
    }

    private func squares(_ vector: [Float]) -> Double { vector.reduce(0) { $0 + Double($1) * Double($1) } }

    /// |Q(y) - y|^2 / |y|^2 of one encoding.
    private func relativeError(_ codec: LowRankCodec, _ vector: [Float], _ draw: CodecDraw = CodecDraw(seed: 1)) throws
        -> Double
    {
        let decoded = try codec.decoded(codec.encoded(vector, draw: draw))
        return squares(zip(decoded, vector).map { $0 - $1 }) / squares(vector)
    }

    @Test func `two floats in a row travel as the sign of P and Q`() throws {
        let codec = try LowRankCodec(count: 2, rank: 1, rows: 1)
        let bytes = try codec.encoded([3, -4])
        // P is 1 or -1, whichever way the random start points.
        let sign: UInt8 = bytes[11] & 0x80
        let header: [UInt8] = [1, 13, 1, 0, 2, 0, 0, 0]
        #expect(bytes == header + [0, 0, 0x80, 0x3F ^ sign, 0, 0, 0x40, 0x40 ^ sign, 0, 0, 0x80, 0xC0 ^ sign])
        #expect(try codec.decoded(bytes) == [3, -4])
        #expect(try codec.added(bytes, scale: 2, to: [1, 1]) == [7, -7])
    }

    @Test(arguments: [0, 1, 7, 8, 9, 511, 512, 513])
    func `the matrix is near square, rank and rows are cut to what there is, and the size is exact`(count: Int) throws {
        for (rank, rows) in [(1, nil), (4, nil), (3, 10), (2, 1_000)] as [(Int, Int?)] {
            let codec = try LowRankCodec(count: count, rank: rank, rows: rows)
            #expect(codec.rows * codec.columns >= count && (codec.rows - 1) * codec.columns < max(1, count))
            if rows == nil { #expect(abs(codec.rows - codec.columns) <= 1) }
            #expect(codec.rank == min(rank, codec.rows, codec.columns))
            let bytes = try codec.encoded([Float](repeating: -2.5, count: count))
            #expect(bytes.count == 8 + 4 * codec.rank * (codec.rows + codec.columns))
            #expect(bytes.count == codec.maximumEncodedBytes)
            // A vector of equal floats is of rank 1, but for the padding.
            let decoded = try codec.decoded(bytes)
            if rank > 1 { for value in decoded { #expect(abs(value + 2.5) < 1e-4) } }
        }
    }

    @Test func `a matrix of the codec's rank comes back in one encoding and one above it does not`() throws {
        let low = matrix(rank: 3, rows: 20, columns: 30, seed: 5)
        #expect(try relativeError(LowRankCodec(count: 600, rank: 3, rows: 20), low) < 1e-10)
        #expect(try relativeError(LowRankCodec(count: 600, rank: 2, rows: 20), low) > 1e-3)
    }

    @Test func `the warm start turns to the best approximation and a random one does not`() throws {
        // Singular values 3, 2, then 1 four times: the best of rank 2 leaves 4 / 17.
        var vector = [Float](repeating: 0, count: 36)
        for (i, value) in [3, 2, 1, 1, 1, 1].enumerated() { vector[7 * i] = Float(value) }
        let warm = try LowRankCodec(count: 36, rank: 2)
        let cold = try LowRankCodec(count: 36, rank: 2, start: .random)
        let first = try relativeError(warm, vector)
        #expect(try relativeError(cold, vector) == first)
        var (last, coldSum) = (0.0, 0.0)
        for step in 1...30 {
            let draw = CodecDraw(seed: 1, step: UInt64(step))
            last = try relativeError(warm, vector, draw)
            coldSum += try relativeError(cold, vector, draw)
        }
        #expect(abs(last - 4.0 / 17) < 1e-5)
        #expect(coldSum / 30 > 1.1 * last && coldSum / 30 < 1)
    }

    @Test func `with a random start an encoding is a function of the vector, the seed and the step`() throws {
        let vector = matrix(rank: 5, rows: 10, columns: 10, seed: 6)
        let draw = CodecDraw(seed: 3, rank: 1, step: 9)
        let used = try LowRankCodec(count: 100, rank: 2, start: .random)
        _ = try used.encoded(matrix(rank: 1, rows: 10, columns: 10, seed: 7))
        let bytes = try used.encoded(vector, draw: draw)
        let fresh = try LowRankCodec(count: 100, rank: 2, start: .random)
        #expect(try fresh.encoded(vector, draw: CodecDraw(seed: 3, rank: 8, step: 9)) == bytes)
        #expect(try fresh.encoded(vector, draw: CodecDraw(seed: 3, rank: 1, step: 10)) != bytes)
    }

    @Test func `a zero vector does not stop a warm codec for ever`() throws {
        let codec = try LowRankCodec(count: 100, rank: 2)
        #expect(
            try codec.decoded(codec.encoded([Float](repeating: 0, count: 100))) == [Float](repeating: 0, count: 100))
        // First one direction only, so that the second vector of Q is zero, then two.
        #expect(try relativeError(codec, matrix(rank: 1, rows: 10, columns: 10, seed: 8)) < 1e-10)
        #expect(try relativeError(codec, matrix(rank: 2, rows: 10, columns: 10, seed: 9)) < 1e-8)
    }

    @Test func `the projection never enlarges the error, and it is biased`() throws {
        for input in CodecSamples.inputs(count: 60) {
            let codec = try LowRankCodec(count: 60, rank: 1, start: .random)
            var mean = [Double](repeating: 0, count: 60)
            for step in 0..<200 {
                let draw = CodecDraw(seed: 2, step: UInt64(step))
                #expect(try relativeError(codec, input, draw) < 1)
                for (i, value) in try codec.decoded(codec.encoded(input, draw: draw)).enumerated() {
                    mean[i] += Double(value) / 200
                }
            }
            let bias = zip(mean, input).reduce(0) { $0 + ($1.0 - Double($1.1)) * ($1.0 - Double($1.1)) }
            // Far above |y|^2 / 200, more than which the mean of 200 unbiased draws with alpha < 1 would hardly reach.
            #expect(bias > 0.02 * squares(input))
        }
    }

    @Test func `large numbers are encoded or refused, never turned into infinities`() throws {
        let codec = try LowRankCodec(count: 100, rank: 4)
        var vector = [Float](repeating: 1e-30, count: 100)
        vector[57] = .greatestFiniteMagnitude
        let decoded = try codec.decoded(codec.encoded(vector))
        #expect(decoded.allSatisfy(\.isFinite) && abs(decoded[57] / .greatestFiniteMagnitude - 1) < 1e-5)
        vector = [Float](repeating: 3e38, count: 100)
        #expect(throws: CodecError.tooLarge) { try codec.encoded(vector) }
        vector[31] = -.infinity
        #expect(throws: CodecError.notFinite(index: 31, value: -.infinity)) { try codec.encoded(vector) }
    }

    @Test func `factors that are not finite are refused with their place, and large ones stay finite`() throws {
        let codec = try LowRankCodec(count: 4, rank: 1)
        var bytes = try codec.encoded([1, 2, 3, 4])
        bytes[16...19] = [0, 0, 0x80, 0x7F]
        #expect(throws: CodecError.corrupt(byte: 16, found: "inf", expected: "a finite float")) {
            try codec.decoded(bytes)
        }
        for at in stride(from: 8, to: 24, by: 4) { bytes[at..<at + 4] = [0, 0, 0x7F, 0x7F] }
        #expect(try codec.decoded(bytes).allSatisfy { $0 == .greatestFiniteMagnitude })
    }
}
