// One line of progress on standard error, rewritten in place. Used by the main thread only.

import Glibc

/// Shows how far a run is while standard error is a terminal, and nothing at all otherwise.
///
/// The line is rewritten at most ten times a second and taken away by `clear()` or when the value goes. Print other lines
/// only after `clear()`; the next update brings the line back.
public struct ProgressLine: ~Copyable {
    /// What the line says; whatever is missing is left out.
    public struct State: Sendable {
        /// What runs, such as the algorithm's name.
        public var label: String
        /// The part done, 0 to 1, from which the time left is estimated.
        public var fraction: Double
        public var loss: Double?
        public var updatesPerSecond: Double?

        public init(label: String, fraction: Double, loss: Double? = nil, updatesPerSecond: Double? = nil) {
            self.label = label
            self.fraction = fraction
            self.loss = loss
            self.updatesPerSecond = updatesPerSecond
        }
    }

    /// Whether anything is ever shown: false when quiet or when standard error is no terminal.
    public let isShown: Bool
    private let descriptor: Int32
    private let start: Double
    private var lastShown = -Double.infinity
    private var isOnScreen = false

    public init(isQuiet: Bool) {
        let isDumb = unsafe getenv("TERM").map { unsafe String(cString: $0) == "dumb" } ?? true
        self.init(
            isShown: !isQuiet && !isDumb && isatty(STDERR_FILENO) == 1, descriptor: STDERR_FILENO, now: Self.now())
    }

    init(isShown: Bool, descriptor: Int32, now: Double) {
        self.isShown = isShown
        self.descriptor = descriptor
        start = now
    }

    deinit {
        if isOnScreen { Self.write(Self.erase, to: descriptor) }
    }

    /// Rewrites the line with `state`, which is computed only when it is time to.
    public mutating func update(_ state: @autoclosure () -> State) {
        update(now: Self.now(), state())
    }

    mutating func update(now: Double, _ state: @autoclosure () -> State) {
        guard isShown, now - lastShown >= 0.1 else { return }
        lastShown = now
        isOnScreen = true
        // Without automatic wrapping a line longer than the terminal is cut instead of leaving its first part behind.
        Self.write("\(Self.erase)\u{1B}[?7l\(Self.text(state(), elapsed: now - start))\u{1B}[?7h", to: descriptor)
    }

    /// Takes the line away.
    public mutating func clear() {
        guard isOnScreen else { return }
        isOnScreen = false
        lastShown = -.infinity
        Self.write(Self.erase, to: descriptor)
    }

    static func text(_ state: State, elapsed: Double) -> String {
        let fraction = min(max(state.fraction, 0), 1)
        var parts = [state.label, "\(Int(fraction * 100))%"]
        if let loss = state.loss { parts.append("loss \(Quantity.number(loss))") }
        if let rate = state.updatesPerSecond { parts.append("\(Quantity.count(rate)) updates/s") }
        // Before the first percent an estimate would only jump.
        if fraction >= 0.01 { parts.append("\(Quantity.seconds((elapsed / fraction - elapsed).rounded())) left") }
        return parts.joined(separator: "  ")
    }

    private static let erase = "\r\u{1B}[2K"

    /// Seconds of the monotonic clock.
    private static func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// A line that could not be shown is no reason to stop a run.
    private static func write(_ text: String, to descriptor: Int32) {
        unsafe text.utf8Span.span.bytes.withUnsafeBytes { unsafe _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}
