// Messages known in advance, as a JSON array. Read by hand so that every error has its place and a million messages take
// half a second. On the caller's thread.

internal import Glibc
public import Platform

/// Reads `[{"at": 5, "from": 1, "to": 2, "megabytes": 1}, …]`, times in seconds, sizes in 10^6 bytes; other keys are
/// skipped.
public struct EventFile {
    /// Ranks are below this, since ports are kept for every rank up to the largest.
    public static let maximumRanks = 1_000_000
    /// Messages are posted no later than this, in seconds: doubles there are 1/8 apart, and beyond it latencies vanish.
    public static let maximumSeconds = 1e15
    /// A text is no longer than this, and always short enough for what becomes of it to fit in free memory.
    public static let maximumBytes = 1 << 30

    private let name: String
    private let bytes: [UInt8]
    private var position = 0

    /// The messages in the order of the file. `path` may be `-`, standard input; throws `InputError` with line and column,
    /// or where the text is longer than `maximumBytes` or free memory allow.
    public static func read(_ path: String, maximumBytes: Int = maximumBytes) throws(InputError) -> [Posting] {
        let name = path == "-" ? "standard input" : path
        return try parse(content(of: path, name: name, maximumBytes: maximumBytes), name: name)
    }

    /// The messages of a text in memory; `name` stands for the file in errors.
    public static func parse(_ text: [UInt8], name: String) throws(InputError) -> [Posting] {
        let mark = try ByteOrderMark.length(in: text, name: name)
        var file = EventFile(name: name, bytes: mark == 0 ? text : Array(text.dropFirst(mark)))
        return try file.postings()
    }

    private init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    private static func content(of path: String, name: String, maximumBytes: Int) throws(InputError) -> [UInt8] {
        func refusal(_ found: String, _ expected: String = "a JSON array of events") -> InputError {
            InputError(at: name, found: found, expected: expected)
        }
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
        // The shortest events become eight times their text as postings, their order and passages, sorted and growing.
        let available = availableMemoryBytes() ?? .max
        let limit = min(maximumBytes, available / 8)
        var content: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe Glibc.read(descriptor, &piece, piece.count)
            if count == 0 { return content }
            if count < 0 {
                if errno == EINTR { continue }
                throw refusal(reason(errno))
            }
            if content.count + count > limit {
                let fits = limit == maximumBytes ? "a shorter one" : "what \(available >> 20) MiB of free memory hold"
                throw refusal("a text of more than \(limit) bytes", fits)
            }
            content += piece[..<count]
        }
    }

    private mutating func postings() throws(InputError) -> [Posting] {
        var postings: [Posting] = []
        try expect("[", "an array of events, which begins with [")
        if !accept("]") {
            repeat { postings.append(try posting()) } while accept(",")
            try expect("]", ", or ]")
        }
        if next() != nil { throw unexpected("the end of the file") }
        return postings
    }

    private mutating func posting() throws(InputError) -> Posting {
        try expect("{", "an event, which begins with {")
        let start = position - 1
        var at: Double?
        var from: Int?
        var to: Int?
        var megabytes: Double?
        if !accept("}") {
            repeat {
                let key = try string()
                try expect(":", ":")
                switch key {
                case "at":
                    at = try number(
                        known: at, key, upTo: Self.maximumSeconds, expected: "seconds from 0 to \(Self.maximumSeconds)")
                case "megabytes":
                    megabytes = try number(
                        known: megabytes, key, upTo: .greatestFiniteMagnitude,
                        expected: "a number, finite and not negative")
                case "from": from = try rank(known: from, key)
                case "to": to = try rank(known: to, key)
                default: try skipValue()
                }
            } while accept(",")
            try expect("}", ", or }")
        }
        guard let at, let from, let to, let megabytes else {
            let missing = at == nil ? "at" : from == nil ? "from" : to == nil ? "to" : "megabytes"
            throw error(at: start, found: "an event without \"\(missing)\"", expected: "at, from, to and megabytes")
        }
        if from == to {
            throw error(at: start, found: "an event from rank \(from) to itself", expected: "two different ranks")
        }
        return Posting(at: at, from: from, to: to, megabytes: megabytes)
    }

    private mutating func number(
        known: Double?, _ key: String, upTo maximum: Double, expected: String
    ) throws(InputError) -> Double {
        let (value, start) = try number(known: known != nil, key)
        guard value >= 0, value <= maximum else {
            throw error(at: start, found: "\"\(key)\": \(text(from: start))", expected: expected)
        }
        return value
    }

    private mutating func rank(known: Int?, _ key: String) throws(InputError) -> Int {
        let (value, start) = try number(known: known != nil, key)
        guard let rank = Int(exactly: value), (0..<Self.maximumRanks).contains(rank) else {
            throw error(
                at: start, found: "\"\(key)\": \(text(from: start))",
                expected: "a rank, a whole number from 0 to \(Self.maximumRanks - 1)")
        }
        return rank
    }

    private mutating func number(known: Bool, _ key: String) throws(InputError) -> (value: Double, start: Int) {
        if known { throw error(at: position, found: "a second \"\(key)\"", expected: "each key once") }
        guard let first = next(), first == UInt8(ascii: "-") || Self.isDigit(first) else {
            throw unexpected("a number")
        }
        let start = position
        var mantissa: Int64 = 0
        var exponent = 0
        var isShort = true
        func digits(_ file: inout EventFile, scale: Int) throws(InputError) {
            let begin = file.position
            while let byte = file.current, Self.isDigit(byte) {
                (mantissa, isShort) =
                    mantissa < 1 << 49 ? (mantissa * 10 + Int64(byte & 15), isShort) : (mantissa, false)
                exponent += scale
                file.position += 1
            }
            if file.position == begin { throw file.unexpected("a digit") }
        }
        if first == UInt8(ascii: "-") { position += 1 }
        let leading = position
        try digits(&self, scale: 0)
        if position - leading > 1, bytes[leading] == UInt8(ascii: "0") {
            throw error(at: leading, found: "a number that begins with 0", expected: "one without")
        }
        if current == UInt8(ascii: ".") {
            position += 1
            try digits(&self, scale: -1)
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            isShort = false
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            try digits(&self, scale: 0)
        }
        // A quotient of two numbers that Double holds exactly is rounded once, so it is the nearest.
        if isShort, exponent >= -22 {
            let value = Double(mantissa) / Self.powersOfTen[-exponent]
            return (first == UInt8(ascii: "-") ? -value : value, start)
        }
        return (Double(text(from: start)) ?? .nan, start)
    }

    private static let powersOfTen: [Double] = (0...22).map { Double("1e\($0)")! }

    /// A string, its escapes read.
    private mutating func string() throws(InputError) -> String {
        guard next() == UInt8(ascii: "\"") else { throw unexpected("a string, which begins with \"") }
        position += 1
        let start = position
        while let byte = current, byte != UInt8(ascii: "\"") {
            if byte < 0x20 { throw unexpected("a string without control characters") }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            position += 1
        }
        guard current != nil else { throw error(at: start - 1, found: "a string without end", expected: "its end \"") }
        position += 1
        return String(decoding: bytes[start..<position - 1], as: UTF8.self)
    }

    /// The rest of a string that begins at `start` and has its first escape at the position.
    private mutating func escapedString(from start: Int) throws(InputError) -> String {
        let escapes: [UInt8: UInt16] = [
            UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "/"): 0x2F, UInt8(ascii: "b"): 8,
            UInt8(ascii: "f"): 0xC, UInt8(ascii: "n"): 0xA, UInt8(ascii: "r"): 0xD, UInt8(ascii: "t"): 9,
        ]
        var text = String(decoding: bytes[start..<position], as: UTF8.self)
        // Side by side, for a character beyond 16 bits is two escapes.
        var units: [UInt16] = []
        while let byte = current, byte != UInt8(ascii: "\"") {
            if byte < 0x20 { throw unexpected("a string without control characters") }
            guard byte == UInt8(ascii: "\\") else {
                let plain = position
                while let byte = current, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                    position += 1
                }
                text += String(decoding: units, as: UTF16.self)
                units = []
                text += String(decoding: bytes[plain..<position], as: UTF8.self)
                continue
            }
            position += 1
            let begin = position
            guard let kind = current else { break }
            position += 1
            if let unit = escapes[kind] {
                units.append(unit)
                continue
            }
            let digits = bytes[position...].prefix(4)
            guard kind == UInt8(ascii: "u"), digits.count == 4, digits.allSatisfy({ Self.isHexadecimal($0) }),
                let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
            else {
                position = begin
                throw error(
                    at: begin - 1, found: "an escape that JSON does not have", expected: "one such as \\n or \\u0041")
            }
            units.append(unit)
            position += 4
        }
        guard current != nil else { throw error(at: start - 1, found: "a string without end", expected: "its end \"") }
        position += 1
        return text + String(decoding: units, as: UTF16.self)
    }

    /// Any value, nested at most 100 deep.
    private mutating func skipValue(depth: Int = 0) throws(InputError) {
        guard depth < 100 else { throw unexpected("at most 100 levels") }
        switch next() {
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "["):
            position += 1
            if accept("]") { return }
            repeat { try skipValue(depth: depth + 1) } while accept(",")
            try expect("]", ", or ]")
        case UInt8(ascii: "{"):
            position += 1
            if accept("}") { return }
            repeat {
                _ = try string()
                try expect(":", ":")
                try skipValue(depth: depth + 1)
            } while accept(",")
            try expect("}", ", or }")
        default:
            for word in ["true", "false", "null"] where bytes[position...].starts(with: word.utf8) {
                position += word.utf8.count
                return
            }
            guard let byte = current, byte == UInt8(ascii: "-") || Self.isDigit(byte) else {
                throw unexpected("a value")
            }
            _ = try number(known: false, "")
        }
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    /// The next byte that is no white space; stays before it.
    private mutating func next() -> UInt8? {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
        return current
    }

    private mutating func accept(_ character: Unicode.Scalar) -> Bool {
        guard next() == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar, _ expected: String) throws(InputError) {
        if !accept(character) { throw unexpected(expected) }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    private static func isHexadecimal(_ byte: UInt8) -> Bool { isDigit(byte) || (byte | 0x20) &- UInt8(ascii: "a") < 6 }

    private func text(from start: Int) -> String { String(decoding: bytes[start..<position], as: UTF8.self) }

    /// What stands at the position, as far as a word or a single character goes.
    private func unexpected(_ expected: String) -> InputError {
        let rest = String(decoding: bytes[min(position, bytes.count)...].prefix(24), as: UTF8.self)
        let word = rest.prefix { $0.isLetter || $0.isNumber }
        let found = word.isEmpty ? rest.prefix(1) : word
        let isVisible = found.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0 != "\u{FFFD}" && $0.value != 0x7F }
        return error(
            at: position,
            found: found.isEmpty ? "the end of the file" : isVisible ? "\"\(found)\"" : "a byte that is no text",
            expected: expected)
    }

    private func error(at position: Int, found: String, expected: String) -> InputError {
        let before = bytes[..<min(position, bytes.count)]
        let line = before.count { $0 == 0x0A } + 1
        let column = before.count - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
        return InputError(at: "\(name):\(line):\(column)", found: found, expected: expected)
    }
}
