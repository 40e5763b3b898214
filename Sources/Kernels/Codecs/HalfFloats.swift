// Vectors of 16-bit floats: what overflows and the ends that fill no two rows of the wide kernels. One thread per instance.

internal import CPlatformShims
public import Platform

#if arch(x86_64)
    internal import KernelsAVX512
#endif

/// The 16-bit formats.
public enum HalfFormat: Sendable {
    /// IEEE binary16: 5 bits of exponent, 10 of fraction.
    case fp16
    /// The upper half of a float32: 8 bits of exponent, 7 of fraction.
    case bf16

    /// The largest finite number.
    public var largest: Float { self == .fp16 ? 65_504 : Float(bitPattern: 0x7F7F_0000) }
    public var fractionBits: Int { self == .fp16 ? 10 : 7 }
    /// The smallest number above zero.
    public var smallest: Double { self == .fp16 ? 0x1p-24 : 0x1p-133 }
    /// The largest exponent that `HalfFloats.encode` returns: with it the largest number is still a float32.
    public var largestExponent: Int { self == .fp16 ? 112 : 0 }

    /// The smallest exponent with which float16 holds x / 2^exponent; 0 for bfloat16.
    public func exponent(forMagnitude x: Float) -> Int {
        self == .fp16 && x > largest
            ? min(largestExponent, Int(x.exponent) - 15 + (x.significand * 0x1p15 > largest ? 1 : 0)) : 0
    }
}

/// Encodes vectors of one length as halves of one format and one power of two, 2 bytes per float, little-endian.
@safe public struct HalfFloats: ~Copyable {
    public let format: HalfFormat
    public var count: Int
    private let instructions: InstructionSet
    private let draw: UnsafeMutablePointer<UInt64>

    public init(_ format: HalfFormat, count: Int, instructions: InstructionSet = .best) {
        self.format = format
        self.count = count
        self.instructions = instructions
        unsafe draw = .allocate(capacity: 4)
    }

    deinit { unsafe draw.deallocate() }

    /// Rounds `count` floats to halves times 2^exponent and returns the exponent, which is 0 unless a float16 would overflow; nil where a
    /// float is not finite.
    ///
    /// What lies beyond the largest number of the format, which is within 1/128 of that of float32, becomes that number.
    ///
    /// - Parameter draws: random bits for unbiased rounding, or nil to round to the nearest, ties to even.
    public func encode(_ x: UnsafePointer<Float>, draws: DrawBits?, into out: UnsafeMutableRawPointer) -> Int? {
        if let draws { unsafe draws.store(to: draw) }
        let random = unsafe draws == nil ? nil : UnsafePointer(draw)
        if unsafe run(x, random, exponent: 0, clamped: false, out) { return 0 }
        guard unsafe firstNonFinite(x, count: count) == count else { return nil }
        let exponent = unsafe format.exponent(forMagnitude: largestMagnitude(x, count: count))
        if unsafe !run(x, random, exponent: exponent, clamped: false, out) {
            _ = unsafe run(x, random, exponent: exponent, clamped: true, out)
        }
        return exponent
    }

    /// Whether all floats were in range.
    private func run(
        _ x: UnsafePointer<Float>, _ draw: UnsafePointer<UInt64>?, exponent: Int, clamped: Bool,
        _ out: UnsafeMutableRawPointer
    ) -> Bool {
        let power = Float(sign: .plus, exponent: exponent, significand: 1)
        let largest = format.largest * power
        // To the nearest, half a step above the largest number still becomes that number.
        let ulp: Float = format == .fp16 ? 32 : 0x1p120
        let limit = unsafe draw == nil ? (largest + ulp / 2 * power).nextDown : largest
        let whole = clamped ? 0 : count / 32 * 32
        var fits = true
        if whole > 0 { fits = unsafe write(x, whole / 32, 1 / power, limit.bitPattern, draw, 0, out) }
        for start in stride(from: whole, to: count, by: 32) {
            let size = min(32, count - start)
            var piece = InlineArray<32, Float>(repeating: 0)
            for i in 0..<size {
                let value = unsafe x[start + i]
                piece[i] = clamped ? max(-largest, min(largest, value)) : value
            }
            var halves = InlineArray<32, UInt16>(repeating: 0)
            let values = piece.span
            var span = halves.mutableSpan
            unsafe values.withUnsafeBufferPointer { values in
                unsafe span.withUnsafeMutableBytes { halves in
                    let fit = unsafe write(
                        values.baseAddress!, 1, 1 / power, limit.bitPattern, draw, UInt64(start / 8),
                        halves.baseAddress!)
                    fits = fits && fit
                    unsafe (out + 2 * start).copyMemory(from: halves.baseAddress!, byteCount: 2 * size)
                }
            }
        }
        return fits
    }

    /// y = x, or y += scale * x, for the halves x times 2^exponent; returns the first half that is not finite, if any.
    public func decode(
        _ bytes: UnsafeRawPointer, exponent: Int, adding: Bool, scale: Float, into y: UnsafeMutablePointer<Float>
    ) -> Int? {
        let power = Float(sign: .plus, exponent: exponent, significand: 1)
        let streaming = !adding && count >= StreamingStore.leastCount && UInt(bitPattern: y) % 16 == 0
        let whole = count / 16 * 16
        var isFinite = true
        if whole > 0 { isFinite = unsafe read(bytes, whole / 16, power, streaming, adding, scale, y) }
        if streaming { relaxed_store_fence() }
        if whole < count {
            var halves = InlineArray<16, UInt16>(repeating: 0)
            var piece = InlineArray<16, Float>(repeating: 0)
            for i in whole..<count {
                halves[i - whole] = unsafe bytes.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)
                piece[i - whole] = unsafe y[i]
            }
            let source = halves.span
            var target = piece.mutableSpan
            unsafe source.withUnsafeBytes { source in
                unsafe target.withUnsafeMutableBufferPointer { target in
                    let ok = unsafe read(source.baseAddress!, 1, power, false, adding, scale, target.baseAddress!)
                    isFinite = isFinite && ok
                    unsafe (y + whole).update(from: target.baseAddress!, count: count - whole)
                }
            }
        }
        guard !isFinite else { return nil }
        let infinity: UInt16 = format == .fp16 ? 0x7C00 : 0x7F80
        return (0..<count).first {
            unsafe bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self) & 0x7FFF >= infinity
        }
    }

    private func write(
        _ x: UnsafePointer<Float>, _ pairs: Int, _ scale: Float, _ limit: UInt32, _ draw: UnsafePointer<UInt64>?,
        _ block: UInt64, _ out: UnsafeMutableRawPointer
    ) -> Bool {
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideHalves(
                    bf16: format == .bf16, x, pairs: pairs, scale: scale, limit: limit, draw: draw, block: block,
                    into: out)
            }
        #endif
        return unsafe wideHalves(
            bf16: format == .bf16, x, pairs: pairs, scale: scale, limit: limit, draw: draw, block: block, into: out)
    }

    private func read(
        _ from: UnsafeRawPointer, _ rows: Int, _ unit: Float, _ streaming: Bool, _ adding: Bool, _ scale: Float,
        _ y: UnsafeMutablePointer<Float>
    ) -> Bool {
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideFloats(
                    bf16: format == .bf16, from, rows: rows, unit: unit, streaming: streaming, adding: adding,
                    scale: scale, into: y)
            }
        #endif
        return unsafe wideFloats(
            bf16: format == .bf16, from, rows: rows, unit: unit, streaming: streaming, adding: adding, scale: scale,
            into: y)
    }
}
