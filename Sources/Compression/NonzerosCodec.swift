// Sparse vectors without loss. One thread.

internal import Kernels
public import Platform

/// The elements that are not zero with their places where that takes fewer bytes than all of them, else all: exact.
///
/// Sums of such vectors get denser, and with them the messages (the footnote of section 2.1.2): an average of vectors by this codec
/// is a sparse AllReduce. A negative zero may come out positive. Before a plus sign its message always is the sparse one.
///
/// Encoded form, 8 + 4 b + 6 k bytes for k elements that are not zero and b = ceil(d/65536) blocks where 4 b + 6 k < 4 d: setting 0, and as
/// of `top-k`. Otherwise 8 + 4 d bytes: `CodecHeader` (setting 1), then d float32.
public final class NonzerosCodec: PlaceListSparsifier {
    public static let facts = CodecFacts(
        name: "nonzeros", number: 16, summary: "the elements that are not 0, or all where that is shorter",
        section: "2.1.2, footnote",
        forms: [.init(bytes: "min(4 b + 6 k, 4 d)", hasFixedSize: false, isUnbiased: true, alpha: "0")],
        examples: ["nonzeros"])

    public let count: Int
    let header: CodecHeader
    private let plainHeader: CodecHeader
    private var selector: MagnitudeSelector

    public init(count: Int, instructions: InstructionSet = .best) throws(InputError) {
        self.count = count
        header = CodecHeader(of: Self.facts, count: count)
        plainHeader = CodecHeader(of: Self.facts, setting: 1, count: count)
        selector = try MagnitudeSelector(count: count, largest: count, instructions: instructions)
    }

    public var name: String { "nonzeros" }
    public var maximumEncodedBytes: Int { CodecHeader.byteCount + 4 * count }
    public var hasFixedSize: Bool { false }
    public var memoryBytes: Int { selector.selection.memoryBytes }
    public var aggregation: CodecAggregation { .gathered }
    public var isUnbiased: Bool { true }
    public var relativeErrorBound: Double? { 0 }

    var largestKept: Int { count }
    var keepsFixedNumber: Bool { false }
    var factor: Float { 1 }
    var isDeterministic: Bool { true }
    var values: UnsafeMutablePointer<Float> { unsafe selector.selection.values }

    /// The most elements with which the sparse form is the shorter one; negative where it never is.
    private var largestSparse: Int { (4 * count - SparseSelection.placeBytes(count: count, kept: 0) + 5) / 6 - 1 }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try check(vector, bytes)
        let limit = largestSparse
        let isSparse = unsafe vector.withUnsafeBufferPointer { vector in
            guard let x = vector.baseAddress else { return false }
            return unsafe hasNonzeros(x, count: count, atMost: limit)
        }
        guard isSparse else { return try encodePlain(vector, plainHeader, into: &bytes) }
        return try encodeValues(vector, draw: draw, into: &bytes)
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        guard try isSparse(bytes) else { return try decodePlain(bytes, plainHeader, adding: nil, to: &vector) }
        try decodeValues(bytes, adding: false, scale: 1, into: &vector)
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        guard try isSparse(bytes) else { return try decodePlain(bytes, plainHeader, adding: scale, to: &vector) }
        try decodeValues(bytes, adding: true, scale: scale, into: &vector)
    }

    /// Which of its forms a message has.
    private func isSparse(_ bytes: RawSpan) throws(CodecError) -> Bool {
        if bytes.byteCount >= CodecHeader.byteCount, bytes.littleEndian(at: 2, as: UInt16.self) == 1 { return false }
        guard bytes.byteCount < maximumEncodedBytes else {
            try header.check(bytes)
            throw .wrongLength(found: bytes.byteCount, expected: maximumEncodedBytes - 1)
        }
        return true
    }

    func select(_ x: UnsafePointer<Float>, draw: CodecDraw, places bytes: UnsafeMutableRawPointer) -> Int? {
        guard count > 0 else { return 0 }
        unsafe selector.choose(atLeast: .leastNonzeroMagnitude, of: x)
        unsafe selector.selection.writePlaces(to: bytes)
        return selector.selection.kept
    }
}
