// QSGD: levels of a bucket's l2 norm, drawn without bias (Alistarh, Grubic, Li, Tomioka, Vojnovic 2017). One thread per instance.

internal import Kernels
public import Platform

/// Every float x of a bucket becomes l * norm / s, with |l| one of the two whole numbers next to |x| s / norm, 0 ... s, the sign
/// of x, and the mean x; norm is the l2 norm of the bucket.
///
/// The step, norm / s, is what travels; it is rounded up to so few bits that every level times the step is a float. The error is
/// at most min(n / s^2, sqrt(n) / s) |y|^2 for buckets of n floats (Lemma 3.1 of the paper). A draw decides on 16 random bits per
/// float (15 with more than 16,383 levels): the mean is right to 2^-17 of a step and to the rounding of float32, 2^-23 of the
/// norm. A norm that no float holds is taken to be the largest float; levels may then be longer than a norm allows, so that the Elias
/// layout refuses such a vector as `tooLarge`.
///
/// Encoded form: `CodecHeader` (setting: s, plus 2^15 for the Elias layout), the bucket's length as UInt32 (0: the whole vector),
/// then
/// - `dense`: the buckets one after the other, each 4 + ceil(b n / 8) bytes for its n floats: the step in float32, then l + s in
///   b = ceil(log2(2 s + 1)) bits as `Quantizer` describes;
/// - `elias`: the steps of all buckets in float32, then one string of bits, the highest of a byte first: for every level that is
///   not zero the distance to its predecessor (the first one's place, counted from 1) in Elias's recursive code, a bit that is 1
///   where it is negative, and |l| in the same code; at the end of a bucket the distance from its last level to one place beyond
///   it. The last byte is filled with zeros. Short where most levels are zero: of n no more than s (s + sqrt(n)) are not, on
///   average.
public final class QSGDCodec: FusedFeedbackCodec, ResizableCodec {
    public static let facts = CodecFacts(
        name: "qsgd", number: 5, summary: "levels of a bucket's l2 norm, drawn", section: "Alistarh et al. 2017",
        settings: [
            SettingFacts("levels", default: "127", "levels above zero, 1 to 32,767"), .bucket,
            SettingFacts("layout", default: "dense", "`dense`, or `elias`: short where most levels are 0"),
        ],
        forms: [
            .init(
                "layout=dense", bytes: "4", perBucket: "4 + ceil(ceil(log2(2 levels + 1)) n / 8)", isUnbiased: true,
                alpha: "min(n / levels^2, sqrt(n) / levels)"),
            .init(
                "layout=elias", bytes: "4", perBucket: "4 + its levels in Elias's code", hasFixedSize: false,
                isUnbiased: true, alpha: "min(n / levels^2, sqrt(n) / levels)"),
        ], examples: ["qsgd:levels=127", "qsgd:levels=4,layout=elias"])

    /// How levels are written.
    public enum Layout: String, Sendable, CaseIterable { case dense, elias }

    public private(set) var count: Int
    /// s, the levels above zero.
    public let levels: Int
    /// Floats in a bucket; 0 for the whole vector.
    public let bucket: Int
    public let layout: Layout
    private var message: LevelMessage
    /// In the Elias layout what the dense one would be, and some levels of a bucket.
    private let dense: PageBuffer<UInt8>
    private let some: PageBuffer<Float>
    private let tables = EliasTables()

    /// `levels` are 1 ... 32,767; `bucket` floats share a norm, 1 ... 2^32 - 1, or 0 for the whole vector; multiples of 512 are fastest.
    public init(
        count: Int, levels: Int = 127, bucket: Int = 512, layout: Layout = .dense, instructions: InstructionSet = .best
    ) throws(InputError) {
        precondition((1...Int(Int16.max)).contains(levels), "\(levels) levels")
        self.count = count
        self.levels = levels
        self.bucket = bucket
        self.layout = layout
        message = LevelMessage(
            of: Self.facts, setting: UInt16(levels) | (layout == .elias ? 1 << 15 : 0), count: count, bucket: bucket,
            scaling: .norm(levels: levels), instructions: instructions)
        dense = try PageBuffer(count: layout == .elias ? message.quantizer.encodedBytes : 0, hugePages: true)
        some = try PageBuffer(count: layout == .elias ? Self.mostLevels : 0)
    }

    public var memoryBytes: Int { dense.byteCount + some.byteCount }

    public func resize(to count: Int) {
        message.resize(to: count)
        precondition(layout == .dense || message.quantizer.encodedBytes <= dense.count, "\(count) elements")
        self.count = count
    }

    /// Takes `levels`, `bucket` and `layout`.
    convenience init(_ settings: inout NamedSettings, count: Int) throws(InputError) {
        try self.init(
            count: count, levels: try settings.integer("levels", default: 127, in: 1...Int(Int16.max)),
            bucket: try settings.integer(
                "bucket", default: 512, in: 1...Int(UInt32.max), orWord: "whole", meaning: 0),
            layout: try settings.choice("layout"))
    }

    public var name: String {
        "qsgd:levels=\(levels),bucket=\(bucket == 0 ? "whole" : "\(bucket)"),layout=\(layout.rawValue)"
    }
    public var hasFixedSize: Bool { layout == .dense }
    public var isUnbiased: Bool { true }
    public var relativeErrorBound: Double? { bound(min(message.quantizer.bucket, count)) }

    /// The exact size with the dense layout. With the Elias layout a vector of no zeros whose levels are as long as its norm
    /// allows, to a few bits.
    public var maximumEncodedBytes: Int {
        layout == .dense ? message.byteCount : bitsOffset + (maximumBits + 7) / 8
    }

    public func errorBound(for vector: Span<Float>) -> Double? {
        var sum = 0.0
        for start in stride(from: 0, to: vector.count, by: message.quantizer.bucket) {
            let range = start..<min(vector.count, start + message.quantizer.bucket)
            var squares = 0.0
            for i in range { squares += Double(vector[i]) * Double(vector[i]) }
            sum += bound(range.count) * squares
        }
        return sum
    }

    private func bound(_ count: Int) -> Double {
        let (n, s) = (Double(count), Double(levels))
        return min(n / (s * s), n.squareRoot() / s)
    }

    public func encode(_ vector: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError)
        -> Int
    {
        try check(vector, bytes)
        let target = layout == .dense ? nil : unsafe UnsafeMutableRawPointer(dense.pointer)
        try unsafe message.encode(vector, draw: draw, into: &bytes, levels: target)
        return layout == .dense ? maximumEncodedBytes : try writeElias(into: &bytes)
    }

    public func encode(
        _ vector: Span<Float>, feedback residual: inout MutableSpan<Float>, scale: Float, draw: CodecDraw,
        into bytes: inout MutableRawSpan
    ) throws(CodecError) -> Int {
        try check(vector, bytes)
        try checkFeedback(residual)
        let target = layout == .dense ? nil : unsafe UnsafeMutableRawPointer(dense.pointer)
        try unsafe message.encode(
            vector, feedback: &residual, scale: scale, draw: draw, into: &bytes, levels: target)
        return layout == .dense ? maximumEncodedBytes : try writeElias(into: &bytes)
    }

    public func decode(_ bytes: RawSpan, into vector: inout MutableSpan<Float>) throws(CodecError) {
        try check(vector)
        guard layout == .dense else { return try readElias(bytes, adding: nil, into: &vector) }
        try message.decode(bytes, adding: false, scale: 1, into: &vector)
    }

    public func decode(_ bytes: RawSpan, adding scale: Float, to vector: inout MutableSpan<Float>) throws(CodecError) {
        try check(vector)
        guard layout == .dense else { return try readElias(bytes, adding: scale, into: &vector) }
        try message.decode(bytes, adding: true, scale: scale, into: &vector)
    }

    // MARK: The Elias layout

    /// Floats whose levels are unpacked at a time.
    private static let mostLevels = 512
    /// Where the string of bits starts.
    private var bitsOffset: Int { LevelMessage.headerBytes + 4 * bucketCount }
    private var bucketCount: Int { (count + message.quantizer.bucket - 1) / message.quantizer.bucket }

    private var maximumBits: Int {
        let size = message.quantizer.bucket
        let rest = count % size
        return count / size * EliasLevels.maximumBits(count: size, levels: levels)
            + (rest == 0 ? 0 : EliasLevels.maximumBits(count: rest, levels: levels))
    }

    /// Rewrites the dense form; returns the length of the message.
    private func writeElias(into bytes: inout MutableRawSpan) throws(CodecError) -> Int {
        // The step of a norm that was cut to the largest float; `maximumBits` holds for a smaller one.
        let limit = (Float.greatestFiniteMagnitude / Float(levels)).nextDown
        let length: Int? = unsafe bytes.withUnsafeMutableBytes { bytes in
            let start = bytes.baseAddress!
            var steps = unsafe start + LevelMessage.headerBytes
            var writer = unsafe BitWriter(to: start + bitsOffset)
            var from = unsafe UnsafeRawPointer(dense.pointer)
            for first in stride(from: 0, to: count, by: message.quantizer.bucket) {
                let size = min(message.quantizer.bucket, count - first)
                let step = unsafe from.loadUnaligned(as: Float.self)
                guard step < limit else { return nil }
                unsafe steps.storeBytes(of: step, as: Float.self)
                unsafe steps += 4
                unsafe from += 4
                var distance: UInt64 = 1
                if step > 0 {
                    for place in stride(from: 0, to: size, by: Self.mostLevels) {
                        let length = min(Self.mostLevels, size - place)
                        unsafe message.quantizer.levels(
                            from, bucket: size, from: place, count: length, into: some.pointer)
                        unsafe EliasLevels.write(
                            some.pointer, count: length, distance: &distance, tables: tables, to: &writer)
                    }
                } else {
                    distance += UInt64(size)
                }
                unsafe writer.appendElias(distance)
                unsafe from += (message.quantizer.bits * size + 7) / 8
            }
            return unsafe writer.finish() - UnsafeMutableRawPointer(start)
        }
        guard let length else { throw .tooLarge }
        return length
    }

    private func readElias(
        _ bytes: RawSpan, adding scale: Float?, into vector: inout MutableSpan<Float>
    ) throws(CodecError) {
        try message.checkHeader(bytes)
        guard bytes.byteCount >= bitsOffset else { throw .wrongLength(found: bytes.byteCount, expected: bitsOffset) }
        let wrong: Int? = unsafe bytes.withUnsafeBytes { bytes in
            unsafe vector.withUnsafeMutableBufferPointer { vector in
                let start = bytes.baseAddress!
                var reader = unsafe BitReader(from: start + bitsOffset, byteCount: bytes.count - bitsOffset)
                if scale == nil { unsafe vector.update(repeating: 0) }
                for (index, first) in stride(from: 0, to: count, by: message.quantizer.bucket).enumerated() {
                    let size = min(message.quantizer.bucket, count - first)
                    let stepOffset = LevelMessage.headerBytes + 4 * index
                    let step = unsafe start.loadUnaligned(fromByteOffset: stepOffset, as: Float.self)
                    guard step >= 0, (step * Float(levels)).isFinite else { return stepOffset }
                    let target = unsafe vector.baseAddress! + first
                    let isRead = unsafe EliasLevels.read(
                        &reader, count: size, limit: step > 0 ? levels : 0, step: step, tables: tables,
                        adding: scale, into: target)
                    guard isRead else { return unsafe bitsOffset + reader.position / 8 }
                }
                return unsafe reader.isAtEnd() ? nil : bitsOffset + reader.position / 8
            }
        }
        if let wrong {
            throw .corrupt(
                byte: wrong, found: "what no encoder writes",
                expected: "a finite step, distances and levels up to \(levels), then zeros up to a whole byte")
        }
    }
}
