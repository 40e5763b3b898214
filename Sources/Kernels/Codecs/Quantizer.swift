// Quantization of a vector in buckets, to knobs between smallest and largest float (eq. 3.1) or to levels of a norm: the
// constants of each bucket, and the ends that fill no whole unit of the wide kernels. One thread per instance.

internal import CPlatformShims
public import Platform

#if arch(x86_64)
    internal import KernelsAVX512
#endif

/// Quantizes vectors of one length to 1 ... 16 bits per float, with the knobs of eq. 3.1 for each bucket or with levels (see
/// `Scaling`).
///
/// With knobs a bucket of n floats becomes 8 + ceil(bits * n / 8) bytes: two float32, `low` and `step` (with one bit the two
/// knobs themselves), and the codes; code c stands for fma(c, step, low). With levels it is 4 bytes less: `low` is -levels *
/// step. The codes lie in units of 512 / gcd(bits, 32) floats, in each of which float i belongs to lane i % 16, a lane packs its
/// codes into 32-bit words from the lowest bits on, and the words of the 16 lanes stand side by side. The codes of what is left
/// of a bucket follow as one string of bits, the lowest of a byte first, filled up with zeros.
///
/// A draw is 16 bits per float (15 where a code has 16), so that the probability of the upper knob is right to 2^-17.
@safe public struct Quantizer: ~Copyable {
    public let bits: Int
    public let scaling: Scaling
    /// Floats in all, and in a bucket; a bucket has at least one.
    public private(set) var count, bucket: Int
    private let stepBits: Int
    private let instructions: InstructionSet
    /// low, step, offset, scale and factor of a bucket (see `wideQuantize`).
    private let map: UnsafeMutablePointer<Float>
    /// The smallest and the largest float of the next.
    private let range: UnsafeMutablePointer<Float>
    private let draw: UnsafeMutablePointer<UInt64>

    /// Quantizes to 2^bits knobs.
    public init(bits: Int, count: Int, bucket: Int, instructions: InstructionSet = .best) {
        self.init(.range, bits: bits, count: count, bucket: bucket, instructions: instructions)
    }

    /// Quantizes to levels, in as few bits as hold 2 * levels + 1 codes.
    public init(levels scaling: Scaling, count: Int, bucket: Int, instructions: InstructionSet = .best) {
        let bits = Int.bitWidth - (2 * scaling.levels).leadingZeroBitCount
        self.init(scaling, bits: bits, count: count, bucket: bucket, instructions: instructions)
    }

    private init(_ scaling: Scaling, bits: Int, count: Int, bucket: Int, instructions: InstructionSet) {
        precondition(
            (1...16).contains(bits) && count >= 0 && bucket >= 1, "\(bits) bits, \(count) floats in \(bucket)s")
        self.scaling = scaling
        stepBits = scaling.stepBits
        self.bits = bits
        self.count = count
        self.bucket = bucket
        self.instructions = instructions
        unsafe map = .allocate(capacity: 5)
        unsafe range = .allocate(capacity: 2)
        unsafe draw = .allocate(capacity: 4)
    }

    /// Goes on with vectors of another length, and buckets of another.
    public mutating func resize(count: Int, bucket: Int) {
        precondition(count >= 0 && bucket >= 1, "\(count) floats in \(bucket)s")
        self.count = count
        self.bucket = bucket
    }

    deinit {
        unsafe map.deallocate()
        unsafe range.deallocate()
        unsafe draw.deallocate()
    }

    /// Bytes of all buckets.
    public var encodedBytes: Int {
        let rest = count % bucket
        return count / bucket * encodedBytes(ofBucket: bucket) + (rest == 0 ? 0 : encodedBytes(ofBucket: rest))
    }

    private func encodedBytes(ofBucket count: Int) -> Int { scaling.headerBytes + (bits * count + 7) / 8 }

    /// The largest code.
    private var lastCode: Int { scaling == .range ? 1 << bits - 1 : 2 * scaling.levels }
    /// Bits of the fraction below a code in fixed point.
    private var fraction: Int { bits == 16 ? 15 : 16 }
    private var unitCount: Int { 512 >> min(5, bits.trailingZeroBitCount) }

    // MARK: Encoding

    /// Encodes `count` floats into `encodedBytes` bytes; returns the first float that is not finite, or the start of its bucket, if any.
    ///
    /// - Parameters:
    ///   - draws: the random bits, or nil to round to the nearest.
    ///   - residual: nil, or r for error feedback: then v = x + feedback * r is encoded and r = v - Q(v) is left.
    public func encode(
        _ x: UnsafePointer<Float>, residual: UnsafeMutablePointer<Float>?, feedback: Float, draws: DrawBits?,
        into out: UnsafeMutableRawPointer
    ) -> Int? {
        if let draws { unsafe draws.store(to: draw) }
        let random = unsafe draws == nil ? nil : UnsafePointer(draw)
        let blocksPerBucket = UInt64((bucket + 31) / 32 * 4)
        let values = unsafe residual.map { unsafe UnsafePointer($0) } ?? x
        var out = unsafe out
        var block: UInt64 = 0
        // One bucket ahead, so that the divisions do not hold up the floats of the next. Large vectors wait for memory instead, which
        // comes a tenth faster where a bucket is done with before the next.
        let isAhead = count < StreamingStore.leastCount
        var next = unsafe count > 0 ? findRange(x, residual, feedback, 0) : (0, 0, 0)
        var start = 0
        while start < count {
            let size = min(bucket, count &- start)
            let (low, high, limit) = next
            guard low.isFinite && high.isFinite && limit.isFinite else { return start }
            let end = start &+ size
            if isAhead && end < count { next = unsafe findRange(x, residual, feedback, end) }
            if scaling == .range {
                setMap(low: low, high: high)
                unsafe out.storeBytes(of: map[0], as: Float.self)
                unsafe out.storeBytes(of: map[1], toByteOffset: 4, as: Float.self)
            } else {
                unsafe scaling.setMap(map, limit: limit, bits: bits, stepBits: stepBits)
                unsafe out.storeBytes(of: map[1], as: Float.self)
            }
            unsafe out += scaling.headerBytes

            let units = size / unitCount
            let error = unsafe residual.map { unsafe $0 + start }
            if units > 0 {
                guard unsafe encodeUnits(values + start, units, random, block, error, x + start, out) else {
                    return unsafe firstNaN(values, from: start)
                }
                unsafe out += units &* unitCount &* bits / 8
            }
            if units &* unitCount < size {
                guard
                    let stringEnd = unsafe encodeRest(
                        values + start, units &* unitCount, size, draws, block, error, out)
                else {
                    return unsafe firstNaN(values, from: start)
                }
                unsafe out = stringEnd
            }
            if !isAhead && end < count { next = unsafe findRange(x, residual, feedback, end) }
            start = end
            block &+= blocksPerBucket
        }
        return nil
    }

    /// The smallest and the largest float of the bucket at `start`, and what the largest level stands for, having added the
    /// residual where there is one. Of what is not used zeros.
    private func findRange(
        _ x: UnsafePointer<Float>, _ residual: UnsafeMutablePointer<Float>?, _ feedback: Float, _ start: Int
    ) -> (low: Float, high: Float, limit: Double) {
        let size = min(bucket, count &- start)
        var values = unsafe x + start
        if let residual = unsafe residual {
            unsafe feedbackRange(x + start, residual + start, feedback, size)
            unsafe values = UnsafePointer(residual) + start
        } else if !scaling.isNorm {
            unsafe self.range(x + start, size)
        }
        if scaling.isNorm { return unsafe (0, 0, sumOfSquares(values, count: size).squareRoot()) }
        // Which zero was found depends on the order in which it was looked for.
        let (low, high) = unsafe (range[0] + 0, range[1] + 0)
        return (low, high, scaling == .range ? 0 : Double(max(abs(low), abs(high))))
    }

    /// The NaN that the range of its bucket did not show. Of the floats before it a residual may have been left, which may be infinite.
    private func firstNaN(_ values: UnsafePointer<Float>, from start: Int) -> Int {
        var i = start
        while unsafe i < count &- 1 && !values[i].isNaN { i &+= 1 }
        return i
    }

    /// The constants of a bucket from its smallest and largest float.
    ///
    /// The factor is rounded so that the largest float never exceeds the last code: products are monotone.
    private func setMap(low: Float, high: Float) {
        let levels = Float(lastCode)
        let top = levels * Float(1 << fraction)
        var range = high - low
        var scale: Float = 1
        var step = range / levels
        var factor = top / range
        if !(range >= 0x1p-90 && range <= 0x1p126) {
            if range == 0 {
                factor = 0
            } else if range > 0x1p126 {
                scale = 0x1p-8
                range = high * scale - low * scale
                factor = top / range
                step = range / levels / scale
                // Rounded up, the last knob may lie beyond the largest float.
                while bits > 1 && !low.addingProduct(levels, step).isFinite { step = step.nextDown }
            } else {
                // A step that is itself rounded to few bits: rounded up, and what the encoder divides by.
                scale = 0x1p64
                range = high * scale - low * scale
                if step * scale * levels < range { step = step.nextUp }
                factor = bits == 1 ? top / range : Float(1 << fraction) / (step * scale)
            }
        }
        if range * factor > top { factor = factor.nextDown }
        unsafe map[0] = low
        unsafe map[1] = bits == 1 ? high : step
        unsafe map[2] = -low * scale
        unsafe map[3] = scale
        unsafe map[4] = factor
    }

    /// The floats of a bucket from `from` on as one string of bits; returns its end, or nil where one is not finite.
    private func encodeRest(
        _ values: UnsafePointer<Float>, _ from: Int, _ size: Int, _ draws: DrawBits?, _ block: UInt64,
        _ residual: UnsafeMutablePointer<Float>?, _ out: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer? {
        var string = unsafe BitStringWriter(out)
        for i in from..<size {
            let (row, lane) = (i / 16, i % 16)
            var drawn: UInt32 = 0x8000_0000 | 1 << UInt32(fraction - 1)
            if let draws { drawn = draws.block(block + UInt64(4 * (row / 2) + lane / 4))[lane % 4] }
            let dither = row % 2 == 0 ? drawn >> UInt32(32 - fraction) : drawn & (1 << UInt32(fraction) - 1)
            let value = unsafe values[i]
            guard value.isFinite else { return nil }
            let place = unsafe map[2].addingProduct(value, map[3]) * map[4]
            let code = (UInt32(place.rounded(.toNearestOrEven)) + dither) >> UInt32(fraction)
            if let residual = unsafe residual { unsafe residual[i] = value - decoded(code) }
            unsafe string.put(code, bits: bits)
        }
        return unsafe string.finish()
    }

    private func decoded(_ code: UInt32) -> Float {
        unsafe bits == 1 ? map[code == 0 ? 0 : 1] : map[0].addingProduct(Float(code), map[1])
    }

    // MARK: Decoding

    /// Writes Q(x) over `count` floats, or adds scale * Q(x) to them; returns the first byte that no encoder writes, if any.
    ///
    /// Reads `encodedBytes` bytes, whatever they are. Large vectors are stored past the caches.
    public func decode(
        _ bytes: UnsafeRawPointer, adding: Bool, scale: Float, into y: UnsafeMutablePointer<Float>
    ) -> Int? {
        let streaming =
            !adding && count >= StreamingStore.leastCount && UInt(bitPattern: y) % 16 == 0 && unitCount <= bucket
        defer { if streaming { relaxed_store_fence() } }
        var from = unsafe bytes
        var start = 0
        while start < count {
            let size = min(bucket, count &- start)
            if scaling == .range {
                unsafe map[0] = from.loadUnaligned(as: Float.self)
                unsafe map[1] = from.loadUnaligned(fromByteOffset: 4, as: Float.self)
            } else {
                unsafe map[1] = from.loadUnaligned(as: Float.self)
                unsafe map[0] = -Float(scaling.levels) * map[1]
            }
            let last = decoded(UInt32(lastCode))
            // A NaN fails these too.
            let (low, step) = unsafe (map[0], map[1])
            guard abs(low) <= .greatestFiniteMagnitude, abs(last) <= .greatestFiniteMagnitude, last >= low,
                bits == 1 || step >= 0
            else { return unsafe from - bytes }
            unsafe from += scaling.headerBytes

            let units = size / unitCount
            guard unsafe scaling == .range || hasOnlyLevels(from, units) else { return unsafe from - bytes }
            if units > 0 { unsafe decodeUnits(from, units, streaming, adding, scale, y + start) }
            unsafe from += units &* unitCount &* bits / 8
            if units &* unitCount < size {
                guard let end = unsafe decodeRest(from, units &* unitCount, size, adding, scale, y + start) else {
                    return unsafe from - bytes + (bits * (size - units * unitCount) - 1) / 8
                }
                unsafe from = end
            }
            start &+= size
        }
        return nil
    }

    /// Decodes the floats of a bucket from `first` on; returns the end of their bits, or nil where a code is none or the last
    /// byte is not filled with zeros.
    private func decodeRest(
        _ bytes: UnsafeRawPointer, _ first: Int, _ size: Int, _ adding: Bool, _ scale: Float,
        _ y: UnsafeMutablePointer<Float>
    ) -> UnsafeRawPointer? {
        var string = unsafe BitStringReader(bytes)
        for i in first..<size {
            let code = unsafe string.next(bits: bits)
            guard code <= lastCode else { return nil }
            let value = decoded(code)
            unsafe y[i] = adding ? y[i].addingProduct(scale, value) : value
        }
        return unsafe string.restIsZero ? string.from : nil
    }

    // MARK: Levels

    /// Writes levels of a bucket that `encode` has written, as whole numbers in float32.
    ///
    /// - Parameters:
    ///   - bytes: the codes of the bucket, behind its step.
    ///   - size: floats of the bucket.
    ///   - from: the first of them, a multiple of 512.
    ///   - count: 512, or fewer at the end of the bucket.
    public func levels(
        _ bytes: UnsafeRawPointer, bucket size: Int, from first: Int, count: Int,
        into levels: UnsafeMutablePointer<Float>
    ) {
        unsafe map[0] = -Float(scaling.levels)
        unsafe map[1] = 1
        let codes = unsafe bytes + first / 8 * bits
        let units = count / unitCount
        if units > 0 { unsafe decodeUnits(codes, units, false, false, 1, levels) }
        let rest = unsafe codes + units * unitCount * bits / 8
        if units * unitCount < count { _ = unsafe decodeRest(rest, units * unitCount, count, false, 1, levels) }
    }

    /// Whether no code of `units` units is beyond the last one.
    private func hasOnlyLevels(_ codes: UnsafeRawPointer, _ units: Int) -> Bool {
        let last = UInt32(lastCode)
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideIsWithin(bits: bits, codes, units: units, last: last)
            }
        #endif
        return unsafe wideIsWithin(bits: bits, codes, units: units, last: last)
    }

    // MARK: The two widths of the wide kernels

    private func range(_ x: UnsafePointer<Float>, _ count: Int) {
        #if arch(x86_64)
            if instructions == .avx512 { return unsafe KernelsAVX512.wideRange(x, count: count, into: range) }
        #endif
        unsafe wideRange(x, count: count, into: range)
    }

    private func feedbackRange(
        _ x: UnsafePointer<Float>, _ residual: UnsafeMutablePointer<Float>, _ scale: Float, _ count: Int
    ) {
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideFeedbackRange(
                    x, residual: residual, scale: scale, count: count, into: range)
            }
        #endif
        unsafe wideFeedbackRange(x, residual: residual, scale: scale, count: count, into: range)
    }

    private func encodeUnits(
        _ x: UnsafePointer<Float>, _ units: Int, _ draw: UnsafePointer<UInt64>?, _ block: UInt64,
        _ residual: UnsafeMutablePointer<Float>?, _ gradient: UnsafePointer<Float>, _ out: UnsafeMutableRawPointer
    ) -> Bool {
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideQuantize(
                    bits: bits, x, units: units, map: map, draw: draw, block: block, residual: residual,
                    gradient: gradient, into: out)
            }
        #endif
        return unsafe wideQuantize(
            bits: bits, x, units: units, map: map, draw: draw, block: block, residual: residual, gradient: gradient,
            into: out)
    }

    private func decodeUnits(
        _ from: UnsafeRawPointer, _ units: Int, _ streaming: Bool, _ adding: Bool, _ scale: Float,
        _ y: UnsafeMutablePointer<Float>
    ) {
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideDequantize(
                    bits: bits, from, units: units, map: map, streaming: streaming, adding: adding, scale: scale,
                    into: y)
            }
        #endif
        unsafe wideDequantize(
            bits: bits, from, units: units, map: map, streaming: streaming, adding: adding, scale: scale, into: y)
    }
}
