import Compression
import Kernels
import Platform
import Testing

@Suite struct QSGDCodecTests {
    private let draw = CodecDraw(seed: 8, rank: 3, step: 5)

    /// The levels of one bucket as documented, element by element.
    private func levels(_ x: [Float], levels s: Int, step: Float, block: UInt64, bits: Int) -> [Int] {
        let draws = DrawBits(seed: draw.seed, rank: draw.rank, step: draw.step)
        let fraction = bits == 16 ? 15 : 16
        return x.indices.map { i in
            let word = draws.block(block + UInt64(4 * (i / 32) + i % 16 / 4))[i % 4]
            let dither = i / 16 % 2 == 0 ? word >> UInt32(32 - fraction) : word & (1 << UInt32(fraction) - 1)
            let place = Double(x[i]) / Double(step) * Double(1 << fraction)
            return Int(((place.rounded() + Double(dither)) / Double(1 << fraction)).rounded(.down))
        }
    }

    private func float(_ bytes: [UInt8], _ at: Int) -> Float {
        Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) })
    }

    @Test func `a tiny vector in both layouts, byte for byte`() throws {
        // The norm is 4, so that with two levels 2 is 1 step, -2 is -1, and the others stay zero.
        let vector: [Float] = [2, 0, -2, 0, 0, 2, 0, 2, 0]
        let dense = try QSGDCodec(count: 9, levels: 2)
        // Levels + 2 in three bits, the first lowest: 3 2 1 2 2 3 2 3 2 are 0b010_011_010_011_010_010_001_010_011.
        let body: [UInt8] = [0, 0, 0, 0x40, 0x53, 0xA4, 0x69, 0x02]
        #expect(try dense.encoded(vector) == [1, 5, 2, 0, 9, 0, 0, 0, 0, 2, 0, 0] + body)
        #expect(try dense.decoded(dense.encoded(vector)) == vector)

        let elias = try QSGDCodec(count: 9, levels: 2, layout: .elias)
        // Distance, sign, level: 0 0 0, 100 1 0, 110 0 0, 100 0 0, then 100 to the end: 00010010 11000100 00100000.
        let string: [UInt8] = [0, 0, 0, 0x40, 0x12, 0xC4, 0x20]
        #expect(try elias.encoded(vector) == [1, 5, 2, 0x80, 9, 0, 0, 0, 0, 2, 0, 0] + string)
        #expect(try elias.decoded(elias.encoded(vector)) == vector)
        #expect(try elias.added(elias.encoded(vector), scale: -0.5, to: vector) == vector.map { $0 / 2 })
    }

    @Test(arguments: [1, 2, 3, 7, 100, 127, 1_000, 32_767])
    func `levels follow from the draw as documented, on either instruction set and in both layouts`(s: Int) throws {
        let bits = [1: 2, 2: 3, 3: 3, 7: 4, 100: 8, 127: 8, 1_000: 11, 32_767: 16][s]!
        for (count, bucket) in [(1, 512), (40, 16), (600, 512), (600, 0), (700, 300)] {
            var stream = RandomStream(seed: 3)
            let vector = (0..<count).map { _ in (stream.nextUnitFloat() - 0.5) * (stream.nextUnitFloat() > 0.9 ? 20 : 1)
            }
            let codec = try QSGDCodec(count: count, levels: s, bucket: bucket, instructions: .baseline)
            let bytes = try codec.encoded(vector, draw: draw)
            let size = bucket == 0 ? count : bucket
            let sizes = stride(from: 0, to: count, by: size).map { min(size, count - $0) }
            #expect(codec.maximumEncodedBytes == 12 + sizes.reduce(0) { $0 + 4 + (bits * $1 + 7) / 8 })
            #expect(bytes.count == codec.maximumEncodedBytes && codec.hasFixedSize)

            let decoded = try codec.decoded(bytes)
            var (at, start) = (12, 0)
            for (index, size) in sizes.enumerated() {
                let floats = Array(vector[start..<start + size])
                let norm = floats.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
                let step = float(bytes, at)
                // The step is rounded up, to the bits that levels leave.
                #expect(
                    Double(step) >= norm / Double(s) && Double(step) <= norm / Double(s) * (1 + Double(2 * s) / 0x1p24))
                let expected = levels(
                    floats, levels: s, step: step, block: UInt64(index * ((codec.bucket + 31) / 32 * 4)), bits: bits)
                let found = decoded[start..<start + size].map { Int(($0 / step).rounded()) }
                let exact = zip(decoded[start..<start + size], found).allSatisfy { $0 == Float($1) * step }
                #expect(exact, "every float is a level times the step")
                // Places are rounded to float32, which may tip a level over.
                let different = zip(found, expected).filter { $0 != $1 }
                #expect(different.allSatisfy { abs($0 - $1) <= 1 } && different.count <= (s > 127 ? size / 20 + 1 : 0))
                at += 4 + (bits * size + 7) / 8
                start += size
            }

            let wide = try QSGDCodec(count: count, levels: s, bucket: bucket)
            #expect(try wide.encoded(vector, draw: draw) == bytes && wide.decoded(bytes) == decoded)
            let elias = try QSGDCodec(count: count, levels: s, bucket: bucket, layout: .elias)
            let string = try elias.encoded(vector, draw: draw)
            #expect(string.count <= elias.maximumEncodedBytes && !elias.hasFixedSize)
            #expect(try elias.decoded(string) == decoded)
        }
    }

    @Test func `few levels and a large bucket make the Elias layout short, and no vector makes it longer than stated`()
        throws
    {
        // At most s (s + sqrt(n)) levels are not zero, and these take about 8 bits each.
        let vector = [Float](repeating: 1, count: 10_000)
        let codec = try QSGDCodec(count: 10_000, levels: 5, bucket: 0, layout: .elias)
        var (levels, bytes) = (0, 0)
        for step in 0..<10 as Range<UInt64> {
            let message = try codec.encoded(vector, draw: CodecDraw(seed: 1, step: step))
            levels += try codec.decoded(message).count { $0 != 0 }
            bytes += message.count - 16
        }
        #expect(levels <= 10 * 5 * 105 && levels > 4_500 && bytes < 2 * levels)

        // One large float and many small ones, all of which round up with some luck; more levels than the norm has room for.
        for s in [1, 3, 7, 50, 1_000, 32_767] {
            for count in [1, 2, 9, 60] {
                let codec = try QSGDCodec(count: count, levels: s, layout: .elias)
                for (which, input) in (CodecSamples.inputs(count: count) + CodecSamples.awkward(count: count))
                    .enumerated()
                {
                    for step in 0..<20 as Range<UInt64> {
                        let bytes = try codec.encoded(input, draw: CodecDraw(seed: 2, step: step))
                        #expect(
                            bytes.count <= codec.maximumEncodedBytes, "\(s) levels, \(count) floats, input \(which)")
                    }
                }
            }
        }
        // All floats of one step each: every bit of the bound is needed, but for zeros that come of rounding up the step.
        let ones = try QSGDCodec(count: 4, levels: 2, layout: .elias)
        let longest = (0..<50).map { step in
            try! ones.encoded([1, -1, 1, 1], draw: CodecDraw(seed: 1, step: UInt64(step))).count
        }.max()
        #expect(longest == 18 && ones.maximumEncodedBytes == 19)
    }

    @Test(arguments: [QSGDCodec.Layout.dense, .elias])
    func `feedback leaves what decoding loses`(layout: QSGDCodec.Layout) throws {
        for input in CodecSamples.inputs(count: 550) {
            let codec = try QSGDCodec(count: 550, levels: 3, bucket: 200, layout: layout)
            var residual = input.map { 0.25 - $0 }
            let sum = zip(input, residual).map { $0.addingProduct($1, 0.5) }
            var bytes = [UInt8](repeating: 0, count: codec.maximumEncodedBytes)
            var elements = bytes.mutableSpan
            var space = elements.mutableBytes
            var left = residual.mutableSpan
            let length = try codec.encode(input.span, feedback: &left, scale: 0.5, draw: draw, into: &space)
            let decoded = try codec.decoded(Array(bytes[..<length]))
            #expect(residual == zip(sum, decoded).map { $0 - $1 })
            #expect(try codec.encoded(sum, draw: draw) == Array(bytes[..<length]))
        }
    }

    @Test func `a norm beyond the largest float, or one of denormals, gives levels all the same`() throws {
        for s in [1, 7, 127, 200, 32_767] {
            let codec = try QSGDCodec(count: 40, levels: s)
            for vector in [
                (0..<40).map { $0 % 2 == 0 ? Float.greatestFiniteMagnitude : -3e38 },
                (0..<40).map { $0 % 2 == 0 ? -Float.greatestFiniteMagnitude : 3e38 },
                (0..<40).map { Float(bitPattern: UInt32($0 * $0)) },
                [Float](repeating: .leastNonzeroMagnitude, count: 40),
            ] {
                let (size, draws) = (vector.reduce(0) { max($0, abs($1)) }, 400)
                var mean = [Double](repeating: 0, count: 40)
                var squares = 0.0
                for step in 0..<draws {
                    let decoded = try codec.decoded(codec.encoded(vector, draw: CodecDraw(seed: 6, step: UInt64(step))))
                    let isFinite = decoded.allSatisfy(\.isFinite)
                    #expect(isFinite)
                    for i in 0..<40 {
                        let error = (Double(decoded[i]) - Double(vector[i])) / Double(size)
                        mean[i] += error / Double(draws)
                        squares += error * error / Double(draws)
                    }
                }
                // Without bias the squares of the means come to the variance of the mean; four standard errors of that are 0.9.
                let bias = mean.reduce(0) { $0 + $1 * $1 }
                #expect(bias <= 1.9 * squares / Double(draws) + 1e-10, "\(s) levels")
            }
        }
    }

    @Test(arguments: [1, 4, 200, 32_767])
    func `the Elias layout refuses what has no norm, whose levels could be longer than stated`(s: Int) throws {
        for magnitude: Float in [.greatestFiniteMagnitude, 2e38] {
            let vector = (0..<700).map { $0 % 3 == 0 ? -magnitude : magnitude }
            let codec = try QSGDCodec(count: 700, levels: s, layout: .elias)
            #expect(throws: CodecError.tooLarge) { try codec.encoded(vector) }
            #expect(throws: CodecError.tooLarge) { try ErrorFeedback(codec).encoded(vector, stepSize: 1, step: 0) }
            #expect(try codec.encoded(vector.map { $0 * 0x1p-9 }).count <= codec.maximumEncodedBytes)
        }
    }

    @Test func `a code beyond the last level, a step that is none and bits behind the end are refused`() throws {
        let vector = [Float](repeating: 0.5, count: 700)
        for (s, bits) in [(1, 2), (2, 3), (7, 4), (100, 8), (127, 8), (1_000, 11), (32_767, 16)] {
            let codec = try QSGDCodec(count: 700, levels: s)
            let bytes = try codec.encoded(vector)
            let second = 12 + 4 + 64 * bits
            // All ones in the last byte of a code of the first bucket's units, and of the second's, which are not whole.
            for at in [12 + 4 + 64 * bits - 2, second + 4 + 10] {
                var changed = bytes
                for i in 0..<(bits + 7) / 8 + 1 { changed[at - i] = 0xFF }
                #expect(throws: CodecError.self, "\(s) levels, byte \(at)") { try codec.decoded(changed) }
            }
            for step in [Float.nan, .infinity, -1] {
                var changed = bytes
                for i in 0..<4 { changed[second + i] = UInt8(truncatingIfNeeded: step.bitPattern >> UInt32(8 * i)) }
                #expect(throws: CodecError.self) { try codec.decoded(changed) }
            }
        }
        let elias = try QSGDCodec(count: 9, levels: 2, layout: .elias)
        let bytes = try elias.encoded([2, 0, -2, 0, 0, 2, 0, 2, 0])
        // A bit in the filling, a level of 3, a distance beyond the end, and another bucket.
        for (at, value) in [(18, 0x21), (16, 0x1E), (16, 0xFF), (8, 1)] as [(Int, UInt8)] {
            var changed = bytes
            changed[at] = value
            #expect(throws: CodecError.self, "byte \(at)") { try elias.decoded(changed) }
        }
    }

    @Test func `settings are read from the name`() throws {
        for name in ["qsgd:levels=7,bucket=whole,layout=elias", "qsgd:levels=127,bucket=512,layout=dense"] {
            #expect(try CodecConfiguration(parsing: name).makeCodec(count: 10).name == name)
        }
        #expect(
            try CodecConfiguration(parsing: "qsgd").makeCodec(count: 10).name
                == "qsgd:levels=127,bucket=512,layout=dense")
        for name in ["qsgd:levels=0", "qsgd:levels=32768", "qsgd:bucket=0", "qsgd:layout=sparse"] {
            #expect(throws: InputError.self) { try CodecConfiguration(parsing: name) }
        }
        let codec = try QSGDCodec(count: 2_000, levels: 4)
        #expect(codec.relativeErrorBound == 512.0.squareRoot() / 4)
        #expect(try QSGDCodec(count: 2_000, levels: 100).relativeErrorBound == 512.0 / 10_000)
    }
}
