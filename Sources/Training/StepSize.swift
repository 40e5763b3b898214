// Step-size schedules: how gamma changes with the update t and the epoch. Pure values; any thread.

internal import Glibc
public import Platform

/// gamma(t, epoch) = start * decay^epoch / (1 + growth * t)^power, with t = 0, 1, … counting updates.
///
/// Written as on the command line: `0.5`, `0.5*0.8^epoch`, `2/t`, `2/(1+0.01t)`, `2/sqrt(t)`, `2/sqrt(1+0.01t)`; there t = 1, 2, …
/// in the short forms, so that `2/t` is `2/(1+1t)` counted from 0. `auto` in place of the first number is what suits the problem
/// and the algorithm: see `MinibatchProblem`.
public struct StepSize: Sendable, Equatable, CustomStringConvertible {
    /// How gamma falls with t.
    public enum Power: Sendable, Equatable {
        case constant
        case inverseSquareRoot
        case inverse
    }

    /// gamma at the start; nil for `auto`, until `resolved`.
    public var start: Double?
    /// The factor per epoch, in (0, 1].
    public var decay: Double
    public var power: Power
    /// How fast t counts, at least 0.
    public var growth: Double

    public init(_ start: Double?, decay: Double = 1, power: Power = .constant, growth: Double = 1) {
        self.start = start
        self.decay = decay
        self.power = power
        self.growth = growth
    }

    /// The schedule with a number for `auto`, to four digits, so that what is printed is what is used.
    ///
    /// Throws where that number is none as a float: nothing could be learnt. `name` is the data's.
    func resolved(automatic value: Double, for name: String) throws(InputError) -> StepSize {
        guard start == nil else { return self }
        guard value >= Double(Float.leastNormalMagnitude), value <= Double(Float.greatestFiniteMagnitude) else {
            throw InputError(
                at: name, found: "values or a penalty so large that --step-size auto, \(value), is 0 as a float",
                expected: "values that are scaled to about 1")
        }
        var copy = self
        let scale = pow(10, 3 - floor(log10(value)))
        copy.start = (value * scale).rounded() / scale
        return copy
    }

    /// Reads the form above; throws what was found at `--step-size`.
    public init(parsing text: String) throws(InputError) {
        func refuse() -> InputError {
            InputError(
                at: "--step-size", found: "\"\(text)\"",
                expected:
                    "a positive number or auto, alone or followed by *D^epoch, /t, /(1+Kt), /sqrt(t) or /sqrt(1+Kt)")
        }
        let compact = text.filter { !$0.isWhitespace }
        let cut = compact.firstIndex { $0 == "*" || $0 == "/" } ?? compact.endIndex
        let head = compact[..<cut]
        let tail = compact[cut...]
        // As a float, too, which is what gamma is.
        func positive(_ text: some StringProtocol) throws(InputError) -> Double {
            guard let number = Double(text), number > 0, Float(number).isFinite, Float(number) > 0 else {
                throw refuse()
            }
            return number
        }
        start = head == "auto" ? nil : try positive(head)
        decay = 1
        power = .constant
        growth = 1
        if tail.isEmpty { return }
        if tail.hasPrefix("*") {
            guard tail.hasSuffix("^epoch") else { throw refuse() }
            decay = try positive(tail.dropFirst().dropLast("^epoch".count))
            guard decay <= 1 else { throw refuse() }
            return
        }
        var rest = tail.dropFirst()
        power = .inverse
        if rest.hasPrefix("sqrt(") && rest.hasSuffix(")") {
            power = .inverseSquareRoot
            rest = rest.dropFirst("sqrt(".count).dropLast()
        } else if rest.hasPrefix("(") && rest.hasSuffix(")") {
            rest = rest.dropFirst().dropLast()
        }
        if rest == "t" { return }
        guard rest.hasPrefix("1+") && rest.hasSuffix("t") else { throw refuse() }
        growth = try positive(rest.dropFirst("1+".count).dropLast())
    }

    public var description: String {
        let head = start.map { "\($0)" } ?? "auto"
        let count = growth == 1 ? "t" : "1+\(growth)t"
        switch power {
        case .constant: return decay == 1 ? head : "\(head)*\(decay)^epoch"
        case .inverse: return growth == 1 ? "\(head)/t" : "\(head)/(\(count))"
        case .inverseSquareRoot: return "\(head)/sqrt(\(count))"
        }
    }

    /// The schedule within one epoch, for the worker loops.
    ///
    /// - Precondition: `auto` is resolved.
    public func during(epoch: Int) -> EpochStepSize {
        guard let start else { preconditionFailure("the step size auto is not resolved") }
        return EpochStepSize(
            start: Float(start * pow(decay, Double(epoch))), power: power, growth: Float(growth))
    }
}

/// One epoch's step size: cheap enough for every update.
public struct EpochStepSize: Sendable {
    let start: Float
    let power: StepSize.Power
    let growth: Float

    /// gamma of update t = 0, 1, …
    @inline(__always) public func value(_ t: UInt64) -> Float {
        switch power {
        case .constant: start
        case .inverse: start / (1 + growth * Float(t))
        case .inverseSquareRoot: start / (1 + growth * Float(t)).squareRoot()
        }
    }
}
