// The k elements of the largest magnitude. One thread.

internal import Kernels
public import Platform

/// Keeps exactly the k elements of the largest magnitude, of equal ones the first, as they are; biased.
///
/// k = ceil(fraction * d), at least 1, or a number; at most d. |Q(y) - y|^2 <= (1 - k/d) |y|^2 for every y.
///
/// Encoded form, 8 + 4 b + 6 k bytes for b = ceil(d/65536) blocks: `CodecHeader` (setting 0), for each block of 65,536 elements how many are kept
/// as a UInt32, the places within their blocks as UInt16, rising in each block, then the kept float32 in the same order.
public final class TopKCodec: PlaceListSparsifier, FusedFeedbackCodec {
    public static let facts = CodecFacts(
        name: "top-k", number: 11, summary: "the k elements of the largest magnitude", section: "3.3",
        settings: [.fraction, .kept],
        forms: [.init(bytes: "4 b + 6 k", isUnbiased: false, alpha: "1 - k / d")], examples: ["top-k:fraction=0.01"])

    public let count: Int
    /// Elements kept.
    public let kept: Int
    public let name: String
    let header: CodecHeader
    private var selector: MagnitudeSelector

    /// Keeps `kept` elements, or all where there are fewer.
    public convenience init(count: Int, kept: Int, instructions: InstructionSet = .best) throws(InputError) {
        precondition(kept >= 1, "\(kept) elements to keep")
        try self.init(count: count, kept: min(kept, count), name: "top-k:k=\(kept)", instructions: instructions)
    }

    /// Keeps ceil(fraction * count) elements; the fraction is above 0 and at most 1.
    public convenience init(count: Int, fraction: Double = 0.01, instructions: InstructionSet = .best)
        throws(InputError)
    {
        let kept = elements(fraction, of: count)
        try self.init(count: count, kept: kept, name: "top-k:fraction=\(fraction)", instructions: instructions)
    }

    /// With `fraction` or `k`.
    convenience init(_ settings: inout NamedSettings, count: Int) throws(InputError) {
        switch try KeptQuantity(&settings) {
        case .number(let kept): try self.init(count: count, kept: kept)
        case .fraction(let fraction): try self.init(count: count, fraction: fraction)
        }
    }

    private init(count: Int, kept: Int, name: String, instructions: InstructionSet) throws(InputError) {
        self.count = count
        self.kept = kept
        self.name = name
        header = CodecHeader(of: Self.facts, count: count)
        selector = try MagnitudeSelector(count: count, largest: kept, instructions: instructions)
    }

    public var maximumEncodedBytes: Int { encodedBytes(kept: kept) }
    public var hasFixedSize: Bool { true }
    public var memoryBytes: Int { selector.selection.memoryBytes }
    public var aggregation: CodecAggregation { .gathered }
    public var isUnbiased: Bool { false }
    public var relativeErrorBound: Double? { count == 0 ? 0 : 1 - Double(kept) / Double(count) }

    var largestKept: Int { kept }
    var keepsFixedNumber: Bool { true }
    var factor: Float { 1 }
    var isDeterministic: Bool { true }
    var values: UnsafeMutablePointer<Float> { unsafe selector.selection.values }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try encodeValues(vector, draw: draw, into: &bytes)
    }

    /// The elements of v and the magnitude from which on they were kept stand for the residual: to clear these at once would be a second
    /// pass.
    public var feedbackCount: Int { selector.feedbackCount }

    public func encode(
        _ vector: Span<Float>, feedback memory: inout MutableSpan<Float>, scale: Float, draw: CodecDraw,
        into bytes: inout MutableRawSpan
    ) throws(CodecError) -> Int {
        try check(vector, bytes)
        try checkFeedback(memory)
        header.write(into: &bytes)
        let isFinite = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe vector.withUnsafeBufferPointer { vector in
                unsafe memory.withUnsafeMutableBufferPointer { memory in
                    guard let x = vector.baseAddress, count > 0 else { return true }
                    unsafe selector.chooseLargest(kept, of: x, feedback: memory.baseAddress, factor: scale)
                    guard unsafe largestMagnitude(values, count: kept) < .infinity else { return false }
                    let places = unsafe bytes.baseAddress! + CodecHeader.byteCount
                    unsafe selector.selection.writePlaces(to: places)
                    unsafe (places + placeBytes(kept: kept)).copyMemory(from: values, byteCount: 4 * kept)
                    return true
                }
            }
        }
        guard isFinite else { throw .notFinite(in: memory.span.extracting(first: count)) }
        return maximumEncodedBytes
    }

    public func settle(_ memory: inout MutableSpan<Float>) {
        precondition(memory.count == feedbackCount, "\(memory.count) floats for the feedback of \(count)")
        unsafe memory.withUnsafeMutableBufferPointer { memory in
            unsafe selector.settle(memory.baseAddress!)
        }
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try decodeValues(bytes, adding: false, scale: 1, into: &vector)
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try decodeValues(bytes, adding: true, scale: scale, into: &vector)
    }

    func select(_ x: UnsafePointer<Float>, draw: CodecDraw, places bytes: UnsafeMutableRawPointer) -> Int? {
        guard kept > 0 else { return 0 }
        unsafe selector.chooseLargest(kept, of: x, feedback: nil, factor: 0)
        unsafe selector.selection.writePlaces(to: bytes)
        return kept
    }

    func readPlaces(_ bytes: UnsafeRawBufferPointer, offset: Int) throws(CodecError) -> Int? {
        let found = try unsafe readSparsePlaces(bytes, offset: offset, count: count)
        guard found == kept else {
            throw .corrupt(byte: offset, found: "\(found) places", expected: "\(kept)")
        }
        return found
    }
}

/// ceil(fraction * count), at least 1 where there is an element.
func elements(_ fraction: Double, of count: Int) -> Int {
    precondition(fraction > 0 && fraction <= 1, "a fraction of \(fraction)")
    // 0.07 of 100 is 7, though the nearest double to 0.07 times 100 is a little more.
    let product = fraction * Double(count)
    return min(count, max(1, Int((product - product.ulp).rounded(.up))))
}

/// The number of places that stand at the start of `bytes` as `SparseSelection` writes them; throws where no encoder wrote them.
func readSparsePlaces(_ bytes: UnsafeRawBufferPointer, offset: Int, count: Int) throws(CodecError) -> Int {
    guard count > 0 else { return 0 }
    let head = SparseSelection.placeBytes(count: count, kept: 0)
    guard bytes.count >= head else { throw .wrongLength(found: offset + bytes.count, expected: offset + head) }
    guard let kept = unsafe SparseSelection.kept(inPlaces: bytes.baseAddress!, byteCount: bytes.count, count: count)
    else {
        throw .corrupt(
            byte: offset, found: "more elements than a block has", expected: "the elements kept of each block")
    }
    let length = SparseSelection.placeBytes(count: count, kept: kept)
    guard bytes.count >= length else { throw .wrongLength(found: offset + bytes.count, expected: offset + length) }
    if let bad = unsafe SparseSelection.firstBadPlace(in: bytes.baseAddress!, count: count) {
        throw .corrupt(byte: offset + bad, found: "places out of order or beyond the vector", expected: "rising places")
    }
    return kept
}
