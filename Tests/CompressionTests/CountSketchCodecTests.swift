import Compression
import Kernels
import Testing

@Suite struct CountSketchCodecTests {
    private func floats(_ bytes: ArraySlice<UInt8>) -> [Float] {
        stride(from: bytes.startIndex, to: bytes.endIndex, by: 4).map { at in
            Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) })
        }
    }

    /// Column and sign of an element in a row, as documented.
    private func hash(_ draw: CodecDraw, row: Int, element: Int, width: Int) -> (column: Int, sign: Float) {
        let bits = DrawBits(seed: draw.seed, rank: 0, step: draw.step, purpose: UInt32(row))
        let word = bits.block(UInt64(element / 4))[element % 4]
        return (Int(UInt64(word % (1 << 31)) * UInt64(width) / (1 << 31)), word >> 31 == 1 ? -1 : 1)
    }

    @Test(arguments: [0, 1, 7, 8, 9, 255, 256, 257, 513])
    func `the message is the header, seed and step, and the table of signed sums, and decodes to medians`(count: Int)
        throws
    {
        let draw = CodecDraw(seed: 0x0102_0304_0506_0708, rank: 3, step: 77)
        for (rows, width) in [(1, 1), (2, 5), (3, 40), (5, 8)] {
            let codec = try CountSketchCodec(count: count, rows: rows, width: width)
            let vector = (0..<count).map { Float($0 * 37 % 11 - 5) }
            let bytes = try codec.encoded(vector, draw: draw)
            #expect(bytes.count == 24 + 4 * rows * width && bytes.count == codec.maximumEncodedBytes)
            let size = UInt16(count)
            #expect(bytes[..<8] == [1, 14, UInt8(rows), 0, UInt8(size & 0xFF), UInt8(size >> 8), 0, 0])
            #expect(bytes[8..<24] == [8, 7, 6, 5, 4, 3, 2, 1, 77, 0, 0, 0, 0, 0, 0, 0])

            var table = [Float](repeating: 0, count: rows * width)
            for r in 0..<rows {
                for i in 0..<count {
                    let (column, sign) = hash(draw, row: r, element: i, width: width)
                    table[r * width + column] += sign * vector[i]
                }
            }
            #expect(floats(bytes[24...]) == table)
            let decoded = try codec.decoded(bytes)
            let added = try codec.added(bytes, scale: -2, to: vector)
            for i in 0..<count {
                let estimates = (0..<rows).map { r in
                    let (column, sign) = hash(draw, row: r, element: i, width: width)
                    return sign * table[r * width + column]
                }.sorted()
                let median = rows % 2 == 1 ? estimates[rows / 2] : (estimates[rows / 2 - 1] + estimates[rows / 2]) / 2
                #expect(decoded[i] == median && added[i] == vector[i] - 2 * median)
            }
        }
    }

    @Test func `the defaults make a tenth of the floats, and the draw's rank does not count`() throws {
        let codec = try CountSketchCodec(count: 1_000)
        #expect(codec.name == "count-sketch:rows=5,width=20,recover=all" && codec.maximumEncodedBytes == 424)
        let vector = CodecSamples.inputs(count: 1_000)[1]
        let bytes = try codec.encoded(vector, draw: CodecDraw(seed: 1, rank: 5, step: 2))
        #expect(try codec.encoded(vector, draw: CodecDraw(seed: 1, rank: 6, step: 2)) == bytes)
        #expect(try codec.encoded(vector, draw: CodecDraw(seed: 1, rank: 5, step: 3)) != bytes)
    }

    @Test(arguments: [1, 2, 3, 5])
    func `every element's mean is the element, whatever the number of rows, and the error stays below its bound`(
        rows: Int
    )
        throws
    {
        let (count, draws) = (24, 3_000)
        for (which, input) in CodecSamples.inputs(count: count).enumerated() {
            let codec = try CountSketchCodec(count: count, rows: rows, width: 8)
            #expect(codec.isUnbiased)
            var sums = [Double](repeating: 0, count: count)
            var squares = sums
            for step in 0..<draws {
                let bytes = try codec.encoded(input, draw: CodecDraw(seed: 40, step: UInt64(step)))
                for (i, value) in try codec.decoded(bytes).enumerated() {
                    let error = Double(value) - Double(input[i])
                    sums[i] += error
                    squares[i] += error * error
                }
            }
            let n = Double(draws)
            for i in 0..<count {
                let variance = squares[i] / n - (sums[i] / n) * (sums[i] / n)
                #expect(abs(sums[i] / n) <= 4 * (variance / n).squareRoot(), "input \(which), element \(i)")
            }
            let error = squares.reduce(0, +) / n
            let norm = input.reduce(0) { $0 + Double($1) * Double($1) }
            // One row's variance is known: (d - 1) / width, give or take its error over 3,000 draws.
            if rows == 1 { #expect(abs(error / (norm * 23 / 8) - 1) < 0.1) }
            let factor = [1: 1, 2: 2, 3: 1.5, 5: 5.0 / 3][rows]!
            #expect(codec.relativeErrorBound == factor * 23 / 8)
            #expect(error <= codec.relativeErrorBound! * norm * (rows == 1 ? 1.1 : 1))
        }
    }

    @Test func `top-k keeps the heavy hitters, and of equal estimates the first`() throws {
        let count = 2_000
        var vector = (0..<count).map { Float($0 % 3 - 1) * 0.01 }
        let heavy = [3, 500, 501, 1_234, 1_999]
        for (n, i) in heavy.enumerated() { vector[i] = n % 2 == 0 ? 10 : -12 }
        let codec = try CountSketchCodec(count: count, rows: 5, width: 100, recovery: .topK, k: 5)
        #expect(!codec.isUnbiased && codec.relativeErrorBound == nil)
        #expect(codec.name == "count-sketch:rows=5,width=100,recover=top-k,k=5")
        let bytes = try codec.encoded(vector)
        let decoded = try codec.decoded(bytes)
        #expect(decoded.indices.filter { decoded[$0] != 0 } == heavy)
        for i in heavy { #expect(abs(decoded[i] - vector[i]) < 0.5) }
        #expect(try codec.added(bytes, scale: 1, to: vector) == zip(vector, decoded).map { $0 + $1 })

        // In a table of one column all estimates are alike but for their signs.
        let narrow = try CountSketchCodec(count: 50, rows: 1, width: 1, recovery: .topK, k: 7)
        let ties = try narrow.decoded(narrow.encoded([Float](repeating: 1, count: 49) + [100]))
        #expect(ties[..<7].allSatisfy { $0 != 0 } && ties[7...].allSatisfy { $0 == 0 })
    }

    @Test func `what is not finite is refused with its index, and sums that overflow are refused`() throws {
        let codec = try CountSketchCodec(count: 9, rows: 2, width: 1)
        var vector = [Float](repeating: 1, count: 9)
        vector[4] = 3e38
        #expect(try codec.decoded(codec.encoded(vector)).allSatisfy(\.isFinite))
        #expect(throws: CodecError.tooLarge) { try codec.encoded([Float](repeating: 3e38, count: 9)) }
        vector[6] = .nan
        vector[7] = .infinity
        let error = #expect(throws: CodecError.self) { try codec.encoded(vector) }
        guard case .notFinite(6, let value) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(value.isNaN)
    }
}
