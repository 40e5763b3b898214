import Compression
import Kernels
import Platform
import Testing

@Suite struct RandomSparsifierTests {
    @Test func `random-k sends its draw and the values, which the receiver multiplies by d over k`() throws {
        let codec = try RandomKCodec(count: 6, kept: 2)
        let draw = CodecDraw(seed: 0x0102_0304_0506_0708, rank: 9, step: 10)
        let bytes = try codec.encoded([1, 1, 1, 1, 1, 1], draw: draw)
        #expect(
            bytes == [1, 9, 0, 0, 6, 0, 0, 0] + [8, 7, 6, 5, 4, 3, 2, 1] + [9, 0, 0, 0] + [10, 0, 0, 0, 0, 0, 0, 0]
                + [0, 0, 0x80, 0x3F, 0, 0, 0x80, 0x3F])
        #expect(try codec.decoded(bytes).sorted() == [0, 0, 0, 0, 3, 3])
        let plain = try RandomKCodec(count: 6, kept: 2, scale: .none)
        #expect(throws: CodecError.self) { try plain.decoded(bytes) }
        #expect(try plain.decoded(plain.encoded([1, 2, 3, 4, 5, 6], draw: draw)).filter { $0 != 0 }.count == 2)
    }

    @Test(arguments: [(10, 3), (7, 7), (9, 1), (5, 4), (64, 16)])
    func `random-k keeps exactly k, each element equally often`(count: Int, kept: Int) throws {
        let codec = try RandomKCodec(count: count, kept: kept, scale: .none)
        let draws = 2_000
        var times = [Int](repeating: 0, count: count)
        for step in 0..<draws {
            let values = try codec.decoded(
                codec.encoded([Float](repeating: 1, count: count), draw: CodecDraw(seed: 3, step: UInt64(step))))
            #expect(values.reduce(0, +) == Float(kept))
            for i in values.indices where values[i] == 1 { times[i] += 1 }
        }
        let share = Double(kept) / Double(count)
        let standardError = (share * (1 - share) * Double(draws)).squareRoot()
        for i in times.indices { #expect(abs(Double(times[i]) - share * Double(draws)) <= 4 * standardError, "\(i)") }
    }

    @Test func `what is drawn must be finite, and stay so when it is scaled`() throws {
        var input = [Float](repeating: 1, count: 8)
        input[5] = .nan
        input[3] = 3e38
        for name in ["random-k:fraction=0.5", "sparsify:probability=0.5"] {
            let codec = try CodecSamples.codec(name, count: 8)
            #expect(!codec.checksEveryElement)
            var found: Set<Int> = []
            for seed in 0..<200 {
                let result = Result { try codec.decoded(codec.encoded(input, draw: CodecDraw(seed: UInt64(seed)))) }
                switch result {
                case .success(let decoded):
                    #expect(decoded[5] == 0 && decoded[3] == 0)
                    found.insert(-1)
                case .failure(let error):
                    guard case .notFinite(let index, let value)? = error as? CodecError else {
                        Issue.record("\(error)")
                        continue
                    }
                    #expect(index == 3 && value == .infinity || index == 5 && value.isNaN)
                    found.insert(index)
                }
            }
            #expect(found.contains(-1) && found.contains(3))
        }
    }

    @Test(arguments: [1.0, 0.7, 0.3, 0.05])
    func `sparsify keeps each element with its probability, independently of its neighbour`(probability: Double) throws
    {
        let count = 64
        let codec = try SparsifyCodec(count: count, probability: .uniform(probability))
        let draws = 1_000
        var (times, pairs) = ([Int](repeating: 0, count: count), 0)
        for step in 0..<draws {
            let values = try codec.decoded(
                codec.encoded([Float](repeating: 1, count: count), draw: CodecDraw(seed: 8, step: UInt64(step))))
            for i in values.indices where values[i] != 0 {
                #expect(values[i] == Float(1 / probability))
                times[i] += 1
                if i > 0 && values[i - 1] != 0 { pairs += 1 }
            }
        }
        func isNear(_ found: Int, _ share: Double, of trials: Int, covariance: Double = 0) -> Bool {
            let standardError = ((share * (1 - share) + covariance) * Double(trials)).squareRoot()
            return abs(Double(found) - share * Double(trials)) <= 4 * standardError
        }
        for i in times.indices { #expect(isNear(times[i], probability, of: draws), "\(i)") }
        // Each pair shares an element with each of its two neighbours.
        let (square, cube) = (probability * probability, probability * probability * probability)
        let covariance = 2 * (cube - square * square)
        #expect(isNear(pairs, square, of: draws * (count - 1), covariance: covariance))
        #expect(isNear(times.reduce(0, +), probability, of: draws * count))
    }

    @Test func `the optimal scale makes the probabilities add up to what is wanted`() throws {
        func scale(_ x: [Float], _ expected: Double) throws -> Float {
            let sampler = try OptimalSampler(count: 5)
            return x.withUnsafeBufferPointer { sampler.scale(of: $0.baseAddress!, expected: expected) }
        }
        #expect(try scale([4, -1, 1, 1, 1], 2) == 4)
        #expect(try scale([8, -1, 1, 1, 1], 2) == 4)
        #expect(try scale([1, 1, -1, 1, 1], 2) == 2.5)
        // All that are not zero, where these are fewer.
        #expect(try (0...1).contains(scale([0, 0, 1, 0, 2], 4)))
        #expect(try scale([0, 0, 0, 0, 0], 4) > 0)
        #expect(try scale([1, .nan, 0, 0, 0], 4).isNaN && scale([1, .infinity, 0, 0, 0], 4).isNaN)
        let large = Float.greatestFiniteMagnitude
        #expect(try scale([large, large, large, large, large], 0.1) == large)
        for input in CodecSamples.inputs(count: 5) {
            for expected in [0.5, 2, 3.5] {
                let scale = try scale(input, expected)
                let sum = input.reduce(0.0) { $0 + min(1, Double(abs($1) / scale)) }
                #expect(abs(sum - min(expected, Double(input.filter { $0 != 0 }.count))) < 1e-5)
            }
        }
    }

    @Test func `optimal probabilities give less variance than one probability, and the variance that is stated`() throws
    {
        let count = 60
        let input = CodecSamples.inputs(count: count)[1]
        let optimal = try SparsifyCodec(count: count, probability: .optimal(density: 0.2))
        let uniform = try SparsifyCodec(count: count, probability: .uniform(0.2))
        let bound = optimal.errorBound(for: input.span)!
        #expect(bound < 0.5 * uniform.errorBound(for: input.span)!)
        var (errors, kept): ([Double], Int) = ([], 0)
        for step in 0..<1_500 {
            let decoded = try optimal.decoded(optimal.encoded(input, draw: CodecDraw(seed: 21, step: UInt64(step))))
            errors.append(zip(decoded, input).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) })
            kept += decoded.filter { $0 != 0 }.count
        }
        let mean = errors.reduce(0, +) / 1_500
        let deviation = (errors.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 1_499).squareRoot()
        #expect(abs(mean - bound) <= 4 * deviation / 1_500.squareRoot())
        #expect(abs(Double(kept) / 1_500 - 12) < 4 * (12 / 1_500.0).squareRoot())
    }

    @Test(
        .enabled(if: InstructionSet.avx512.isAvailable, "no AVX-512 here"), arguments: [0, 1, 15, 16, 63, 64, 65, 300])
    func `both instruction sets draw the same elements`(count: Int) throws {
        for probability in [SparsifyCodec.Probability.uniform(0.3), .uniform(1e-9), .optimal(density: 0.3)] {
            let codecs = try [InstructionSet.baseline, .avx512].map {
                try SparsifyCodec(count: count, probability: probability, instructions: $0)
            }
            for input in CodecSamples.inputs(count: count) {
                let bytes = try codecs.map { try $0.encoded(input, draw: CodecDraw(seed: 6)) }
                #expect(bytes[0] == bytes[1])
                #expect(try codecs[0].decoded(bytes[0]) == codecs[1].decoded(bytes[0]))
            }
        }
    }
}
