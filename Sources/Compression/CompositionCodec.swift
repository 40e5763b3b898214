// A sparsifier whose kept values another codec encodes. One thread.

internal import Kernels
internal import Platform

/// First one codec chooses elements, then another encodes them, such as `top-k:fraction=0.01+quantize:bits=8`.
///
/// With S the first codec, |S(y) - y|^2 <= a |y|^2, and b the bound of the second: if S keeps elements as they are, what it drops and what the
/// second does to the rest have disjoint places, and the squared error is at most max(b, a + b (1 - a)) |y|^2 (`random-k` without scale:
/// a + b (1 - a) in the mean). If S is unbiased, E|S(y)|^2 <= (1 + a) |y|^2, and the error is at most (1 + a)(1 + b) - 1 where the second is
/// unbiased too, which makes the composition unbiased; otherwise at most (sqrt(a) + sqrt((1 + a) b))^2.
///
/// Encoded form: `CodecHeader` (setting: the first codec's number, and 256 times the second's), the first codec's header and places, then the
/// second's message, whose header says how many elements there are. The second draws with another seed.
public final class CompositionCodec: Codec {
    /// It has no name of its own, and its promises follow from those of the two.
    static let facts = CodecFacts(
        name: "composition", number: 15, summary: "FIRST+SECOND, a sparsifier and a codec for what it keeps",
        section: "3.1.1",
        forms: [], examples: ["top-k:fraction=0.01+quantize:bits=8"])

    public let count: Int
    private let first: any Sparsifier
    private let second: any Codec
    private let header: CodecHeader
    private static let headerBytes = 2 * CodecHeader.byteCount

    /// The second codec is made for as many elements as the first keeps at the most, and is a `ResizableCodec` if their number varies.
    init(first: any Sparsifier, second: any Codec, numbers: (UInt8, UInt8)) {
        precondition(second.count == first.largestKept, "\(second.count) elements for \(first.largestKept)")
        precondition(first.keepsFixedNumber || second is any ResizableCodec, "\(second.name) cannot vary its length")
        count = first.count
        self.first = first
        self.second = second
        header = CodecHeader(
            of: Self.facts, setting: UInt16(numbers.0) | UInt16(numbers.1) << 8, count: count)
        largestSecond = second.maximumEncodedBytes
        secondBound = second.relativeErrorBound
    }

    // Of the second codec for as many elements as there can be.
    private let largestSecond: Int
    private let secondBound: Double?

    public var name: String { "\(first.name)+\(second.name)" }
    public var maximumEncodedBytes: Int { Self.headerBytes + first.placeBytes(kept: first.largestKept) + largestSecond }
    public var hasFixedSize: Bool { first.keepsFixedNumber && second.hasFixedSize }
    public var aggregation: CodecAggregation { .gathered }
    public var isUnbiased: Bool { first.isUnbiased && second.isUnbiased }
    public var checksEveryElement: Bool { first.checksEveryElement }
    public var hasMemory: Bool { second.hasMemory }
    public var memoryBytes: Int { first.memoryBytes + second.memoryBytes }

    public var relativeErrorBound: Double? {
        guard let a = first.relativeErrorBound, let b = secondBound else { return nil }
        if first.isUnbiased {
            let root = a.squareRoot() + ((1 + a) * b).squareRoot()
            return second.isUnbiased ? (1 + a) * (1 + b) - 1 : root * root
        }
        return first.isDeterministic ? max(b, a + b * (1 - a)) : a + b * (1 - a)
    }

    /// Where the choice follows from the vector: what is dropped, and the second codec's bound for what is kept.
    public func errorBound(for vector: Span<Float>) -> Double? {
        let places = UnsafeMutableRawPointer.allocate(
            byteCount: max(1, first.placeBytes(kept: first.largestKept)), alignment: 8)
        defer { unsafe places.deallocate() }
        var squares = 0.0
        for i in vector.indices { squares += Double(vector[i]) * Double(vector[i]) }
        guard first.isDeterministic,
            let kept = try? unsafe first.selectFinite(vector, draw: CodecDraw(seed: 0), places: places)
        else { return relativeErrorBound.map { $0 * squares } }
        resizeSecond(to: kept)
        let values = unsafe Span(_unsafeStart: UnsafePointer(first.values), count: kept)
        guard let bound = second.errorBound(for: values) else { return nil }
        return max(0, squares - (unsafe sumOfSquares(first.values, count: kept))) + bound
    }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try check(vector, bytes)
        header.write(into: &bytes)
        var second = draw
        second.seed = ~draw.seed &* 0x9E37_79B9_7F4A_7C15
        return try unsafe bytes.withUnsafeMutableBytes { (bytes) throws(CodecError) -> Int in
            let start = bytes.baseAddress!
            var headers = unsafe MutableRawSpan(
                _unsafeStart: start + CodecHeader.byteCount, byteCount: CodecHeader.byteCount)
            first.header.write(into: &headers)
            let kept = try unsafe first.selectFinite(vector, draw: draw, places: start + Self.headerBytes)
            resizeSecond(to: kept)
            let used = Self.headerBytes + first.placeBytes(kept: kept)
            var rest = unsafe MutableRawSpan(_unsafeStart: start + used, byteCount: bytes.count - used)
            let values = unsafe Span(_unsafeStart: UnsafePointer(first.values), count: kept)
            let length = try self.second.encode(values, draw: second, into: &rest)
            if first.factor != 1 { try checkScaled(rest.bytes.extracting(first: length), kept: kept) }
            return used + length
        }
    }

    /// Throws where the second codec gives back numbers so large that the first one's factor makes them infinite.
    private func checkScaled(_ message: RawSpan, kept: Int) throws(CodecError) {
        // No codec enlarges a float further than to the sum of all.
        let sum = unsafe largestMagnitude(first.values, count: kept) * Float(kept) * first.factor
        guard sum > .greatestFiniteMagnitude / 4 else { return }
        var values = unsafe MutableSpan(_unsafeStart: first.values, count: kept)
        try second.decode(message, into: &values)
        let limit = Float.greatestFiniteMagnitude / first.factor.nextUp
        guard unsafe largestMagnitude(first.values, count: kept) <= limit else { throw .tooLarge }
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try decode(bytes, adding: false, scale: 1, into: &vector)
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try decode(bytes, adding: true, scale: scale, into: &vector)
    }

    private func decode(_ bytes: RawSpan, adding: Bool, scale: Float, into vector: inout MutableSpan<Float>)
        throws(CodecError)
    {
        try check(vector)
        try header.check(bytes)
        try first.header.check(bytes.extracting(CodecHeader.byteCount..<bytes.byteCount))
        let named = try unsafe bytes.withUnsafeBytes { (bytes) throws(CodecError) -> Int? in
            let places = unsafe UnsafeRawBufferPointer(rebasing: bytes[Self.headerBytes...])
            return try unsafe first.readPlaces(places, offset: Self.headerBytes)
        }
        // Places whose number only the values tell are all of one length.
        let used = Self.headerBytes + first.placeBytes(kept: named ?? 0)
        let rest = bytes.extracting(used..<bytes.byteCount)
        var kept = 0
        if let named { kept = named } else { kept = try CodecHeader.count(of: rest) }
        guard kept <= first.largestKept else { throw .wrongCount(found: kept, expected: first.largestKept) }
        resizeSecond(to: kept)
        var values = unsafe MutableSpan(_unsafeStart: first.values, count: kept)
        try second.decode(rest, into: &values)
        let places = unsafe bytes.withUnsafeBytes { unsafe $0.baseAddress! + Self.headerBytes }
        try unsafe first.put(
            places: places, values: first.values, kept: kept, adding: adding, scale: scale, into: &vector)
    }

    private func resizeSecond(to kept: Int) {
        guard kept != second.count else { return }
        (second as! any ResizableCodec).resize(to: kept)
    }
}
