// Made-up data for benchmarks and tests: streams for it, and numbers of other shapes than uniform. Any thread; each thread owns its streams.

internal import Glibc

extension RandomStream {
    /// A stream of made-up data, which shares no words with what a run draws.
    @inlinable public init(seed: UInt64, rank: UInt32 = 0, step: UInt64 = 0) {
        self.init(seed: seed, for: .madeUpData, rank: rank, step: step)
    }

    /// A standard normal number (Marsaglia's polar method).
    public mutating func nextNormal() -> Double {
        let (u, square) = nextInDisc()
        return u * (-2 * log(square) / square).squareRoot()
    }

    /// A number of Student's t distribution with 3 degrees of freedom (Bailey's polar method, 1994): heavy tails, like gradients; a
    /// variance of 3, but no fourth moment.
    public mutating func nextStudentT() -> Double {
        let (u, square) = nextInDisc()
        return u * (3 * (cbrt(1 / (square * square)) - 1) / square).squareRoot()
    }

    /// One coordinate of a uniform point in the unit disc, and the square of its distance from the middle, which is not 0.
    private mutating func nextInDisc() -> (u: Double, square: Double) {
        while true {
            let u = 2 * nextUnitDouble() - 1
            let v = 2 * nextUnitDouble() - 1
            let square = u * u + v * v
            if square < 1 && square > 0 { return (u, square) }
        }
    }
}
