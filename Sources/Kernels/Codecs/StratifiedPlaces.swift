// Which elements random-k keeps. Any thread.

/// k of d places, exactly k and each with probability k/d: the vector is cut into k strata of floor(d/k) or one more elements, a circle
/// turned by a uniform amount, and one element of each is drawn.
///
/// The turn puts every element into a longer stratum with the same probability, so that all are kept equally often; two elements of one
/// stratum are never kept together, which only lowers the variance of sums. Places come in their order around the circle, so
/// that memory is read forwards.
public struct StratifiedPlaces: Sendable {
    public let count, kept: Int
    private let bits: DrawBits

    public init(count: Int, kept: Int, bits: DrawBits) {
        precondition(kept >= 0 && kept <= count, "\(kept) of \(count)")
        self.count = count
        self.kept = kept
        self.bits = bits
    }

    /// Calls `body` with 0 ..< kept and the place of each.
    @inline(__always) func forEach(_ body: (_ index: Int, _ place: Int) -> Void) {
        guard kept > 0 else { return }
        let (length, longer) = (UInt64(count / kept), count % kept)
        var words = bits.cursor(at: 0)
        var start = words.next4().x.multipliedFullWidth(by: UInt64(count)).high
        let end = UInt64(count)
        var i = 0
        @inline(__always) func draw(_ word: UInt64) {
            let size = length &+ (i < longer ? 1 : 0)
            var place = start &+ word.multipliedFullWidth(by: size).high
            place = place >= end ? place &- end : place
            body(i, Int(truncatingIfNeeded: place))
            start &+= size
            i &+= 1
        }
        while i &+ 4 <= kept {
            let four = words.next4()
            draw(four.x)
            draw(four.y)
            draw(four.z)
            draw(four.w)
        }
        let four = words.next4()
        for lane in 0..<kept &- i { draw(four[lane]) }
    }

    /// values[j] = x[place j].
    public func gather(_ x: UnsafePointer<Float>, into values: UnsafeMutablePointer<Float>) {
        forEach { unsafe values[$0] = x[$1] }
    }

    /// y[place j] = factor * values[j]; returns whether all are finite.
    public func scatter(_ values: UnsafeRawPointer, factor: Float, into y: UnsafeMutablePointer<Float>) -> Bool {
        var check: Float = 0
        forEach {
            let value = unsafe factor * values.loadUnaligned(fromByteOffset: 4 &* $0, as: Float.self)
            check += value * 0
            unsafe y[$1] = value
        }
        return check == 0
    }

    /// y[place j] += scale * (factor * values[j]); returns whether all products with the factor are finite.
    public func scatter(
        _ values: UnsafeRawPointer, factor: Float, adding scale: Float, to y: UnsafeMutablePointer<Float>
    ) -> Bool {
        var check: Float = 0
        forEach {
            let value = unsafe factor * values.loadUnaligned(fromByteOffset: 4 &* $0, as: Float.self)
            check += value * 0
            unsafe y[$1] += scale * value
        }
        return check == 0
    }
}

extension DrawBits.Cursor {
    /// The next two blocks as words of 64 bits.
    @inline(__always) mutating func next4() -> SIMD4<UInt64> { unsafe unsafeBitCast(next(), to: SIMD4<UInt64>.self) }
}
