// k elements at places that follow from the draw. One thread.

internal import Kernels
public import Platform

/// Keeps exactly k elements, each with probability k/d, and multiplies them by d/k: unbiased. Only the values and the draw travel.
///
/// E|Q(y) - y|^2 = (d/k - 1) |y|^2. With the scale `none` the kept elements stay as they are: biased, and E|Q(y) - y|^2 = (1 - k/d) |y|^2.
/// The places are stratified (see `StratifiedPlaces`), k = ceil(fraction * d), at least 1, or a number; at most d. Only the elements drawn are
/// read: whatever is not finite elsewhere goes unseen.
///
/// Encoded form, 28 + 4 k bytes: `CodecHeader` (setting 0, or 1 for the scale `none`), the draw's seed (UInt64), rank (UInt32) and step (UInt64),
/// then the kept float32, not scaled, in the order of the draw.
///
/// **Aggregation.** Decoding is linear in the values: workers that draw alike add up what they keep, 4 k bytes each; places do not travel.
public final class RandomKCodec: Sparsifier, SummedCodec {
    public static let facts = CodecFacts(
        name: "random-k", number: 9, summary: "k elements at drawn places; places do not travel", section: "3.2",
        settings: [
            .fraction, .kept, SettingFacts("scale", default: "unbiased", "`unbiased`: times d / k; or `none`"),
        ],
        forms: [
            .init("scale=unbiased", bytes: "20 + 4 k", isUnbiased: true, alpha: "d / k - 1"),
            .init("scale=none", bytes: "20 + 4 k", isUnbiased: false, alpha: "1 - k / d"),
        ], examples: ["random-k:fraction=0.01"])

    /// What kept elements are multiplied by: d/k, or 1.
    public enum Scale: String, CaseIterable, Sendable { case unbiased, none }

    public let count: Int
    /// Elements kept.
    public let kept: Int
    public let scale: Scale
    private let quantity: String
    let header: CodecHeader
    private let space: PageBuffer<Float>

    /// Keeps `kept` elements, or all where there are fewer.
    public convenience init(count: Int, kept: Int, scale: Scale = .unbiased) throws(InputError) {
        precondition(kept >= 1, "\(kept) elements to keep")
        try self.init(count: count, kept: min(kept, count), quantity: "k=\(kept)", scale: scale)
    }

    /// Keeps ceil(fraction * count) elements; the fraction is above 0 and at most 1.
    public convenience init(count: Int, fraction: Double = 0.01, scale: Scale = .unbiased) throws(InputError) {
        let kept = elements(fraction, of: count)
        try self.init(count: count, kept: kept, quantity: "fraction=\(fraction)", scale: scale)
    }

    /// With `fraction` or `k`, and `scale` (`unbiased` or `none`).
    convenience init(_ settings: inout NamedSettings, count: Int) throws(InputError) {
        let scale: Scale = try settings.choice("scale")
        switch try KeptQuantity(&settings) {
        case .number(let kept): try self.init(count: count, kept: kept, scale: scale)
        case .fraction(let fraction): try self.init(count: count, fraction: fraction, scale: scale)
        }
    }

    private init(count: Int, kept: Int, quantity: String, scale: Scale) throws(InputError) {
        self.count = count
        self.kept = kept
        self.quantity = quantity
        self.scale = scale
        header = CodecHeader(of: Self.facts, setting: scale == .none ? 1 : 0, count: count)
        space = try PageBuffer(count: kept, hugePages: true)
    }

    public var memoryBytes: Int { space.byteCount }
    public var name: String { "random-k:\(quantity),scale=\(scale)" }
    public var maximumEncodedBytes: Int { encodedBytes(kept: kept) }
    public var hasFixedSize: Bool { true }
    public var isUnbiased: Bool { scale == .unbiased }
    public var checksEveryElement: Bool { false }
    public var relativeErrorBound: Double? {
        guard count > 0 else { return 0 }
        let ratio = Double(count) / Double(kept)
        return scale == .unbiased ? ratio - 1 : 1 - 1 / ratio
    }

    var largestKept: Int { kept }
    var keepsFixedNumber: Bool { true }
    var factor: Float { scale == .none || count == 0 ? 1 : Float(Double(count) / Double(kept)) }
    var isDeterministic: Bool { false }
    var values: UnsafeMutablePointer<Float> { unsafe space.pointer }

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

    // MARK: Aggregation

    public var roundCounts: [Int] { [kept] }
    public var feedsBackOwnContribution: Bool { true }

    public func contribute(
        _ vector: Span<Float>, to round: Int, share: Float, draw: CodecDraw, floats: inout MutableSpan<Float>
    ) throws(CodecError) {
        guard vector.count == count else { throw .wrongCount(found: vector.count, expected: count) }
        try checkRounds(floats)
        var places = InlineArray<20, UInt8>(repeating: 0)
        _ = try unsafe withUnsafeMutableBytes(of: &places) { (bytes) throws(CodecError) in
            try unsafe selectFinite(vector, draw: draw, places: bytes.baseAddress!)
        }
        unsafe floats.withUnsafeMutableBufferPointer { unsafe $0.baseAddress?.update(from: values, count: kept) }
    }

    public func recover(
        from floats: inout MutableSpan<Float>, share: Float, draw: CodecDraw, into vector: inout MutableSpan<Float>
    ) throws(CodecError) {
        try check(vector)
        try checkRounds(floats)
        let isFinite = unsafe floats.withUnsafeMutableBufferPointer { floats in
            unsafe vector.withUnsafeMutableBufferPointer { vector in
                guard let y = vector.baseAddress, let floats = floats.baseAddress else { return true }
                unsafe y.update(repeating: 0, count: count)
                return unsafe places(draw).scatter(floats, factor: factor, adding: share, to: y)
            }
        }
        guard isFinite else { throw .tooLarge }
    }

    // MARK: Places and values

    func placeBytes(kept: Int) -> Int { CodecDraw.byteCount }

    private func places(_ draw: CodecDraw) -> StratifiedPlaces {
        StratifiedPlaces(count: count, kept: kept, bits: draw.bits)
    }

    func select(_ x: UnsafePointer<Float>, draw: CodecDraw, places bytes: UnsafeMutableRawPointer) -> Int? {
        unsafe draw.write(to: bytes)
        unsafe places(draw).gather(x, into: values)
        return kept
    }

    func readPlaces(_ bytes: UnsafeRawBufferPointer, offset: Int) throws(CodecError) -> Int? {
        guard bytes.count >= CodecDraw.byteCount else {
            throw .wrongLength(found: offset + bytes.count, expected: offset + CodecDraw.byteCount)
        }
        return kept
    }

    func scatter(
        places bytes: UnsafeRawPointer, values: UnsafeRawPointer, kept: Int, adding: Bool, scale: Float,
        into y: UnsafeMutablePointer<Float>
    ) -> Bool {
        let places = unsafe places(CodecDraw(reading: bytes))
        return unsafe adding
            ? places.scatter(values, factor: factor, adding: scale, to: y)
            : places.scatter(values, factor: factor, into: y)
    }
}
