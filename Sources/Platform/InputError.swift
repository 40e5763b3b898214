// What is said when arguments or input cannot be used: one line with the place, what was found and what was expected.

/// Unusable arguments or input; the command prints its one line and exits with code 2.
///
/// The parts may hold what files say; `description` shows it as `String.printable` does.
public struct InputError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Where: `FILE`, `FILE:LINE`, or an option such as `--workers`.
    public let place: String
    /// What stands there, quoted where it is text.
    public let found: String
    /// What would have been accepted.
    public let expected: String

    public init(at place: String, found: String, expected: String) {
        self.place = place
        self.found = found
        self.expected = expected
    }

    /// One line, of which a file that has no lines must not decide how long it is.
    public var description: String {
        let shown = found.utf8.count > 400 ? found.prefix(300) + "…" : found[...]
        return "\(place): found \(shown), expected \(expected)".printable
    }
}
