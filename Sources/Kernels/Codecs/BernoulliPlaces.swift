// Which elements are kept when each is with the same probability, independently of the others. Any thread.

public import Platform

#if arch(x86_64)
    internal import KernelsAVX512
#endif

/// Places of a vector, each kept with probability p: the distances between them are drawn, so that the time follows the number kept.
public struct BernoulliPlaces: Sendable {
    public let count: Int
    private let bits: DrawBits
    private let instructions: InstructionSet
    /// 1 / log(1 - p).
    private let perLogarithm: Double
    /// Distances drawn at a time.
    private static let batch = 64

    /// - Parameter probability: 1e-9 ... 1.
    public init(count: Int, probability: Double, bits: DrawBits, instructions: InstructionSet = .best) {
        precondition(probability >= 1e-9 && probability <= 1, "probability \(probability)")
        self.count = count
        self.bits = bits
        self.instructions = instructions
        perLogarithm = probability == 1 ? 0 : 1 / Self.logarithm(ofOneMinus: probability)
    }

    /// log(1 - p) for p below 1, from additions, multiplications and divisions only, so that all machines agree.
    private static func logarithm(ofOneMinus p: Double) -> Double {
        // 1 - p itself would round away a small p: halve until it is one, by roots of 1 - p.
        var (rest, doublings) = (p, 1.0)
        while rest > 0.25 {
            rest = rest / (1 + (1 - rest).squareRoot())
            doublings *= 2
        }
        // log((1 + f) / (1 - f)) for f = -rest / (2 - rest), at most 1/7.
        let f = -rest / (2 - rest)
        var sum = 0.0
        for n in stride(from: 21, through: 1, by: -2) { sum = sum * f * f + 1 / Double(n) }
        return doublings * 2 * f * sum
    }

    /// Calls `body` with 0, 1, 2, ... and the place of each until it returns false; returns how many calls were made.
    @inline(__always) func forEach(_ body: (_ index: Int, _ place: Int) -> Bool) -> Int {
        unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Self.batch + 4) { space in
            let (skips, state) = unsafe (space.baseAddress!, space.baseAddress! + Self.batch)
            unsafe bits.store(to: state)
            let end = UInt64(count)
            var place: UInt64 = .max
            var block: UInt64 = 0
            var index = 0
            while true {
                unsafe draw(state, block, into: skips)
                block &+= UInt64(Self.batch / 2)
                for k in 0..<Self.batch {
                    place = unsafe place &+ skips[k] &+ 1
                    guard place < end else { return index }
                    let goesOn = body(index, Int(truncatingIfNeeded: place))
                    index &+= 1
                    if !goesOn { return index }
                }
            }
        }
    }

    private func draw(_ state: UnsafePointer<UInt64>, _ block: UInt64, into skips: UnsafeMutablePointer<UInt64>) {
        #if arch(x86_64)
            if instructions == .avx512 {
                return unsafe KernelsAVX512.wideGeometric(
                    perLogarithm: perLogarithm, rows: Self.batch / 8, draw: state, block: block, into: skips)
            }
        #endif
        unsafe wideGeometric(
            perLogarithm: perLogarithm, rows: Self.batch / 8, draw: state, block: block, into: skips)
    }

    /// values[j] = x[place j]; returns the number of places. `values` holds `count`.
    public func gather(_ x: UnsafePointer<Float>, into values: UnsafeMutablePointer<Float>) -> Int {
        forEach {
            unsafe values[$0] = x[$1]
            return true
        }
    }

    /// y[place j] = factor * values[j]; returns whether the places are as many as the values and all products finite.
    public func scatter(
        _ values: UnsafeRawPointer, kept: Int, factor: Float, into y: UnsafeMutablePointer<Float>
    ) -> Bool {
        var check: Float = 0
        let found = forEach {
            guard $0 < kept else { return false }
            let value = unsafe factor * values.loadUnaligned(fromByteOffset: 4 &* $0, as: Float.self)
            check += value * 0
            unsafe y[$1] = value
            return true
        }
        return found == kept && check == 0
    }

    /// y[place j] += scale * (factor * values[j]); returns whether the places are as many and all products with the factor finite.
    public func scatter(
        _ values: UnsafeRawPointer, kept: Int, factor: Float, adding scale: Float, to y: UnsafeMutablePointer<Float>
    ) -> Bool {
        var check: Float = 0
        let found = forEach {
            guard $0 < kept else { return false }
            let value = unsafe factor * values.loadUnaligned(fromByteOffset: 4 &* $0, as: Float.self)
            check += value * 0
            unsafe y[$1] += scale * value
            return true
        }
        return found == kept && check == 0
    }
}
