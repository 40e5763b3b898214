// What is said when a file that could be opened could not be written to its end, such as on a full disk.

/// A write that the system refused half-way; unlike `InputError` it is a failed run (exit code 1), not a wrong argument.
public struct FileWriteError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file as the user named it.
    public let path: String
    /// The system's reason, such as "No space left on device".
    public let reason: String

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(path): could not be written: \(reason)" }
}
