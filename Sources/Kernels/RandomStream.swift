// Counter-based random numbers: every draw is a pure function of (seed, consumer, rank, step, index), so that threads and runs agree
// without sharing state. Any thread; each thread owns its streams.

/// A stream of random bits, Philox4x32-10 (Salmon et al., SC 2011), keyed by seed and consumer and counted by (index, rank, step).
///
/// Streams with different (seed, consumer, rank, step) are independent. One stream gives 2^33 words of 64 bits before it repeats.
@frozen public struct RandomStream: RandomNumberGenerator, Sendable {
    @usableFromInline var counter: SIMD4<UInt32>
    @usableFromInline let key: SIMD2<UInt32>
    @usableFromInline var spare: UInt64 = 0
    @usableFromInline var hasSpare = false

    /// A stream that starts at index 0.
    ///
    /// - Parameters:
    ///   - seed: the run's seed.
    ///   - consumer: what the stream is for.
    ///   - rank: the worker, or any other small label.
    ///   - step: the iteration or epoch.
    @inlinable public init(seed: UInt64, for consumer: RandomConsumer, rank: UInt32 = 0, step: UInt64 = 0) {
        key = consumer.key(seed: seed)
        counter = SIMD4(0, rank, UInt32(truncatingIfNeeded: step), UInt32(truncatingIfNeeded: step &>> 32))
    }

    /// The next 64 random bits.
    @inlinable public mutating func next() -> UInt64 {
        if hasSpare {
            hasSpare = false
            return spare
        }
        let words = philox4x32(counter: counter, key: key)
        counter.x &+= 1
        spare = UInt64(words.z) | UInt64(words.w) &<< 32
        hasSpare = true
        return UInt64(words.x) | UInt64(words.y) &<< 32
    }

    /// A uniform integer in 0..<upperBound, without bias (Lemire's multiplication with rejection).
    @inlinable public mutating func next(upperBound: UInt64) -> UInt64 {
        precondition(upperBound > 0, "upperBound must be positive")
        var product = next().multipliedFullWidth(by: upperBound)
        if product.low < upperBound {
            let threshold = (0 &- upperBound) % upperBound
            while product.low < threshold { product = next().multipliedFullWidth(by: upperBound) }
        }
        return product.high
    }

    /// A uniform float in [0, 1): a multiple of 2^-24.
    @inlinable public mutating func nextUnitFloat() -> Float { Float(next() &>> 40) * 0x1p-24 }

    /// A uniform double in [0, 1): a multiple of 2^-53.
    @inlinable public mutating func nextUnitDouble() -> Double { Double(next() &>> 11) * 0x1p-53 }
}

/// The Philox4x32-10 bijection of the counter under the key.
@inlinable public func philox4x32(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var c = counter
    var k = key
    for _ in 0..<10 {
        let a = c.x.multipliedFullWidth(by: 0xD251_1F53)
        let b = c.z.multipliedFullWidth(by: 0xCD9E_8D57)
        c = SIMD4(b.high ^ c.y ^ k.x, b.low, a.high ^ c.w ^ k.y, a.low)
        k = SIMD2(k.x &+ 0x9E37_79B9, k.y &+ 0xBB67_AE85)
    }
    return c
}
