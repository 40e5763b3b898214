// The form of a CSV file: what stands between fields, and how a field is told from the next (RFC 4180). Any thread.

internal import Glibc

/// What separates fields.
struct CSVSyntax {
    let separator: UInt8

    /// The separators that are recognised, the most likely first.
    static let separators = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")]

    init(separator: UInt8) {
        self.separator = separator
    }

    /// The first of the known separators that a line has outside quotes; a comma where it has none.
    init(line: UnsafeBufferPointer<UInt8>) {
        var found: Set<UInt8> = []
        var isQuoted = false
        for k in line.indices {
            let byte = unsafe line[k]
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if !isQuoted { found.insert(byte) }
        }
        separator = Self.separators.first(where: found.contains) ?? UInt8(ascii: ",")
    }
}

/// What is wrong at a place of the text.
struct CSVFault: Error {
    /// Bytes from the start of the text.
    let position: Int
    let found: String
    let expected: String
}

/// A field without its quotes and the blanks around it.
@unsafe struct CSVField {
    let text: UnsafeBufferPointer<UInt8>
    /// Whether quotes in it are doubled.
    let hasQuotes: Bool

    var string: String {
        let string = unsafe String(decoding: text, as: UTF8.self)
        if unsafe !hasQuotes { return string }
        return string.split(separator: "\"\"", omittingEmptySubsequences: false).joined(separator: "\"")
    }

    /// Whether this stands for no value: nothing at all, `NA`, `N/A`, `NaN`, `null` or `?`.
    var isMissing: Bool {
        if unsafe text.isEmpty { return true }
        if unsafe text.count > 4 || text[0] | 0x20 != UInt8(ascii: "n") && text[0] != UInt8(ascii: "?") { return false }
        return unsafe ["na", "n/a", "nan", "null", "?"].contains(String(decoding: text, as: UTF8.self).lowercased())
    }

    /// The number that this is, infinite beyond Float's range; nil where it is none.
    var number: Float? {
        guard var p = unsafe text.baseAddress, unsafe !text.isEmpty else { return nil }
        let end = unsafe p + text.count
        let value = unsafe Decimal.parse(&p, powers: Decimal.powers)
        return unsafe p == end && !value.isNaN ? value : nil
    }
}

/// A place in the text, from which fields are read one by one.
@unsafe struct CSVCursor {
    /// The start of all text, from which faults are counted.
    let base: UnsafePointer<UInt8>
    /// The end of a record or of the text; 32 bytes from here are readable, and no digit follows the end of the text.
    let end: UnsafePointer<UInt8>
    let separator: UInt8
    var p: UnsafePointer<UInt8>

    /// Whether a field ends here; a carriage return before a newline is skipped.
    @inline(__always) static func endsField(
        _ q: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ separator: UInt8
    ) -> Bool {
        let byte = unsafe q[0]
        if byte == separator || byte == UInt8(ascii: "\n") { return true }
        if unsafe q >= end { return true }
        if unsafe byte == UInt8(ascii: "\r") && (q[1] == UInt8(ascii: "\n") || q + 1 >= end) {
            unsafe q += 1
            return true
        }
        return false
    }

    /// Moves past blank lines; false at the end of the text.
    mutating func startRecord() -> Bool {
        while unsafe p < end {
            if unsafe p[0] == UInt8(ascii: "\n") {
                unsafe p += 1
            } else if unsafe p[0] == UInt8(ascii: "\r") && p[1] == UInt8(ascii: "\n") {
                unsafe p += 2
            } else {
                return true
            }
        }
        return false
    }

    /// Whether the field before was the last of its record; moves to the next field or record.
    mutating func endRecord() -> Bool {
        if unsafe p >= end { return true }
        let isLast = unsafe p[0] == UInt8(ascii: "\n")
        unsafe p += 1
        return isLast
    }

    /// The next field, whatever it is; stands at the separator, newline or end behind it afterwards.
    mutating func field() throws(CSVFault) -> CSVField {
        let start = unsafe p
        unsafe skipBlanks()
        if unsafe p < end && p[0] == UInt8(ascii: "\"") { return unsafe try quotedField(start) }
        let first = unsafe p
        var q = unsafe p
        while unsafe !Self.endsField(&q, end, separator) {
            if unsafe q[0] == UInt8(ascii: "\"") {
                throw unsafe fault(start, "a quote inside a field without quotes")
            }
            unsafe q += 1
        }
        unsafe p = unsafe q
        // A carriage return, or blanks, before the end.
        while unsafe q > first && (isSpace(q[-1])) { unsafe q -= 1 }
        return unsafe CSVField(text: UnsafeBufferPointer(start: first, count: q - first), hasQuotes: false)
    }

    private mutating func quotedField(_ start: UnsafePointer<UInt8>) throws(CSVFault) -> CSVField {
        let first = unsafe p + 1
        var q = unsafe first
        var hasQuotes = false
        while true {
            guard let quote = unsafe memchr(q, 0x22, end - q) else {
                throw unsafe fault(start, "a quoted field that does not end")
            }
            let last = unsafe UnsafePointer(quote.assumingMemoryBound(to: UInt8.self))
            if unsafe last + 1 < end && last[1] == UInt8(ascii: "\"") {
                hasQuotes = true
                unsafe q = unsafe last + 2
                continue
            }
            unsafe p = unsafe last + 1
            unsafe skipBlanks()
            if unsafe !Self.endsField(&p, end, separator) {
                throw unsafe fault(start, "text behind the quotes of a field")
            }
            return unsafe CSVField(text: UnsafeBufferPointer(start: first, count: last - first), hasQuotes: hasQuotes)
        }
    }

    private mutating func skipBlanks() {
        while unsafe p < end && p[0] != separator && (p[0] == UInt8(ascii: " ") || p[0] == UInt8(ascii: "\t")) {
            unsafe p += 1
        }
    }

    private func fault(_ p: UnsafePointer<UInt8>, _ found: String) -> CSVFault {
        unsafe CSVFault(
            position: p - base, found: found,
            expected: "a field in quotes, the quotes inside it doubled, before a separator or the end of the line")
    }
}
