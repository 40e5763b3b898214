// Step sizes that know how stale a gradient is. Plain values; the worker whose push is applied asks them.

internal import Datasets
public import Platform

/// gamma times a factor of the staleness tau, which is known when an update is applied: the setting `step` of asynchronous algorithms.
public struct DelayedStep: Sendable {
    public static let setting = SettingFacts(
        "step", default: "constant",
        "times what gamma is at staleness tau: `delay-adaptive` N / max(N, tau), `inverse` 1 / (1 + tau), `table:FILE` of lines tau,factor"
    )

    private enum Law: Sendable {
        case constant
        /// Mishchenko et al. 2022, Koloskova et al. 2022.
        case adaptive(workers: Float)
        case inverse
        case table([Float])
    }

    private let law: Law

    /// gamma as it is.
    static let constant = DelayedStep(law: .constant)

    private init(law: Law) { self.law = law }

    /// Takes the setting; `workers` are N.
    ///
    /// A table has a line for each tau at which its factor changes, in rising order from 0; a tau between two lines has the factor of the
    /// first of them.
    public init(_ settings: inout NamedSettings, workers: Int) throws(InputError) {
        let text = settings.take("step") ?? "constant"
        switch text {
        case "constant": law = .constant
        case "delay-adaptive": law = .adaptive(workers: Float(workers))
        case "inverse": law = .inverse
        case _ where text.hasPrefix("table:") && text != "table:" && text != "table:-":
            law = .table(try Self.table(String(text.dropFirst("table:".count))))
        default:
            let words = ["constant", "delay-adaptive", "inverse"]
            let hint = words.nearest(to: text).map { "; did you mean \($0)?" } ?? ""
            throw InputError(
                at: settings.place, found: "step=\(text)",
                expected: "step to be \(words.joined(separator: ", ")) or table:FILE\(hint)")
        }
    }

    /// gamma at staleness `tau`.
    @inline(__always) public func size(_ gamma: Float, tau: UInt64) -> Float {
        switch law {
        case .constant: gamma
        case .adaptive(let workers): gamma * (workers / max(workers, Float(tau)))
        case .inverse: gamma / (1 + Float(tau))
        case .table(let factors): gamma * factors[Int(min(tau, UInt64(factors.count - 1)))]
        }
    }

    /// Of the factors of a table, which are not in the setting; nil where there is none.
    var tableChecksum: UInt64? {
        guard case .table(let factors) = law else { return nil }
        return unsafe factors.withUnsafeBytes { unsafe Checksum.of($0) }
    }

    private static let largestTau = 1_000_000

    /// The factors of tau = 0, 1, … up to the last line.
    private static func table(_ path: String) throws(InputError) -> [Float] {
        let form = "lines tau,factor"
        let lines = try TextLines(reading: path, expected: "a file of \(form)")
        var factors: [Float] = []
        for (i, text) in lines.lines.enumerated() {
            let words = text.split(separator: ",", maxSplits: 2, omittingEmptySubsequences: false).map { word in
                String(word.drop { $0 == " " })
            }
            if i == 0 && words == ["tau", "factor"] { continue }
            func refuse(_ expected: String) -> InputError {
                InputError(at: lines.place(i), found: TextLines.shown(text), expected: expected)
            }
            guard words.count == 2, let tau = Int(words[0]), let factor = Float(words[1]) else {
                throw refuse("tau,factor such as 8,0.5")
            }
            guard factor >= 0, factor.isFinite else { throw refuse("a factor of at least 0, finite as a float") }
            let least = factors.count
            guard least > 0 || tau == 0 else { throw refuse("tau 0 in the first line") }
            guard (least...largestTau).contains(tau) else {
                throw refuse("tau above that of the line before, \(least - 1), and at most \(largestTau)")
            }
            if let last = factors.last {
                factors += Array(repeating: last, count: tau - least)
            }
            factors.append(factor)
        }
        guard !factors.isEmpty else { throw InputError(at: path, found: "no line", expected: form) }
        return factors
    }
}
