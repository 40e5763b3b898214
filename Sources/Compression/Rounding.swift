// How codecs that drop bits round, and what that costs. Plain values; any thread.

/// Which of the two neighbours of a float that the encoded form lacks is taken.
public enum Rounding: String, Sendable, CaseIterable {
    /// The upper one with the probability that makes the mean right.
    case stochastic
    /// The nearer one.
    case nearest

    /// The mean squared error of a float `above` steps over its lower neighbour, 0 ... 1, in squared steps.
    func squaredError(above: Double) -> Double {
        switch self {
        case .stochastic: above * (1 - above)
        case .nearest: min(above, 1 - above) * min(above, 1 - above)
        }
    }
}
