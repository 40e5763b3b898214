// Natural compression of a vector: the two widths of the wide kernels, and the floats that fill no whole block. One thread per
// instance.

internal import CPlatformShims
public import Platform

#if arch(x86_64)
    internal import KernelsAVX512
#endif

/// Rounds floats to powers of two at random, without bias, and packs sign and exponent into 9 bits.
///
/// Blocks of 512 floats come first, 576 bytes each: 512 exponents, of which the float i of each 64 is byte i / 16 of the 32-bit
/// word i % 16; then 512 signs, of which float i is bit i / 16 of the 32-bit word i % 16. What is left follows as a byte for each
/// exponent and then the signs, eight in a byte, the first lowest, filled up with zeros. That is n + ceil(n / 8) bytes for n
/// floats.
///
/// Exponent 0 is zero, e in 1 ... 254 is 2^(e - 127), and 255, one too many for a float, is the largest float. Powers of two below
/// 2^-126 do not exist in this form: a vector that has such floats, and none above 2^104, is encoded times 2^23.
@safe public struct NaturalCoder: ~Copyable {
    public var count: Int
    private let instructions: InstructionSet
    private let draw: UnsafeMutablePointer<UInt64>
    private let extremes: UnsafeMutablePointer<UInt32>
    private let scaled: UnsafeMutablePointer<Float>
    private static let blockBytes = 576
    private static let block = 512

    public init(count: Int, instructions: InstructionSet = .best) {
        precondition(count >= 0, "\(count) floats")
        self.count = count
        self.instructions = instructions
        unsafe draw = .allocate(capacity: 4)
        unsafe extremes = .allocate(capacity: 2)
        unsafe scaled = .allocate(capacity: Self.block)
    }

    deinit {
        unsafe draw.deallocate()
        unsafe extremes.deallocate()
        unsafe scaled.deallocate()
    }

    /// Bytes of the encoded floats.
    public var encodedBytes: Int { count + (count + 7) / 8 }

    private var blocks: Int { count / Self.block }

    /// What became of an encoding.
    public enum Outcome: Sendable {
        /// Floats as they are, or floats times 2^23.
        case plain, scaled
        case notFinite
    }

    // MARK: Encoding

    /// Encodes `count` floats into `encodedBytes` bytes.
    public func encode(_ x: UnsafePointer<Float>, draws: DrawBits, into out: UnsafeMutableRawPointer) -> Outcome {
        unsafe draws.store(to: draw)
        unsafe extremes[0] = 0
        unsafe extremes[1] = .max
        unsafe encodeBlocks(x, blocks, first: 0, out)
        unsafe encodeRest(x, draws, factor: 1, out)
        let (largest, smallest) = unsafe (extremes[0], extremes[1])
        guard largest < Float.infinity.bitPattern else { return .notFinite }
        guard smallest < Float.leastNormalMagnitude.bitPattern - 1 && largest <= Float(0x1p104).bitPattern else {
            return .plain
        }
        for n in 0..<blocks {
            let start = n * Self.block
            for i in 0..<Self.block { unsafe scaled[i] = x[start + i] * 0x1p23 }
            unsafe encodeBlocks(scaled, 1, first: n, out + n * Self.blockBytes)
        }
        unsafe encodeRest(x, draws, factor: 0x1p23, out)
        return .scaled
    }

    private func encodeBlocks(_ x: UnsafePointer<Float>, _ blocks: Int, first: Int, _ out: UnsafeMutableRawPointer) {
        let block = UInt64(first * Self.block / 4)
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideNaturalEncode(
                    x, blocks: blocks, draw: draw, block: block, extremes: extremes, into: out)
            }
        #endif
        unsafe wideNaturalEncode(x, blocks: blocks, draw: draw, block: block, extremes: extremes, into: out)
    }

    private func encodeRest(_ x: UnsafePointer<Float>, _ draws: DrawBits, factor: Float, _ out: UnsafeMutableRawPointer)
    {
        let start = blocks * Self.block
        let exponents = unsafe out + blocks * Self.blockBytes
        let signs = unsafe exponents + (count - start)
        for i in stride(from: start, to: count, by: 8) {
            var byte: UInt8 = 0
            for j in i..<min(i + 8, count) {
                let bits = unsafe (x[j] * factor).bitPattern
                let magnitude = bits & 0x7FFF_FFFF
                unsafe extremes[0] = max(extremes[0], magnitude)
                unsafe extremes[1] = min(extremes[1], magnitude &- 1)
                let drawn = draws.block(UInt64(j / 4))[j % 4]
                let exponent = UInt8(truncatingIfNeeded: (magnitude &+ drawn >> 9) >> 23)
                unsafe exponents.storeBytes(of: exponent, toByteOffset: j - start, as: UInt8.self)
                byte |= UInt8(bits >> 31) << UInt8(j - i)
            }
            unsafe signs.storeBytes(of: byte, toByteOffset: (i - start) / 8, as: UInt8.self)
        }
    }

    // MARK: Decoding

    /// Writes the floats over `count` floats, or adds `scale` times them; returns false where the last byte is not filled up with
    /// zeros.
    ///
    /// Reads `encodedBytes` bytes, whatever they are. Large vectors are stored past the caches.
    public func decode(
        _ bytes: UnsafeRawPointer, isScaled: Bool, adding: Bool, scale: Float, into y: UnsafeMutablePointer<Float>
    ) -> Bool {
        let start = blocks * Self.block
        let factor: Float = isScaled ? 0x1p-23 : 1
        let exponents = unsafe bytes + blocks * Self.blockBytes
        let signs = unsafe exponents + (count - start)
        let used = (count - start) % 8
        if used > 0 {
            let last = unsafe signs.load(fromByteOffset: (count - start) / 8, as: UInt8.self)
            guard last >> UInt8(used) == 0 else { return false }
        }
        let streaming = !adding && count >= StreamingStore.leastCount && UInt(bitPattern: y) % 16 == 0
        unsafe decodeBlocks(bytes, factor, streaming, adding, scale, y)
        if streaming { relaxed_store_fence() }
        for j in start..<count {
            let exponent = unsafe UInt32(exponents.load(fromByteOffset: j - start, as: UInt8.self))
            let byte = unsafe UInt32(signs.load(fromByteOffset: (j - start) / 8, as: UInt8.self))
            let magnitude = min(exponent << 23, Float.greatestFiniteMagnitude.bitPattern)
            let sign = (byte >> UInt32((j - start) % 8)) << 31
            let value = Float(bitPattern: magnitude | sign) * factor
            unsafe y[j] = adding ? y[j].addingProduct(value, scale) : value
        }
        return true
    }

    private func decodeBlocks(
        _ bytes: UnsafeRawPointer, _ factor: Float, _ streaming: Bool, _ adding: Bool, _ scale: Float,
        _ y: UnsafeMutablePointer<Float>
    ) {
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideNaturalDecode(
                    bytes, blocks: blocks, factor: factor, streaming: streaming, adding: adding, scale: scale, into: y)
            }
        #endif
        unsafe wideNaturalDecode(
            bytes, blocks: blocks, factor: factor, streaming: streaming, adding: adding, scale: scale, into: y)
    }
}
