// How many elements a sparsifier keeps, as its settings say. Plain values; any thread.

import Platform

/// `k=` elements, or `fraction=` of them.
enum KeptQuantity {
    case number(Int)
    case fraction(Double)

    /// Takes `k`, or `fraction`, which is 0.01 where both are absent.
    init(_ settings: inout NamedSettings) throws(InputError) {
        if let fraction = try settings.positiveNumber("fraction", upTo: 1) {
            self = .fraction(fraction)
        } else {
            let k = try settings.integer("k", default: 0, in: 1...Int(UInt32.max))
            self = k == 0 ? .fraction(0.01) : .number(k)
        }
    }
}
