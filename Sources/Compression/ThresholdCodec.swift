// The elements of at least a given magnitude. One thread.

internal import Kernels
public import Platform

/// Keeps the elements of at least a given magnitude, as they are; biased, with messages of varying length.
///
/// The threshold is a number, or a multiple of the root of the mean square. Zeros are never kept. With a multiple c of the root mean square
/// |Q(y) - y|^2 <= c^2 |y|^2, and always <= |y|^2.
///
/// Encoded form, 8 + 4 b + 6 k bytes for k elements kept and b = ceil(d/65536) blocks: as of `top-k`.
public final class ThresholdCodec: PlaceListSparsifier {
    public static let facts = CodecFacts(
        name: "threshold", number: 12, summary: "the elements of at least a given magnitude", section: "3.3",
        settings: [
            SettingFacts("rms", default: "2", "the threshold, times the root mean square"),
            SettingFacts("value", default: nil, "the threshold itself, in place of `rms`"),
        ],
        forms: [
            .init("rms=2", bytes: "4 b + 6 k", hasFixedSize: false, isUnbiased: false, alpha: "min(1, rms^2)"),
            .init("value=1", bytes: "4 b + 6 k", hasFixedSize: false, isUnbiased: false, alpha: "1"),
        ], examples: ["threshold:rms=3"])

    /// What an element must reach.
    public enum Threshold: Sendable, Hashable {
        case magnitude(Float)
        case rootMeanSquares(Double)
    }

    public let count: Int
    public let threshold: Threshold
    let header: CodecHeader
    private var selector: MagnitudeSelector

    /// The threshold is greater than 0.
    public init(count: Int, threshold: Threshold = .rootMeanSquares(2), instructions: InstructionSet = .best)
        throws(InputError)
    {
        self.count = count
        self.threshold = threshold
        header = CodecHeader(of: Self.facts, count: count)
        selector = try MagnitudeSelector(count: count, largest: count, instructions: instructions)
    }

    /// With `value` or `rms`.
    convenience init(_ settings: inout NamedSettings, count: Int) throws(InputError) {
        let value = try settings.positiveFloat("value")
        let multiple = try value == nil ? settings.positiveNumber("rms") ?? 2 : 0
        try self.init(count: count, threshold: value.map { .magnitude($0) } ?? .rootMeanSquares(multiple))
    }

    public var name: String {
        switch threshold {
        case .magnitude(let value): "threshold:value=\(value)"
        case .rootMeanSquares(let multiple): "threshold:rms=\(multiple)"
        }
    }
    public var maximumEncodedBytes: Int { encodedBytes(kept: count) }
    public var hasFixedSize: Bool { false }
    public var memoryBytes: Int { selector.selection.memoryBytes }
    public var aggregation: CodecAggregation { .gathered }
    public var isUnbiased: Bool { false }
    public var relativeErrorBound: Double? {
        guard case .rootMeanSquares(let multiple) = threshold else { return 1 }
        return min(1, multiple * multiple)
    }

    var largestKept: Int { count }
    var keepsFixedNumber: Bool { false }
    var factor: Float { 1 }
    var isDeterministic: Bool { true }
    var values: UnsafeMutablePointer<Float> { unsafe selector.selection.values }

    /// The sum of the squares of what is below the threshold.
    public func errorBound(for vector: Span<Float>) -> Double? {
        let limit = unsafe vector.withUnsafeBufferPointer { vector in
            guard let x = vector.baseAddress else { return Float(0) }
            return unsafe self.limit(for: x)
        }
        var squares = 0.0
        for i in vector.indices where vector[i].magnitude < limit { squares += Double(vector[i]) * Double(vector[i]) }
        return squares
    }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try encodeValues(vector, draw: draw, into: &bytes)
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try decodeValues(bytes, adding: false, scale: 1, into: &vector)
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try decodeValues(bytes, adding: true, scale: scale, into: &vector)
    }

    /// What the elements of x must reach; infinite where x is not finite, and what is not is then chosen.
    private func limit(for x: UnsafePointer<Float>) -> Float {
        switch threshold {
        case .magnitude(let value): return max(value, .leastNonzeroMagnitude)
        case .rootMeanSquares(let multiple):
            let limit = Float(multiple * (unsafe sumOfSquares(x, count: count) / Double(count)).squareRoot())
            return limit.isNaN ? .infinity : max(limit, .leastNonzeroMagnitude)
        }
    }

    func select(_ x: UnsafePointer<Float>, draw: CodecDraw, places bytes: UnsafeMutableRawPointer) -> Int? {
        guard count > 0 else { return 0 }
        unsafe selector.choose(atLeast: limit(for: x), of: x)
        unsafe selector.selection.writePlaces(to: bytes)
        return selector.selection.kept
    }
}
