// How stale each gradient of a run is to be. Plain values; any thread.

internal import Glibc
internal import Kernels
internal import Platform

/// tau_t for every step t, as `constant:8` and the like name it.
struct DelayLaw: Sendable {
    private enum Kind: Sendable {
        case constant(Int)
        case uniform(ClosedRange<Int>)
        case geometric(Double)
        case cyclic(Int)
        case trace([Int])
    }

    /// What `init(parsing:at:)` reads.
    static let forms = "constant:TAU, uniform:LEAST-MOST, geometric:RATIO, cyclic:PERIOD or trace:FILE"
    /// Of every law.
    static let longest = 1_000_000

    private let kind: Kind

    /// Reads one of `forms`.
    ///
    /// `uniform` draws a whole number between two, `geometric` has P(tau) = (1 - ratio) ratio^tau, `cyclic` is 0, 1, ... PERIOD - 1 and so
    /// on, and `trace` is a file with a whole number in each line, which begin again at their end. Throws where one may be larger than a
    /// million.
    init(parsing text: String, at place: String) throws(InputError) {
        let words = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let value = words.count > 1 ? words[1] : ""
        func refusal(_ expected: String) -> InputError {
            InputError(at: place, found: "law=\(text)", expected: expected)
        }
        func delay(_ text: some StringProtocol) -> Int? {
            Int(text).flatMap { (0...Self.longest).contains($0) ? $0 : nil }
        }
        switch words[0] {
        case "constant":
            guard let tau = delay(value) else { throw refusal("constant:TAU with TAU from 0 to \(Self.longest)") }
            kind = .constant(tau)
        case "uniform":
            let ends = value.split(separator: "-", omittingEmptySubsequences: false)
            guard ends.count == 2, let least = delay(ends[0]), let most = delay(ends[1]), least <= most else {
                throw refusal("uniform:LEAST-MOST, such as uniform:0-16, at most \(Self.longest)")
            }
            kind = .uniform(least...most)
        case "geometric":
            guard let ratio = Double(value), (0..<1).contains(ratio), Self.longestGeometric(ratio) <= Self.longest
            else {
                throw refusal("geometric:RATIO with RATIO from 0 to 0.9999")
            }
            kind = .geometric(ratio)
        case "cyclic":
            guard let period = delay(value), period > 0 else {
                throw refusal("cyclic:PERIOD with PERIOD from 1 to \(Self.longest)")
            }
            kind = .cyclic(period)
        case "trace":
            let lines = try TextLines(reading: value, expected: "a file of delays, a whole number in each line")
            kind = .trace(try Self.delays(lines))
        default:
            let nearest = ["constant", "uniform", "geometric", "cyclic", "trace"].nearest(to: words[0])
            throw refusal("law to be \(Self.forms)" + (nearest.map { "; did you mean \($0)?" } ?? ""))
        }
    }

    /// One a line.
    static func delays(_ text: TextLines) throws(InputError) -> [Int] {
        var delays: [Int] = []
        for (index, line) in text.lines.enumerated() {
            guard let tau = Int(line), (0...longest).contains(tau) else {
                throw InputError(
                    at: text.place(index), found: TextLines.shown(line), expected: "a whole number from 0 to \(longest)"
                )
            }
            delays.append(tau)
        }
        if delays.isEmpty { throw InputError(at: text.name, found: "no delays", expected: "one in each line") }
        return delays
    }

    /// Draws are of 53 bits: the largest delay that one of them makes.
    private static func longestGeometric(_ ratio: Double) -> Int {
        ratio == 0 ? 0 : Int(min(1e9, 53 * M_LN2 / -log(ratio)))
    }

    /// The largest of all.
    var largest: Int {
        switch kind {
        case .constant(let tau): tau
        case .uniform(let range): range.upperBound
        case .geometric(let ratio): Self.longestGeometric(ratio)
        case .cyclic(let period): period - 1
        case .trace(let delays): delays.max() ?? 0
        }
    }

    /// tau_t, without regard to how many steps there are before it: a function of its arguments alone.
    func delay(_ t: UInt64, seed: UInt64) -> Int {
        var stream = RandomStream(seed: seed, for: .delay, step: t)
        switch kind {
        case .constant(let tau): return tau
        case .uniform(let range): return range.lowerBound + Int(stream.next(upperBound: UInt64(range.count)))
        case .geometric(let ratio):
            return ratio == 0 ? 0 : min(largest, Int(log(1 - stream.nextUnitDouble()) / log(ratio)))
        case .cyclic(let period): return Int(t % UInt64(period))
        case .trace(let delays): return delays[Int(t % UInt64(delays.count))]
        }
    }
}
