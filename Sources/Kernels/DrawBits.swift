// Random bits for codecs, which draw for every element: a pure function of (seed, rank, step) and the place in the vector, 128 bits
// in a few cycles, in any order. Any thread.

internal import CPlatformShims

/// Random bits in blocks of 128, any of which can be had by its index.
///
/// Block i is three rounds of AES on base + i * (odd constants), a Weyl sequence in either half; base and round key are Philox words of
/// (seed, rank, step, purpose). Two rounds make every bit depend on the whole counter, and over 2^24 blocks their fields of 8 and 16 bits
/// pass tests of uniformity, serial correlation and independence within a block and between blocks up to 256 apart; the third round
/// is the margin. Nothing here is for secrets.
@frozen public struct DrawBits: Sendable {
    @usableFromInline let base: SIMD2<UInt64>
    @usableFromInline let key: SIMD2<UInt64>
    /// What the counter advances by from one block to the next.
    @usableFromInline static var increment: SIMD2<UInt64> {
        @inline(__always) @inlinable get { SIMD2(0x9E37_79B9_7F4A_7C15, 0xBB67_AE85_84CA_A73B) }
    }

    /// The bits of one draw.
    ///
    /// - Parameters:
    ///   - seed: the run's seed.
    ///   - rank: the worker, or any other small label.
    ///   - step: the iteration.
    ///   - purpose: below 2^20; tells apart several uses within one draw.
    public init(seed: UInt64, rank: UInt32, step: UInt64, purpose: UInt32 = 0) {
        precondition(purpose < 1 << 20, "purpose \(purpose)")
        let philoxKey = RandomConsumer.codec.key(seed: seed)
        func words(_ index: UInt32) -> SIMD2<UInt64> {
            let counter = SIMD4(index, rank, UInt32(truncatingIfNeeded: step), UInt32(truncatingIfNeeded: step &>> 32))
            let words = philox4x32(counter: counter, key: philoxKey)
            return SIMD2(
                UInt64(words.x) | UInt64(words.y) &<< 32, UInt64(words.z) | UInt64(words.w) &<< 32)
        }
        base = words(2 * purpose)
        key = words(2 * purpose + 1)
    }

    /// Base and key, two words each: what the wide kernels, which draw for themselves, start from.
    func store(to state: UnsafeMutablePointer<UInt64>) {
        unsafe state[0] = base.x
        unsafe state[1] = base.y
        unsafe state[2] = key.x
        unsafe state[3] = key.y
    }

    /// The block of an index.
    @inline(__always) @inlinable public func block(_ index: UInt64) -> SIMD4<UInt32> {
        unsafe unsafeBitCast(Self.scramble(counter(index), key), to: SIMD4<UInt32>.self)
    }

    /// The blocks of an index and of the next one.
    @inline(__always) @inlinable public func pair(_ index: UInt64) -> SIMD8<UInt32> {
        SIMD8(lowHalf: block(index), highHalf: block(index &+ 1))
    }

    /// Reads the blocks one after the other from an index on: a little cheaper than naming each.
    @inline(__always) @inlinable public func cursor(at index: UInt64) -> Cursor {
        Cursor(counter: counter(index), key: key)
    }

    /// Blocks in their order.
    @frozen public struct Cursor {
        @usableFromInline var counter: SIMD2<UInt64>
        @usableFromInline let key: SIMD2<UInt64>

        @inline(__always) @inlinable init(counter: SIMD2<UInt64>, key: SIMD2<UInt64>) {
            self.counter = counter
            self.key = key
        }

        /// The next two blocks.
        @inline(__always) @inlinable public mutating func next() -> SIMD8<UInt32> {
            let first = DrawBits.scramble(counter, key)
            let second = DrawBits.scramble(counter &+ DrawBits.increment, key)
            counter &+= SIMD2(2, 2) &* DrawBits.increment
            return unsafe SIMD8(
                lowHalf: unsafeBitCast(first, to: SIMD4<UInt32>.self),
                highHalf: unsafeBitCast(second, to: SIMD4<UInt32>.self))
        }
    }

    @inline(__always) @inlinable func counter(_ index: UInt64) -> SIMD2<UInt64> {
        SIMD2(base.x &+ index &* Self.increment.x, base.y &+ index &* Self.increment.y)
    }

    @inline(__always) @inlinable static func scramble(_ counter: SIMD2<UInt64>, _ key: SIMD2<UInt64>) -> SIMD2<UInt64> {
        aesRound(aesRound(aesRound(counter, key), key), key)
    }
}
