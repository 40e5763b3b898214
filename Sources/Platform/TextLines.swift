// Small text files of one record a line, read whole. On the caller's thread.

internal import Glibc

/// The lines of a text file, for those who read a few numbers in each.
public struct TextLines: Sendable {
    /// A text is no longer than this.
    public static let maximumBytes = 1 << 28

    /// For errors: the path, or `standard input`.
    public let name: String
    /// Without their ends; the last is not empty.
    public let lines: [Substring]

    /// Reads `path`, or standard input for `-`; throws where there is no such file, where it is longer than `maximumBytes` or no text in UTF-8.
    ///
    /// `expected` is what errors say that the file should be.
    public init(reading path: String, expected: String) throws(InputError) {
        let name = path == "-" ? "standard input" : path.isEmpty ? "\"\"" : path
        func refusal(_ found: String) -> InputError { InputError(at: name, found: found, expected: expected) }
        func reason(_ code: Int32) -> String {
            switch code {
            case ENOENT: "no such file"
            case EISDIR: "a directory"
            default: unsafe String(cString: strerror(code)).lowercased()
            }
        }
        let descriptor = unsafe path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw refusal(reason(errno)) }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe read(descriptor, &block, block.count)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw refusal(reason(errno))
            }
            content += block[..<count]
            if content.count > Self.maximumBytes { throw refusal("more than \(Self.maximumBytes) bytes") }
        }
        content.removeFirst(try ByteOrderMark.length(in: content, name: name))
        guard let text = String(validating: content, as: UTF8.self) else { throw refusal("bytes that are no text") }
        self.init(text, name: name)
    }

    /// Those of a text in memory; `name` stands for the file in errors.
    public init(_ text: String, name: String) {
        self.name = name
        var lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        while lines.last?.isEmpty == true { lines.removeLast() }
        self.lines = lines
    }

    /// Where line `index`, from 0, stands.
    public func place(_ index: Int) -> String { "\(name):\(index + 1)" }
}
