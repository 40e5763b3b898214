// The last lines of a benchmark: what was asked for, what was measured, and whether that is enough. Main thread.

import Reporting

/// One requirement on a ratio of a figure to its reference.
public struct Verdict: CustomStringConvertible {
    /// Which side of the limit the ratio must stay on.
    public enum Limit {
        case atLeast(Double)
        case atMost(Double)
    }

    let what: String
    let figure: Double
    let reference: Double
    let ratio: Double
    let limit: Limit
    let unit: String

    /// `ratio` defaults to figure / reference; give it where it was measured in pairs.
    public init(
        _ what: String, figure: Double, reference: Double, unit: String, ratio: Double? = nil, _ limit: Limit
    ) {
        self.what = what
        self.figure = figure
        self.reference = reference
        self.ratio = ratio ?? figure / reference
        self.limit = limit
        self.unit = unit
    }

    /// Whether the ratio is on the right side of its limit.
    public var holds: Bool {
        switch limit {
        case .atLeast(let least): ratio >= least
        case .atMost(let most): ratio <= most
        }
    }

    public var description: String {
        let bound =
            switch limit {
            case .atLeast(let least): "at least \(Quantity.fixed(least, decimals: 2))"
            case .atMost(let most): "at most \(Quantity.fixed(most, decimals: 2))"
            }
        return "\(holds ? "PASS " : "short") \(what): \(Quantity.number(figure)) \(unit) to "
            + "\(Quantity.number(reference)) \(unit), ratio \(Quantity.fixed(ratio, decimals: 3)), \(bound)"
    }
}

/// A result that is not what the work should have given; it ends the benchmark with exit code 1.
public struct WrongResult: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
