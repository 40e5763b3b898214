// Levels that lie closer together near zero: a codec of this package's own. One thread per instance.

import RelaxedSGD

/// Every float x becomes sign(x) m (i/K)^2 for one of the two neighbouring i in 0 ... K, with m the largest magnitude of the vector, drawn so
/// that E Q(x) = x.
///
/// Encoded form, 12 + d bytes: `CodecHeader` (setting K), m in float32, then for each float +i or -i in a byte.
final class SquareLevelsCodec: Codec {
    static let facts = CodecFacts(
        name: "square-levels", number: 200, summary: "2 K + 1 levels, the i-th at i^2, drawn", section: "this package",
        settings: [SettingFacts("levels", default: "7", "K, 1 to 127")],
        forms: [.init(bytes: "4 + d", isUnbiased: true, alpha: "9 / 16 + d / (4 levels^4)")],
        examples: ["square-levels"])

    /// What `--codec` would name: the library's codecs and this one.
    static let kinds =
        CodecKind.builtIn + [
            CodecKind(facts) { settings, count throws(InputError) in
                SquareLevelsCodec(count: count, levels: try settings.integer("levels", default: 7, in: 1...127))
            }
        ]

    let count: Int
    let levels: Int
    private let header: CodecHeader
    private var draws: [Float]

    init(count: Int, levels: Int = 7) {
        (self.count, self.levels) = (count, levels)
        header = CodecHeader(of: Self.facts, setting: UInt16(levels), count: count)
        draws = [Float](repeating: 0, count: count)
    }

    var name: String { "square-levels:levels=\(levels)" }
    var maximumEncodedBytes: Int { CodecHeader.byteCount + 4 + count }
    var hasFixedSize: Bool { true }
    var isUnbiased: Bool { true }
    var memoryBytes: Int { 4 * count }

    /// Between levels i >= 1 and i + 1 the error is at most (2 i + 1)^2 / (2 i (i + 1))^2 x^2, below level 1 at most (m / K^2)^2 / 4.
    var relativeErrorBound: Double? {
        let square = Double(levels * levels)
        return 9.0 / 16 + Double(count) / (4 * square * square)
    }

    /// m (i/K)^2.
    private func level(_ i: Int, _ m: Float) -> Float {
        let share = Float(i) / Float(levels)
        return m * share * share
    }

    func encode(_ y: Span<Float>, draw: CodecDraw, into bytes: inout MutableRawSpan) throws(CodecError) -> Int {
        try check(y, bytes)
        header.write(into: &bytes)
        var m: Float = 0
        for j in 0..<count {
            if !y[j].isFinite { throw .notFinite(in: y, from: j) }
            m = max(m, abs(y[j]))
        }
        bytes.storeBytes(of: m.bitPattern.littleEndian, toByteOffset: CodecHeader.byteCount, as: UInt32.self)
        var uniform = draws.mutableSpan
        draw.fillUniform(&uniform)
        for j in 0..<count {
            let x = abs(y[j])
            var i = m > 0 ? min(levels - 1, Int((x / m).squareRoot() * Float(levels))) : 0
            let (low, high) = (level(i, m), level(i + 1, m))
            if uniform[j] * (high - low) < x - low { i += 1 }
            bytes.storeBytes(of: Int8(y[j] < 0 ? -i : i), toByteOffset: CodecHeader.byteCount + 4 + j, as: Int8.self)
        }
        return maximumEncodedBytes
    }

    func decode(_ bytes: RawSpan, into y: inout MutableSpan<Float>) throws(CodecError) {
        try read(bytes, count: y.count) { j, value in y[j] = value }
    }

    func decode(_ bytes: RawSpan, adding scale: Float, to y: inout MutableSpan<Float>) throws(CodecError) {
        try read(bytes, count: y.count) { j, value in y[j] += scale * value }
    }

    private func read(_ bytes: RawSpan, count found: Int, _ take: (Int, Float) -> Void) throws(CodecError) {
        guard found == count else { throw .wrongCount(found: found, expected: count) }
        try header.check(bytes, length: maximumEncodedBytes)
        let m = Float(bitPattern: bytes.littleEndian(at: CodecHeader.byteCount, as: UInt32.self))
        guard m >= 0, m.isFinite else {
            throw .corrupt(byte: CodecHeader.byteCount, found: "\(m)", expected: "a magnitude")
        }
        for j in 0..<count {
            let i = Int(bytes.littleEndian(at: CodecHeader.byteCount + 4 + j, as: Int8.self))
            guard abs(i) <= levels else {
                throw .corrupt(byte: CodecHeader.byteCount + 4 + j, found: "level \(i)", expected: "\(levels) at most")
            }
            take(j, i < 0 ? -level(-i, m) : level(i, m))
        }
    }
}
