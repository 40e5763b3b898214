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
        let (name, bytes) = try Self.contents(of: path, expected: expected, atMost: Self.maximumBytes)
        let mark = try ByteOrderMark.length(in: bytes, name: name)
        // Numbers end at a zero byte for those who parse them, and what follows would not be seen.
        guard !bytes.contains(0), let text = String(validating: bytes[mark...], as: UTF8.self) else {
            throw InputError(at: name, found: "bytes that are no text", expected: expected)
        }
        self.init(text, name: name)
    }

    /// The bytes of `path`, or of standard input for `-`, and what errors call it.
    ///
    /// Throws where there is no such file, where it is longer than `limit`, which a device may be, and as soon as it does not begin with `magic`.
    public static func contents(
        of path: String, expected: String, atMost limit: Int, beginning magic: some Collection<UInt8> = []
    ) throws(InputError) -> (name: String, bytes: [UInt8]) {
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
            if content.count > limit { throw refusal("more than \(limit) bytes") }
            if content.count >= magic.count && !content.starts(with: magic) { throw refusal("another kind of file") }
        }
        guard content.starts(with: magic) else { throw refusal("another kind of file") }
        return (name, content)
    }

    /// What an error shows of what a line says, in quotes: its begin where it is long.
    public static func shown(_ text: some StringProtocol) -> String {
        let head = text.prefix(60)
        return "\"\(head)\(head.endIndex < text.endIndex ? "…" : "")\""
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
