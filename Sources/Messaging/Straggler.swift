// How slow ranks are made slow: a factor on the time of each computation. Pure values; any thread.

internal import Glibc
internal import Kernels

/// A model of uneven computation: the duration of step s on rank r is multiplied by `factor(rank:step:)`.
public enum Straggler: Sendable, Equatable {
    /// All ranks alike.
    case none
    /// One rank takes `factor` times as long, at every step.
    case constant(rank: Int, factor: Double)
    /// Rank r takes `factors[r]` times as long, at every step; ranks beyond the list as long as without.
    case factors([Double])
    /// exp(sigma g - sigma^2 / 2) with a standard normal g per rank and step: mean 1.
    case lognormal(sigma: Double, seed: UInt64)
    /// 1 + an exponential draw of mean `mean` per rank and step.
    case exponential(mean: Double, seed: UInt64)
    /// As recorded: the factor is a number of seconds, for computations of one second.
    case trace(ComputeTrace)

    /// The mean of the factors of the slowest rank: 1 or more, unless they are recorded.
    public var meanFactor: Double {
        switch self {
        case .none, .lognormal: 1
        case .constant(_, let factor): max(1, factor)
        case .factors(let factors): max(1, factors.max() ?? 1)
        case .exponential(let mean, _): 1 + mean
        case .trace(let trace): trace.largestMeanSeconds
        }
    }

    /// Whether factors are recorded seconds.
    public var isTrace: Bool { if case .trace = self { true } else { false } }

    /// The factor, a function of its arguments and the seed alone; positive, unless it is recorded as 0.
    public func factor(rank: Int, step: UInt64) -> Double {
        switch self {
        case .none: return 1
        case .constant(let slow, let factor): return rank == slow ? factor : 1
        case .factors(let factors): return rank < factors.count ? factors[rank] : 1
        case .lognormal(let sigma, let seed):
            var stream = RandomStream(seed: seed, for: .straggler, rank: UInt32(rank), step: step)
            // Box and Muller; 1 - u is never 0.
            let radius = (-2 * log(1 - stream.nextUnitDouble())).squareRoot()
            let normal = radius * cos(2 * Double.pi * stream.nextUnitDouble())
            return exp(sigma * normal - sigma * sigma / 2)
        case .exponential(let mean, let seed):
            var stream = RandomStream(seed: seed, for: .straggler, rank: UInt32(rank), step: step)
            return 1 - mean * log(1 - stream.nextUnitDouble())
        case .trace(let trace): return trace.seconds(rank: rank, step: step)
        }
    }
}
