// Stragglers as people write them. Plain values; any thread.

public import Platform

extension Straggler {
    /// What `init(parsing:seed:)` reads, for help and errors.
    public static let forms =
        "none, constant:RANK:FACTOR, factors:FACTOR,FACTOR,…, lognormal:SIGMA, exponential:MEAN or trace:FILE"

    /// The largest factor or mean, and the largest sigma: beyond them factors cannot be told from zero or infinity.
    private static let largest = (factor: 1e9, sigma: 10.0)

    /// In one of `forms`, without the seed.
    public var text: String {
        switch self {
        case .none: "none"
        case .constant(let rank, let factor): "constant:\(rank):\(factor)"
        case .factors(let factors): "factors:" + factors.map { "\($0)" }.joined(separator: ",")
        case .lognormal(let sigma, _): "lognormal:\(sigma)"
        case .exponential(let mean, _): "exponential:\(mean)"
        case .trace(let trace): "trace:\(trace.name)"
        }
    }

    /// Whether factors differ between steps.
    public var isDrawn: Bool {
        switch self {
        case .none, .constant, .factors: false
        case .lognormal, .exponential, .trace: true
        }
    }

    /// Reads one of `forms`, such as `lognormal:0.5`; throws `InputError` unless the rank is in 0..<`ranks`, a factor positive and at
    /// most 10^9, as many in a list as there are ranks, the mean from 0 to 10^9, and sigma from 0 to 10; a trace as
    /// `ComputeTrace` has it, of which `computing` ranks need a line.
    public init(
        parsing text: String, ranks: Int, computing: Int? = nil, seed: UInt64, option: String = "--straggler"
    ) throws(InputError) {
        if text.hasPrefix("trace:") {
            let path = String(text.dropFirst("trace:".count))
            self = .trace(try ComputeTrace(reading: path, ranks: ranks, computing: computing))
            return
        }
        let words = text.split(separator: ":", omittingEmptySubsequences: false)
        let number = words.count > 1 ? Double(words[words.count - 1]) : nil
        let limit = words[0] == "lognormal" ? Self.largest.sigma : Self.largest.factor
        if let number, number > limit, number.isFinite {
            throw InputError(
                at: option, found: "\"\(text)\"", expected: "at most \(Int(limit)) in place of \(number)")
        }
        switch (words[0], words.count, number) {
        case ("none", 1, _): self = .none
        case ("lognormal", 2, let sigma?) where sigma >= 0 && sigma.isFinite:
            self = .lognormal(sigma: sigma, seed: seed)
        case ("exponential", 2, let mean?) where mean >= 0 && mean.isFinite:
            self = .exponential(mean: mean, seed: seed)
        case ("constant", 3, let factor?) where factor > 0 && factor.isFinite:
            guard let rank = Int(words[1]), (0..<ranks).contains(rank) else {
                throw InputError(at: option, found: "rank \"\(words[1])\"", expected: "a rank from 0 to \(ranks - 1)")
            }
            self = .constant(rank: rank, factor: factor)
        case ("factors", 2, _):
            let texts = words[1].split(separator: ",", omittingEmptySubsequences: false)
            let factors = texts.compactMap { Double($0) }.filter { $0 > 0 && $0 <= Self.largest.factor }
            guard factors.count == texts.count, factors.count == ranks else {
                throw InputError(
                    at: option, found: "\"\(text.prefix(60))\"",
                    expected: "factors:, then \(ranks) positive numbers between commas, one for each worker")
            }
            self = .factors(factors)
        default:
            let nearest = ["none", "constant", "factors", "lognormal", "exponential", "trace"].nearest(to: words[0])
            let hint = nearest.flatMap { $0 == words[0] ? nil : "; did you mean \($0)?" } ?? ""
            throw InputError(at: option, found: "\"\(text)\"", expected: Self.forms + hint)
        }
    }
}
