// Floats without their low bits, packed: lane by lane in whole units, as a string of bits behind. Any thread, on memory that is its own
// meanwhile.

internal import CPlatformShims

/// Float32 words of which only the high bits travel: float i of a unit of 512 / gcd(width, 32) belongs to lane i % 16, a lane packs its
/// codes into 32-bit words from the lowest bits on, and the words of the 16 lanes stand side by side; the codes of what fills no unit
/// follow as one string of bits, the lowest of a byte first, filled up with zeros.
public struct HighBits: Sendable {
    /// Bits that travel, 1 ... 32.
    public let width: Int
    public var count: Int

    public init(width: Int, count: Int) {
        precondition((1...32).contains(width) && count >= 0, "\(count) codes of \(width) bits")
        self.width = width
        self.count = count
    }

    public var encodedBytes: Int { (width * count + 7) / 8 }
    private var dropped: UInt32 { UInt32(32 - width) }
    private var unitCount: Int { 512 >> min(5, width.trailingZeroBitCount) }
    private var packedCount: Int { count / unitCount * unitCount }
    private static let infinity: UInt32 = 0x7F80_0000

    /// Packs `count` floats and says whether all are finite.
    public func pack(_ x: UnsafePointer<Float>, into out: UnsafeMutableRawPointer) -> Bool {
        let bits = UInt32(width)
        var largest = Words()
        var first = unsafe LanePacker(out, part: 0)
        var second = unsafe LanePacker(out, part: 1)
        var i = 0
        while i < packedCount {
            let word = unsafe UnsafeRawPointer(x + i).loadUnaligned(as: Words.self)
            largest = relaxed_max_words16(largest, word & 0x7FFF_FFFF)
            let code = relaxed_shift_right16(word, dropped)
            unsafe first.put(code.lowHalf, bits: bits)
            unsafe second.put(code.highHalf, bits: bits)
            i &+= 16
        }
        var isFinite = relaxed_is_zero16(relaxed_less16(Words(repeating: Self.infinity - 1), largest)) != 0
        var string = unsafe BitStringWriter(out + packedCount * width / 8)
        for i in packedCount..<count {
            let value = unsafe x[i]
            if !value.isFinite { isFinite = false }
            unsafe string.put(value.bitPattern >> dropped, bits: width)
        }
        _ = unsafe string.finish()
        return isFinite
    }

    /// y = x, or y += scale * x; returns the first float that is not finite, `count` where the last byte is not filled with zeros, or nil.
    public func unpack(
        _ bytes: UnsafeRawPointer, adding: Bool, scale: Float, into y: UnsafeMutablePointer<Float>
    ) -> Int? {
        let streaming = !adding && count >= StreamingStore.leastCount && UInt(bitPattern: y) % 16 == 0
        switch Sink(streaming: streaming, adding: adding) {
        case .store: return unsafe unpack(bytes, .store, scale, y)
        case .stream:
            defer { relaxed_store_fence() }
            return unsafe unpack(bytes, .stream, scale, y)
        case .add: return unsafe unpack(bytes, .add, scale, y)
        }
    }

    @inline(__always) private func unpack(
        _ bytes: UnsafeRawPointer, _ sink: Sink, _ scale: Float, _ y: UnsafeMutablePointer<Float>
    ) -> Int? {
        let factor = Floats(repeating: scale)
        let bits = UInt32(width)
        var largest = Words()
        var reader = unsafe LaneReader(bytes)
        var i = 0
        while i < packedCount {
            let word = unsafe relaxed_shift_left16(reader.next(bits: bits), dropped)
            largest = relaxed_max_words16(largest, word & 0x7FFF_FFFF)
            unsafe sink.put(floats(of: word), at: y + i, scale: factor)
            i &+= 16
        }
        var isFinite = relaxed_is_zero16(relaxed_less16(Words(repeating: Self.infinity - 1), largest)) != 0
        var string = unsafe BitStringReader(bytes + packedCount * width / 8)
        for i in packedCount..<count {
            let value = unsafe Float(bitPattern: string.next(bits: width) << dropped)
            if !value.isFinite { isFinite = false }
            switch sink {
            case .store, .stream: unsafe y[i] = value
            case .add: unsafe y[i] = y[i].addingProduct(scale, value)
            }
        }
        if !isFinite { return unsafe firstNotFinite(bytes) }
        return unsafe string.restIsZero ? nil : count
    }

    private func firstNotFinite(_ bytes: UnsafeRawPointer) -> Int? {
        (0..<count).first { i in
            var code: UInt32 = 0
            for bit in 0..<width {
                var at = width * i + bit
                if i < packedCount {
                    let inLane = i % unitCount / 16 * width + bit
                    at = i / unitCount * unitCount * width + inLane / 32 * 512 + i % 16 * 32 + inLane % 32
                }
                let byte = unsafe bytes.load(fromByteOffset: at / 8, as: UInt8.self)
                code |= UInt32(byte >> UInt8(at % 8) & 1) << UInt32(bit)
            }
            return !Float(bitPattern: code << dropped).isFinite
        }
    }
}
