// Which random numbers an encoding draws. Plain values; any thread.

internal import Kernels

/// Names the draw xi of one encoding: its random numbers are a function of (seed, rank, step) and of the element, so that threads,
/// runs and machines agree.
public struct CodecDraw: Sendable, Hashable {
    /// The run's seed.
    public var seed: UInt64
    /// The worker, or any other small label.
    public var rank: UInt32
    /// The iteration, or any number that differs between encodings of one rank.
    public var step: UInt64

    public init(seed: UInt64, rank: UInt32 = 0, step: UInt64 = 0) {
        self.seed = seed
        self.rank = rank
        self.step = step
    }
}

extension CodecDraw {
    /// Fills `floats` with random numbers from 0 up to, but not, 1, in steps of 2^-24: a function of the draw and of each one's place.
    public func fillUniform(_ floats: inout MutableSpan<Float>) {
        let bits = bits
        var index = 0
        while index < floats.count {
            let words = bits.block(UInt64(index / 4))
            for lane in 0..<min(4, floats.count - index) { floats[index + lane] = Float(words[lane] >> 8) * 0x1p-24 }
            index += 4
        }
    }

    /// Bytes of a draw in messages: seed, rank and step, little-endian.
    static let byteCount = 20

    func write(to bytes: UnsafeMutableRawPointer) {
        unsafe bytes.storeBytes(of: seed.littleEndian, as: UInt64.self)
        unsafe bytes.storeBytes(of: rank.littleEndian, toByteOffset: 8, as: UInt32.self)
        unsafe bytes.storeBytes(of: step.littleEndian, toByteOffset: 12, as: UInt64.self)
    }

    init(reading bytes: UnsafeRawPointer) {
        seed = UInt64(littleEndian: unsafe bytes.loadUnaligned(as: UInt64.self))
        rank = UInt32(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        step = UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: 12, as: UInt64.self))
    }

    /// The random bits of the draw.
    var bits: DrawBits { DrawBits(seed: seed, rank: rank, step: step) }
}
