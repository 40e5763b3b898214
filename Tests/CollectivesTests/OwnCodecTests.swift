import Collectives
import Compression
import Messaging
import Platform
import Testing

/// A codec as another package writes one: floats to multiples of a step, up or down at random, in a byte each.
private final class StepsCodec: ResizableCodec {
    static let facts = CodecFacts(
        name: "steps", number: 200, summary: "multiples of a step, drawn", section: "this test",
        settings: [SettingFacts("size", default: "0.25", "the step")],
        forms: [.init(bytes: "d", isUnbiased: true, alpha: nil)], examples: ["steps"])

    private(set) var count: Int
    private let size: Float
    private var header: CodecHeader

    init(_ settings: inout NamedSettings, count: Int) throws(InputError) {
        self.count = count
        size = try settings.positiveFloat("size") ?? 0.25
        header = CodecHeader(of: Self.facts, count: count)
    }

    func resize(to count: Int) {
        self.count = count
        header = header.resized(to: count)
    }

    var name: String { "steps:size=\(size)" }
    var maximumEncodedBytes: Int { CodecHeader.byteCount + count }
    var hasFixedSize: Bool { true }
    var isUnbiased: Bool { true }
    var relativeErrorBound: Double? { nil }

    func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError) -> Int {
        try check(vector, bytes)
        header.write(into: &bytes)
        var draws = [Float](repeating: 0, count: count)
        var span = draws.mutableSpan
        draw.fillUniform(&span)
        for i in vector.indices {
            guard vector[i].isFinite else { throw .notFinite(in: vector, from: i) }
            let step = max(-128, min(127, (vector[i] / size + draws[i]).rounded(.down)))
            bytes.storeBytes(of: Int8(step), toByteOffset: CodecHeader.byteCount + i, as: Int8.self)
        }
        return maximumEncodedBytes
    }

    func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        for i in 0..<vector.count { vector[i] = 0 }
        try decode(bytes, adding: 1, to: &vector)
    }

    func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try check(vector)
        try header.check(bytes, length: maximumEncodedBytes)
        bytes.withUnsafeBytes { bytes in
            for i in 0..<count { vector[i] += scale * size * Float(Int8(bitPattern: bytes[CodecHeader.byteCount + i])) }
        }
    }
}

/// A codec with an aggregation of its own: the means of neighbours, which are linear in the vector.
private final class PairsCodec: SummedCodec {
    let count: Int

    init(count: Int) { self.count = count }

    private var pairs: Int { (count + 1) / 2 }
    private static let facts = CodecFacts(
        name: "pairs", number: 201, summary: "means of neighbours", section: "this test",
        forms: [.init(bytes: "4 ceil(d / 2)", isUnbiased: false, alpha: "1")], examples: ["pairs"])

    var name: String { "pairs" }
    var maximumEncodedBytes: Int { CodecHeader.byteCount + 4 * pairs }
    var hasFixedSize: Bool { true }
    var isUnbiased: Bool { false }
    var relativeErrorBound: Double? { 1 }
    var roundCounts: [Int] { [pairs] }
    var feedsBackOwnContribution: Bool { true }

    func contribute(
        _ vector: Span<Float>, to round: Int, share: Float, draw: CodecDraw, floats: inout MutableSpan<Float>
    ) throws(CodecError) {
        try checkRounds(floats)
        for i in 0..<pairs { floats[i] = 2 * i + 1 < count ? (vector[2 * i] + vector[2 * i + 1]) / 2 : vector[2 * i] }
    }

    func recover(
        from floats: inout MutableSpan<Float>, share: Float, draw: CodecDraw, into vector: inout MutableSpan<Float>
    ) throws(CodecError) {
        try check(vector)
        for i in 0..<count { vector[i] = share * floats[i / 2] }
    }

    func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError) -> Int {
        fatalError("only summed here")
    }
    func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        fatalError("only summed here")
    }
    func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        fatalError("only summed here")
    }
}

/// What a codec of another package can do with nothing but what is public: all that the codecs that ship can.
@Suite struct OwnCodecTests {
    static let kinds =
        CodecKind.builtIn + [
            CodecKind(StepsCodec.facts) { settings, count throws(InputError) in
                try StepsCodec(&settings, count: count)
            }
        ]

    @Test func `it is named with its settings beside the others, and stands behind a sparsifier`() throws {
        func name(_ text: String) throws -> String {
            try CodecConfiguration(parsing: text, of: Self.kinds).makeCodec(count: 40).name
        }
        #expect(try name("steps") == "steps:size=0.25")
        #expect(try name("steps:size=2") == "steps:size=2.0")
        #expect(try name("sign") == "sign:bucket=512,norm=l1")
        #expect(try name("top-k:k=3+steps") == "top-k:k=3+steps:size=0.25")
        for (text, expected) in [("step", "steps"), ("steps:width=2", "size"), ("steps:size=-1", "number from")] {
            let error = #expect(throws: InputError.self) { try CodecConfiguration(parsing: text, of: Self.kinds) }
            #expect(error?.expected.contains(expected) == true || error?.found.contains(expected) == true, "\(text)")
        }
        #expect(throws: InputError.self) { try CodecConfiguration(parsing: "steps") }
    }

    @Test func `messages of others are refused with their names`() throws {
        let steps = try CodecConfiguration(parsing: "steps", of: Self.kinds).makeCodec(count: 2)
        let sign = try CodecConfiguration(parsing: "sign").makeCodec(count: 2)
        var (bytes, vector) = ([UInt8](repeating: 0, count: 100), [Float](repeating: 1, count: 2))
        func pass(from encoder: any Codec, to decoder: any Codec) throws {
            var span = bytes.mutableSpan
            var space = span.mutableBytes
            let length = try encoder.encode(vector.span, draw: CodecDraw(seed: 1), into: &space)
            var target = vector.mutableSpan
            try decoder.decode(bytes.span.bytes.extracting(first: length), into: &target)
        }
        try pass(from: steps, to: steps)
        #expect(throws: CodecError.wrongCodec(found: "sign", expected: "steps")) { try pass(from: sign, to: steps) }
        #expect(throws: CodecError.wrongCodec(found: "200", expected: "sign")) { try pass(from: steps, to: sign) }
    }

    @Test(arguments: CompressedCollective.allCases.filter { $0 != .natural }, [1, 2, 3, 4, 7])
    func `it is averaged as equations 3.2 and 3.3 say, and feeds back`(collective: CompressedCollective, workers: Int)
        throws
    {
        var run = CompressedRun(
            collective: collective, codec: "steps:size=0.3", workers: workers, length: 30, kinds: Self.kinds)
        let serial = SerialCompression(run: run)
        let expected = try collective == .ring ? serial.ringAverage(t: 0) : serial.serverAverage(t: 0)
        #expect(try run.outcomes().allSatisfy { $0.vectors[0] == expected })
        run.hasFeedback = true
        #expect(try run.outcomes().contains { $0.residuals[0].contains { $0 != 0 } })
    }

    @Test(arguments: [1, 3, 4]) func `its own aggregation is summed, and what it loses comes back`(workers: Int) throws
    {
        let length = 9
        let configuration = CodecConfiguration("pairs") { PairsCodec(count: $0) }
        let run = CompressedRun(collective: .natural, codec: "pairs", workers: workers, length: length)
        let found = try Fabric(count: workers).run { communicator in
            let average = try CompressedAverage(
                .natural, codec: configuration, hasFeedback: true, elements: length, rank: communicator.rank,
                workers: workers, seed: 1)
            var vector = run.gradient(communicator.rank, 0)
            try vector.withUnsafeMutableBufferPointer { try average.average($0, step: 0, over: communicator) }
            var residual = [Double](repeating: 0, count: length)
            average.addResiduals(to: &residual)
            return (vector, residual)
        }
        let mean = run.mean(0)
        for i in 0..<length {
            let neighbour = i ^ 1 < length ? i ^ 1 : i
            let lost = found.reduce(0) { $0 + $1.1[i] }
            #expect(abs(Double(found[0].0[i]) - (mean[i] + mean[neighbour]) / 2) < 1e-5)
            #expect(abs(mean[i] - lost - Double(found[0].0[i])) < 1e-5)
        }
        #expect(found.allSatisfy { $0.0 == found[0].0 })
    }
}
