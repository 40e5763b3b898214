// Each element kept or not by a draw of its own. One thread.

internal import Kernels
public import Platform

/// Keeps each element z with a probability p of its own, independently, and sends z/p: unbiased (Wangni et al., 2018).
///
/// With one probability for all, E|Q(y) - y|^2 = (1 - p)/p |y|^2, the places follow from the draw, and only the elements drawn are read: whatever
/// is not finite elsewhere goes unseen. With `optimal` probabilities p = min(1, |z|/s), where s makes density * d of them in the mean (see
/// `OptimalSampler`): the least variance of all, at most (1/density - 1) |y|^2; places must travel.
///
/// Encoded form with one probability, 36 + 4 k bytes for k elements kept: `CodecHeader` (setting 0), the draw's seed (UInt64), rank (UInt32) and
/// step (UInt64), p as a float64, then the kept float32, not divided by p. With `optimal`, 8 + 4 b + 6 k bytes: setting 1, and as of
/// `top-k`; what stands for z/p is z itself where p = 1, otherwise s with the sign of z.
public final class SparsifyCodec: Sparsifier {
    public static let facts = CodecFacts(
        name: "sparsify", number: 10, summary: "z / p with probability p, else 0", section: "3.2, Wangni et al. 2018",
        settings: [
            SettingFacts(
                "probability", default: "0.01", "p of all, 1e-9 to 1, or `optimal`: of least variance"),
            SettingFacts("density", default: nil, "with `optimal`: share kept in the mean, 0.01 by default"),
        ],
        forms: [
            .init(
                "probability=0.01", bytes: "28 + 4 k", hasFixedSize: false, isUnbiased: true,
                alpha: "1 / probability - 1"),
            .init(
                "probability=optimal,density=0.01", bytes: "4 b + 6 k", hasFixedSize: false, isUnbiased: true,
                alpha: "1 / density - 1"),
        ], examples: ["sparsify:probability=0.01", "sparsify:probability=optimal,density=0.01"])

    /// With what probability an element is kept.
    public enum Probability: Sendable, Hashable {
        /// The same for all, 1e-9 ... 1.
        case uniform(Double)
        /// What gives the least variance, for a share of elements kept in the mean, above 0 and at most 1.
        case optimal(density: Double)
    }

    public let count: Int
    public let probability: Probability
    let header: CodecHeader
    /// Uniform: the kept values; there are as many as elements in the worst case, and memory is taken as it is used.
    private let space: PageBuffer<Float>
    private var sampler: OptimalSampler

    public init(
        count: Int, probability: Probability = .uniform(0.01), instructions: InstructionSet = .best
    ) throws(InputError) {
        self.count = count
        self.probability = probability
        switch probability {
        case .uniform(let p):
            precondition(p >= Self.leastProbability && p <= 1, "a probability of \(p)")
            header = CodecHeader(of: Self.facts, count: count)
            space = try PageBuffer(count: count, hugePages: true)
            sampler = try OptimalSampler(count: 0)
        case .optimal(let density):
            precondition(density > 0 && density <= 1, "a density of \(density)")
            header = CodecHeader(of: Self.facts, setting: 1, count: count)
            space = try PageBuffer(count: 0)
            sampler = try OptimalSampler(count: count, instructions: instructions)
        }
    }

    public var memoryBytes: Int { space.byteCount + sampler.memoryBytes }

    /// With `probability`, or `probability=optimal` and `density`.
    convenience init(_ settings: inout NamedSettings, count: Int) throws(InputError) {
        guard !settings.word("probability", "optimal") else {
            let density = try settings.positiveNumber("density", upTo: 1) ?? 0.01
            try self.init(count: count, probability: .optimal(density: density))
            return
        }
        let probability = try settings.positiveNumber("probability", upTo: 1) ?? 0.01
        guard probability >= Self.leastProbability else {
            throw InputError(
                at: settings.place, found: "probability=\(probability)", expected: "at least \(Self.leastProbability)")
        }
        try self.init(count: count, probability: .uniform(probability))
    }

    static let leastProbability = 1e-9

    public var name: String {
        switch probability {
        case .uniform(let p): "sparsify:probability=\(p)"
        case .optimal(let density): "sparsify:probability=optimal,density=\(density)"
        }
    }
    public var maximumEncodedBytes: Int { encodedBytes(kept: count) }
    public var hasFixedSize: Bool { false }
    public var aggregation: CodecAggregation { .gathered }
    public var isUnbiased: Bool { true }
    public var checksEveryElement: Bool { uniform == nil }
    public var relativeErrorBound: Double? {
        switch probability {
        case .uniform(let p): (1 - p) / p
        case .optimal(let density): 1 / density - 1
        }
    }

    private var uniform: Double? {
        guard case .uniform(let p) = probability else { return nil }
        return p
    }

    var largestKept: Int { count }
    var keepsFixedNumber: Bool { false }
    var factor: Float { uniform.map { Float(1 / $0) } ?? 1 }
    var isDeterministic: Bool { false }
    var values: UnsafeMutablePointer<Float> { unsafe uniform == nil ? sampler.selection.values : space.pointer }

    /// Optimal: the variance itself, the sum of |y| (s - |y|) over the elements with |y| < s.
    public func errorBound(for vector: Span<Float>) -> Double? {
        var sum = 0.0
        switch probability {
        case .uniform(let p):
            for i in vector.indices { sum += (1 - p) / p * Double(vector[i]) * Double(vector[i]) }
        case .optimal(let density):
            let scale = Double(
                unsafe vector.withUnsafeBufferPointer { vector in
                    unsafe vector.baseAddress.map { unsafe sampler.scale(of: $0, expected: density * Double(count)) }
                        ?? 0
                })
            for i in vector.indices {
                let magnitude = Double(vector[i].magnitude)
                sum += magnitude * max(0, scale - magnitude)
            }
        }
        return sum
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

    func placeBytes(kept: Int) -> Int {
        uniform == nil ? SparseSelection.placeBytes(count: count, kept: kept) : CodecDraw.byteCount + 8
    }

    func select(_ x: UnsafePointer<Float>, draw: CodecDraw, places bytes: UnsafeMutableRawPointer) -> Int? {
        switch probability {
        case .uniform(let p):
            unsafe draw.write(to: bytes)
            unsafe bytes.storeBytes(of: p.bitPattern.littleEndian, toByteOffset: CodecDraw.byteCount, as: UInt64.self)
            return unsafe BernoulliPlaces(count: count, probability: p, bits: draw.bits).gather(x, into: values)
        case .optimal(let density):
            guard count > 0 else { return 0 }
            let scale = unsafe sampler.scale(of: x, expected: density * Double(count))
            guard !scale.isNaN else { return nil }
            unsafe sampler.sample(x, scale: scale, bits: draw.bits)
            unsafe sampler.selection.writePlaces(to: bytes)
            return sampler.selection.kept
        }
    }

    func readPlaces(_ bytes: UnsafeRawBufferPointer, offset: Int) throws(CodecError) -> Int? {
        guard let uniform else { return try unsafe readSparsePlaces(bytes, offset: offset, count: count) }
        let length = placeBytes(kept: 0)
        guard bytes.count >= length else { throw .wrongLength(found: offset + bytes.count, expected: offset + length) }
        let found = unsafe Double(
            bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: CodecDraw.byteCount, as: UInt64.self)))
        guard found == uniform else {
            throw .wrongCodec(found: "sparsify with probability \(found)", expected: "\(uniform)")
        }
        return nil
    }

    func scatter(
        places bytes: UnsafeRawPointer, values: UnsafeRawPointer, kept: Int, adding: Bool, scale: Float,
        into y: UnsafeMutablePointer<Float>
    ) -> Bool {
        guard let uniform else {
            return unsafe SparseSelection.scatter(
                places: bytes, values: values, count: count, adding: adding, scale: scale, into: y)
        }
        let places = unsafe BernoulliPlaces(count: count, probability: uniform, bits: CodecDraw(reading: bytes).bits)
        return unsafe adding
            ? places.scatter(values, kept: kept, factor: factor, adding: scale, to: y)
            : places.scatter(values, kept: kept, factor: factor, into: y)
    }
}
